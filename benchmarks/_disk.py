from __future__ import annotations

import os
import timeit
from pathlib import Path

BLOCK = 4096


def append_and_sync(file: Path, *, times: int) -> float:
    """Return the seconds that one record takes in a log: a block at its end, and fdatasync."""
    blocks = [os.urandom(BLOCK) for _ in range(times)]
    with file.open("wb") as log:
        start = timeit.default_timer()
        for block in blocks:
            log.write(block)
            log.flush()
            os.fdatasync(log.fileno())
        return (timeit.default_timer() - start) / times

from __future__ import annotations

import os
import timeit
from collections.abc import Callable
from pathlib import Path

from benchmarks._measure import Row, against

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


def beside_syncs(name: str, one: Callable[[], float], file: Path, *, times: int) -> Row:
    """Return what *one* of many durable writes at once takes beside blocks that are synced one by one."""
    return against(
        name,
        one,
        lambda: append_and_sync(file, times=times),
        limit_name="block at the end of a log and fdatasync, one by one",
        bar=5,
        unit="us",
        sense=">=",
        rounds=9,
        rate=True,
    )

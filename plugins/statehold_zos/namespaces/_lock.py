from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from statehold_zos.model import ZosError

_PAUSE: Final = 0.01


@contextmanager
def locked(folder: Path, name: str, *, patience: float) -> Iterator[None]:
    """Have *name* alone, among all threads and processes; whoever is killed lets go of it.

    Raises:
        ZosError: somebody else has had it for *patience* seconds.

    """
    path = folder / f"{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}.lock"
    held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        end = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise ZosError(
                        f"somebody else has been at work on the 0-db of {name} for {patience:g} s",
                        hint="Try again",
                    ) from None
                time.sleep(_PAUSE)
        yield
    finally:
        os.close(held)

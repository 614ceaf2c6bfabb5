from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import attrs


@attrs.frozen
class FolderLock:
    """Lets one thread of one process at a time change what is in a folder; it ends with the process."""

    file: Path
    _threads: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    @contextmanager
    def __call__(self) -> Generator[None]:
        """Wait for the folder, and hold it for the block."""
        with self._threads:
            held = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(held, fcntl.LOCK_EX)
                yield
            finally:
                os.close(held)

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

from statehold_zdb.engine import Disk


class PowerLoss(Disk):
    """Knows what of each file is synced, so that a loss of power can be had at any time."""

    def __init__(self) -> None:
        self.synced: dict[str, int] = {}
        self.lock = threading.Lock()
        self.entered: threading.Event | None = None
        self.go = threading.Event()

    def sync(self, fd: int) -> None:
        path = os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115
        size = os.fstat(fd).st_size
        if self.entered is not None and not self.entered.is_set():
            self.entered.set()
            assert self.go.wait(60)
        with self.lock:
            super().sync(fd)
            self.synced[path] = max(size, self.synced.get(path, 0))

    def write(self, fd: int, parts: Sequence[bytes | memoryview], size: int, at: int) -> None:
        with self.lock:
            super().write(fd, parts, size, at)

    def lose(self, folder: Path, to: Path, *, keep: str = "") -> None:
        """Copy *folder* as it would be after a loss of power; of namespaces called *keep* nothing is lost."""
        with self.lock:
            shutil.copytree(folder, to)
            synced = dict(self.synced)
        for path in (to / "data").glob("*/d*"):
            original = str(folder / path.relative_to(to))
            if not keep or keep not in original:
                size = synced.get(original, 0)
                if size < path.stat().st_size:
                    os.truncate(path, size)


class Refusing(Disk):
    """Refuses writes or syncs when told to; of the namespaces whose folder's name has a text."""

    def __init__(self) -> None:
        self.writes = ""
        self.syncs = ""
        self.code = errno.ENOSPC

    def write(self, fd: int, parts: Sequence[bytes | memoryview], size: int, at: int) -> None:
        if self.writes and self.writes in self.path(fd):
            raise OSError(self.code, os.strerror(self.code))
        super().write(fd, parts, size, at)

    def sync(self, fd: int) -> None:
        if self.syncs and self.syncs in self.path(fd):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync(fd)

    @staticmethod
    def path(fd: int) -> str:
        return os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115

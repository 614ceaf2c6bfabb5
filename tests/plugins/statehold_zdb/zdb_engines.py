from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from statehold_zdb.engine import Disk, Engine, EngineOptions

#: The smallest that a segment can be.
SEGMENT = 512 * 1024
LIMIT = 60


def opened(folder: Path, *plugins: object, **options: object) -> Engine:
    return Engine(folder / "data", folder / "index", options=EngineOptions(**options), plugins=plugins)


def contents(namespace) -> dict[bytes, bytes]:
    return {key: namespace.get(key) for key in namespace.keys()}  # noqa: SIM118


def scanned(namespace, *, backward: bool = False, limit: int = 7) -> list[bytes]:
    found, cursor = [], None
    while (page := namespace.scan(cursor, backward=backward, limit=limit)) is not None:
        found += [each.key for each in page.found]
        cursor = page.cursor
    return found


def data_file(folder: Path, number: int = 0, name: str = "default") -> Path:
    return folder / "data" / name / f"d{number}"


def index_file(folder: Path, number: int = 0, name: str = "default") -> Path:
    return folder / "index" / name / f"i{number}"


class FailingDisk(Disk):
    """Fails when told to; counts its syncs."""

    def __init__(self) -> None:
        self.syncs = 0
        self.write_error: int | None = None
        self.sync_error: int | None = None
        self.partly = 0
        self.slow: threading.Event | None = None
        self.during: Callable[[str], None] = lambda path: None

    def write(self, fd: int, parts: Sequence[bytes | memoryview], size: int, at: int) -> None:
        if self.write_error is not None:
            if self.partly:
                os.pwrite(fd, b"".join(parts)[: self.partly], at)
            raise OSError(self.write_error, os.strerror(self.write_error))
        super().write(fd, parts, size, at)

    def sync(self, fd: int) -> None:
        self.syncs += 1
        self.during(str(Path(f"/proc/self/fd/{fd}").readlink()))
        if self.slow is not None:
            assert self.slow.wait(LIMIT)
        if self.sync_error is not None:
            raise OSError(self.sync_error, os.strerror(self.sync_error))
        super().sync(fd)

from __future__ import annotations

import os
import stat
from pathlib import Path

from statehold_qsfs.files import FileSystem, FileSystemOptions
from statehold_zdb.engine import Disk, Engine, EngineOptions

#: The smallest that a segment can be.
SEGMENT = 512 * 1024


class Store:
    """An engine in a folder, with one filesystem; commits come only when asked for, unless told otherwise."""

    def __init__(self, folder: Path, *, segment: int = 4 * 1024 * 1024, disk: Disk | None = None) -> None:
        self.folder = folder
        self.segment = segment
        self.disk = disk
        self.engine: Engine | None = None
        self.files: FileSystem | None = None

    def open(self, **options: object) -> FileSystem:
        if self.engine is None:
            self.engine = Engine(
                self.folder / "data",
                self.folder / "index",
                options=EngineOptions(segment_size=self.segment, disk=self.disk),
            )
        self.files = FileSystem(self.engine, options=FileSystemOptions(**{"flush_every": 3600, **options}))
        return self.files

    def close(self) -> None:
        if self.files is not None:
            self.files.close()
        if self.engine is not None:
            self.engine.close()
        self.files = self.engine = None

    def reopen(self, **options: object) -> FileSystem:
        self.close()
        return self.open(**options)

    def crash(self, **options: object) -> FileSystem:
        """Forget what is in memory, and open what there is."""
        assert self.files is not None
        parts = self.files._parts
        parts.commits._end.set()
        parts.commits._wake.set()
        if parts.commits._thread is not None:
            parts.commits._thread.join()
        with parts.lock:
            parts.volume.closed = True
            parts.volume.paths.clear()
        parts.volume.let_go()
        return self.open(**options)


def write(files: FileSystem, path: str, data: bytes, offset: int = 0) -> None:
    handle = files.create(path, os.O_RDWR, 0o644)
    files.write(handle, data, offset)
    files.release(handle)


def read(files: FileSystem, path: str) -> bytes:
    handle = files.open(path, os.O_RDONLY)
    try:
        return files.read(handle, files.fgetattr(handle).size, 0)
    finally:
        files.release(handle)


def dump(files: FileSystem, path: str = "/") -> dict[str, object]:
    """Return all that there is."""
    known = files.getattr(path)
    kind = stat.S_IFMT(known.mode)
    xattrs = {name: files.getxattr(path, name) for name in files.listxattr(path)}
    what: object = None
    if kind == stat.S_IFREG:
        what = read(files, path)
    elif kind == stat.S_IFLNK:
        what = files.readlink(path)
    found: dict[str, object] = {path: (known.mode, known.nlink, known.uid, known.gid, xattrs, what)}
    if kind == stat.S_IFDIR:
        for entry in files.list(path):
            below = f"{path.rstrip('/')}/{entry.name}"
            found |= dump(files, below)
            assert files.getattr(below).ino == entry.ino
            assert stat.S_IFMT(files.getattr(below).mode) == entry.mode
    return found

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

#: The most buffers that one call takes.
_MOST: Final = 1024
#: From how many bytes on copying them together costs more than passing them one by one.
_LARGE: Final = 128 * 1024


class Disk:
    """What an engine asks of the operating system when it writes; tests put one in its place that fails."""

    def write(self, fd: int, parts: Sequence[bytes | memoryview], size: int, at: int) -> None:
        """Write *parts*, of *size* bytes together, at *at*; OSError if not all of them could be."""
        if size >= _LARGE and len(parts) <= _MOST:
            done = os.pwritev(fd, parts, at)
        else:
            parts = (b"".join(parts),)
            done = os.pwrite(fd, parts[0], at)
        if done == size:
            return
        rest = memoryview(b"".join(parts))[done:]
        while rest:
            at += done
            done = os.pwrite(fd, rest, at)
            rest = rest[done:]

    def sync(self, fd: int) -> None:
        """Return when what was written is on disk."""
        os.fdatasync(fd)

    def sync_folder(self, folder: str | Path) -> None:
        """Return when the names in *folder* are on disk."""
        sync_folder(folder)


def sync_folder(folder: str | Path) -> None:
    """Return when the names in *folder* are on disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_file(path: Path, data: bytes) -> None:
    """Replace what *path* has, for its owner alone, all at once; on disk when it returns."""
    fd, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
    sync_folder(path.parent)

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from statehold.sdk import sync_folder

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

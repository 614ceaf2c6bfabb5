"""The project that a folder counts for (FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR in linux/fs.h)."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path
from typing import Final

_GET: Final = 0x801C581F
_SET: Final = 0x401C5820
_INHERIT: Final = 0x200
_ATTRIBUTES: Final = struct.Struct("=5I8x")


def project_of(folder: Path) -> int:
    """Return the number of the project, 0 for none."""
    return _read(folder)[3]


def set_project(folder: Path, number: int) -> None:
    """Let a folder, and what is made in it from now on, count for a project."""
    flags, extent, extents, _, copied = _read(folder)
    _call(folder, _SET, _ATTRIBUTES.pack(flags | _INHERIT, extent, extents, number, copied))


def _read(folder: Path) -> tuple[int, int, int, int, int]:
    flags, extent, extents, number, copied = _ATTRIBUTES.unpack(_call(folder, _GET, bytes(_ATTRIBUTES.size)))
    return flags, extent, extents, number, copied


def _call(folder: Path, command: int, argument: bytes) -> bytes:
    answer = bytearray(argument)
    where = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.ioctl(where, command, answer, True)  # noqa: FBT003  a position in the standard library
    finally:
        os.close(where)
    return bytes(answer)

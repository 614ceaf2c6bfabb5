"""The system call `quotactl_fd`, by which limits are set and read back (Linux 5.14 and newer)."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from enum import IntEnum
from pathlib import Path
from typing import Final

import attrs

_SYSCALL: Final = 443
_GET: Final = 0x800007
_SET: Final = 0x800008
_BYTES_VALID: Final = 1
_UNIT: Final = 1024
#: Limits in KiB hard, soft; bytes in use; inodes hard, soft, in use; two times; what is valid.
_RECORD: Final = struct.Struct("=8QI4x")


class Kind(IntEnum):
    """What is counted together: the files of a user, or of a project."""

    USER = 0
    PROJECT = 2


@attrs.frozen
class Record:
    """What the kernel has of one user or project, in bytes; a limit of 0 is none."""

    limit: int
    used: int


def read(folder: Path, kind: Kind, number: int) -> Record:
    """Return the record of a user or project on the file system of *folder*."""
    record = _RECORD.unpack(_call(folder, _GET << 8 | kind, number, bytes(_RECORD.size)))
    return Record(limit=record[0] * _UNIT, used=record[2])


def write(folder: Path, kind: Kind, number: int, limit: int) -> None:
    """Set the hard limit of a user or project; 0 takes it away."""
    record = _RECORD.pack(-(-limit // _UNIT), 0, 0, 0, 0, 0, 0, 0, _BYTES_VALID)
    _call(folder, _SET << 8 | kind, number, record)


def _call(folder: Path, command: int, number: int, record: bytes) -> bytes:
    buffer = ctypes.create_string_buffer(record, len(record))
    where = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        library = ctypes.CDLL(None, use_errno=True)
        words = map(ctypes.c_uint, (where, command, number))
        if library.syscall(ctypes.c_long(_SYSCALL), *words, buffer):
            code = ctypes.get_errno()
            raise OSError(code, _REASONS.get(code) or os.strerror(code), str(folder))
    finally:
        os.close(where)
    return buffer.raw


_REASONS: Final = {
    errno.ENOSYS: "this file system has no quotas in this kernel",
    errno.ESRCH: "quotas of this kind are off, or this kernel was built without them",
}

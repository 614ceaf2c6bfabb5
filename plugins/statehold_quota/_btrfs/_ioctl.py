"""What btrfs is asked by ioctl, all of which raises OSError: subvolumes, quotas, disks (linux/btrfs.h)."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import UUID

_NONE, _WRITE, _READ = 0, 1, 2
FIRST_OBJECT: Final = 256
_MAX_NAME: Final = 255
LIMIT_REFERENCED: Final = 1
#: Reservations, which the kernel keeps and never looks at: no other program asks for them, so they say whose
#: a qgroup is.
MARK: Final = 4 | 8
# The tree that lists all others, and what it has for each.
_ROOTS, _ROOT_ITEM, _ALL = 1, 132, 2**64 - 1


def _number(direction: int, number: int, size: int) -> int:
    return direction << 30 | size << 16 | 0x94 << 8 | number


_SYNC: Final = _number(_NONE, 8, 0)
_FORGET: Final = _number(_WRITE, 5, 4096)
_SUBVOLUME_MAKE: Final = _number(_WRITE, 14, 4096)
_SUBVOLUME_REMOVE: Final = _number(_WRITE, 15, 4096)
_SEARCH: Final = _number(_READ | _WRITE, 17, 4096)
_LOOK_UP: Final = _number(_READ | _WRITE, 18, 4096)
_SPACES: Final = _number(_READ | _WRITE, 20, 16)
_SCRUBBED: Final = _number(_READ | _WRITE, 29, 1024)
_DEVICE: Final = _number(_READ | _WRITE, 30, 4096)
_FILE_SYSTEM: Final = _number(_READ, 31, 1024)
_QUOTA: Final = _number(_READ | _WRITE, 40, 16)
_ASSIGN: Final = _number(_WRITE, 41, 24)
_QGROUP: Final = _number(_WRITE, 42, 16)
_LIMIT: Final = _number(_READ, 43, 48)
_RESCAN: Final = _number(_WRITE, 44, 64)
_RESCAN_WAIT: Final = _number(_NONE, 46, 0)
_ERRORS: Final = _number(_READ | _WRITE, 52, 1032)
_REPLACED: Final = _number(_READ | _WRITE, 53, 2600)

_CONTROL: Final = "/dev/btrfs-control"
_STATUS, _STARTED, _COUNTS, _SLOTS = 1, 1, 5, 64


def uuid_of(folder: Path) -> UUID:
    """Return the id of the file system."""
    return UUID(bytes=bytes(_call(folder, _FILE_SYSTEM, bytes(1024))[16:32]))


def subvolume_of(folder: Path | int) -> int:
    """Return the id of the subvolume that *folder* lies in."""
    answer = _call(folder, _LOOK_UP, struct.pack("<QQ4080x", 0, FIRST_OBJECT))
    found: int = struct.unpack_from("<Q", answer)[0]
    return found


def is_subvolume(folder: Path) -> bool:
    """Whether *folder* is a subvolume itself; on btrfs only."""
    return folder.is_dir() and folder.lstat().st_ino == FIRST_OBJECT


def make_subvolume(above: Path | int, name: str) -> None:
    """Make a subvolume; FileExistsError where the name is taken."""
    _call(above, _SUBVOLUME_MAKE, _named(name))


def remove_subvolume(above: Path | int, name: str) -> None:
    """Remove the subvolume of that name with all in it; what it took comes back some time later."""
    _call(above, _SUBVOLUME_REMOVE, _named(name))


def quota(folder: Path, command: int) -> None:
    """Switch quotas: 1 on, 2 off, 4 on as simple quotas."""
    _call(folder, _QUOTA, struct.pack("<QQ", command, 0))


def make_qgroup(folder: Path | int, qgroup: int) -> None:
    """Make a qgroup; that there is one already is no error."""
    with suppress(FileExistsError):
        _call(folder, _QGROUP, struct.pack("<QQ", 1, qgroup))


def remove_qgroup(folder: Path, qgroup: int) -> None:
    """Remove a qgroup; OSError EBUSY while it has members or something counts for it."""
    _call(folder, _QGROUP, struct.pack("<QQ", 0, qgroup))


def assign(folder: Path | int, member: int, qgroup: int) -> None:
    """Let a qgroup count for another one; that it does already is no error."""
    with suppress(FileExistsError):
        _call(folder, _ASSIGN, struct.pack("<QQQ", 1, member, qgroup))


def set_limit(folder: Path | int, qgroup: int, limit: int) -> None:
    """Limit what a qgroup refers to, and mark it as ours."""
    _call(folder, _LIMIT, struct.pack("<QQQQQQ", qgroup, LIMIT_REFERENCED | MARK, limit, 0, 0, 0))


def mark(folder: Path | int, qgroup: int) -> None:
    """Mark a qgroup as ours, whatever limit it has."""
    _call(folder, _LIMIT, struct.pack("<QQQQQQ", qgroup, MARK, 0, 0, 0, 0))


def subvolume_exists(folder: Path, subvolume: int) -> bool:
    """Whether there is a subvolume of that id, or one that is not yet taken apart."""
    key = struct.pack(
        "<7Q4I4024x", _ROOTS, subvolume, subvolume, 0, _ALL, 0, _ALL, _ROOT_ITEM, _ROOT_ITEM, 1, 0
    )
    found: int = struct.unpack_from("<I", _call(folder, _SEARCH, key), 64)[0]
    return found > 0


def rescan(folder: Path) -> None:
    """Count all anew, and wait until that is done; simple quotas have no such."""
    try:
        _call(folder, _RESCAN, bytes(64))
    except OSError as error:
        if error.errno not in (errno.EINPROGRESS, errno.EINVAL):
            raise
    _call(folder, _RESCAN_WAIT, bytes(8))


def sync(folder: Path) -> None:
    """Commit what the file system has in memory, so that sizes are those of now."""
    _call(folder, _SYNC, bytes(8))


def devices(folder: Path) -> Iterator[tuple[int, str, int, int]]:
    """Yield of each disk its number, where the kernel had it last, its bytes, and those that chunks take."""
    highest, left = struct.unpack_from("<QQ", _call(folder, _FILE_SYSTEM, bytes(1024)))
    for each in range(1, highest + 1):
        if not left:
            return
        with suppress(OSError):  # none has this number any more
            answer = _call(folder, _DEVICE, struct.pack("<Q4088x", each))
            held, size = struct.unpack_from("<QQ", answer, 24)
            left -= 1
            yield each, os.fsdecode(bytes(answer[3072:4096]).split(b"\0")[0]), size, held


def errors(folder: Path, device: int, *, reset: bool = False) -> tuple[int, ...]:
    """Return how often a disk failed to write, read and flush, and gave something wrong or old.

    With *reset*, these counts are 0 from then on.
    """
    answer = _call(folder, _ERRORS, struct.pack("<QQQ1008x", device, _COUNTS, reset))
    return struct.unpack_from("<5Q", answer, 24)


def scrubbed(folder: Path, device: int) -> int:
    """Return how many bytes of a disk a scrub that runs has read."""
    answer = _call(folder, _SCRUBBED, struct.pack("<Q1016x", device))
    return sum(struct.unpack_from("<QQ", answer, 32 + 16))


def replaced(folder: Path) -> float | None:
    """Return which part of a disk has been copied to the one that replaces it; None while none is."""
    _, _, state, thousandths = struct.unpack_from(
        "<QQQQ", _call(folder, _REPLACED, struct.pack("<Q2592x", _STATUS))
    )
    return float(thousandths / 1000) if state == _STARTED else None


def spaces(folder: Path) -> list[tuple[int, int]]:
    """Return the flags of each kind of chunks, and how many bytes these hold."""
    answer = _call(folder, _SPACES, struct.pack(f"<QQ{24 * _SLOTS}x", _SLOTS, 0))
    _, count = struct.unpack_from("<QQ", answer)
    return [struct.unpack_from("<QQ", answer, 16 + 24 * place) for place in range(min(count, _SLOTS))]


def forget(device: str) -> None:
    """Let the kernel forget what was on a device when it was mounted, which it is no more."""
    control = os.open(_CONTROL, os.O_RDWR | os.O_CLOEXEC)
    try:
        _call(control, _FORGET, struct.pack("<q4088s", 0, os.fsencode(device)))
    finally:
        os.close(control)


def _named(name: str) -> bytes:
    encoded = os.fsencode(name)
    if not 0 < len(encoded) <= _MAX_NAME:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), name)
    return struct.pack("<q4088s", 0, encoded)


def _call(folder: Path | int, number: int, argument: bytes) -> bytearray:
    answer = bytearray(argument)
    if isinstance(folder, int):  # open already, by who does not trust the path to it
        fcntl.ioctl(folder, number, answer, True)  # noqa: FBT003  a position in the standard library
        return answer
    try:
        where = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.ioctl(where, number, answer, True)  # noqa: FBT003  a position in the standard library
        finally:
            os.close(where)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from None
    return answer

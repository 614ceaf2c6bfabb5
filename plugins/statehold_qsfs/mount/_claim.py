from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from statehold_qsfs.mount._errors import MountError

_FILE: Final = "mounted"


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """Where a store is mounted, or was last.

    Attributes:
        point: the folder.
        pid: the process that answers for it.
        since: the seconds since 1970 when it was mounted.
        alive: whether that process still has it.

    """

    point: str
    pid: int
    since: float
    alive: bool = True


# Made here: two threads that are the first to decode a type would end the process.
_CLAIMED: Final = msgspec.json.Decoder(Claimed)


@contextmanager
def claimed(store: Path, point: Path) -> Iterator[Claimed | None]:
    """Have the store of a folder alone, while the block runs, and yield where it was mounted before.

    Raises:
        MountError: another process has it, or one of both folders is in the other.

    """
    if store == point or point in store.parents or store in point.parents:
        raise MountError(
            f"{point} and {store}: one is in the other", hint="Mount at a folder outside of the store"
        )
    try:
        store.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(store / _FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise MountError(f"{store}: no store can be there: {error.strerror}") from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = _read(store)
            where = f"at {other.point} by process {other.pid}" if other else "by another process"
            raise MountError(
                f"{store} is mounted already, {where}",
                hint=f"statehold qsfs umount {other.point if other else 'POINT'}",
            ) from None
        before = _read(store)
        _write(fd, msgspec.json.encode(Claimed(point=str(point), pid=os.getpid(), since=time.time())))
        yield before
        _write(fd, b"")
    finally:
        os.close(fd)


def claim_of(store: Path) -> Claimed | None:
    """Return where a store is mounted, or where it was when its process was killed; None if nowhere."""
    try:
        fd = os.open(store / _FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(store)
    else:
        found = _read(store)
        return msgspec.structs.replace(found, alive=False) if found else None
    finally:
        os.close(fd)


def _read(store: Path) -> Claimed | None:
    try:
        return _CLAIMED.decode((store / _FILE).read_bytes())
    except (OSError, msgspec.DecodeError):
        return None


def _write(fd: int, data: bytes) -> None:
    os.ftruncate(fd, 0)
    os.pwrite(fd, data, 0)

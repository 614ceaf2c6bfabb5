from __future__ import annotations

import ctypes
import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs

from statehold.sdk import sync_folder
from statehold_aos._state._facts import Disk

NAME: Final = "state.dat"
#: What is written before it takes the place of the state, and what was in that place until it is looked at.
_NEW: Final = ".state.dat.new"
_LARGE: Final = "state.dat.too-large"
_FOLDER: Final = "state.dat.folder"
_MODE: Final = 0o600
_AT: Final = -100  # AT_FDCWD
_EXCHANGE: Final = 2  # RENAME_EXCHANGE
_ATTEMPTS: Final = 3
_NANO: Final = 1_000_000


@attrs.frozen
class StateFile:
    """The state file in a claim's folder; a service may write and replace it at any moment."""

    folder: Path
    #: Where the file is.
    path: Path = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "path", self.folder / NAME)

    def read(self, limit: int) -> Disk:
        """Return what it has; what is larger than *limit* bytes is not read, what is no file is not there.

        Raises:
            OSError: it cannot be read.

        """
        return _read(self.path, limit)

    def write(self, state: bytes, limit: int) -> bytes | None:
        """Replace the file, and return what it had, if anything: a crash leaves the old state or the new one.

        Owner and modes stay; a new file has the folder's owner, and 0600. What it had is beside it until
        `clear`, so that a crash does not lose it; what is larger than *limit* is put aside for good.

        Raises:
            OSError: it cannot be written; the old state stands.

        """
        new = self.folder / _NEW
        self.clear()
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)
        try:
            try:
                self._give(descriptor)
                left = memoryview(state)
                while left:
                    left = left[os.write(descriptor, left) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            exchanged = _exchange(new, self.path)
        except BaseException:
            with suppress(FileNotFoundError):
                new.unlink()
            raise
        if not exchanged:
            sync_folder(self.folder)
            return None
        before = _read(new, limit)
        if before.state is None and before.size > limit:
            new.replace(self.folder / _LARGE)
        sync_folder(self.folder)
        return before.state

    def recover(self, limit: int) -> bytes | None:
        """Return what a crash has left beside the file, which may be the only copy."""
        new = self.folder / _NEW
        found = _read(new, limit)
        if found.size > limit:
            new.replace(self.folder / _LARGE)
        return found.state

    def clear(self) -> None:
        """Remove what is beside the file; a folder that a service had in its place is left to it."""
        new = self.folder / _NEW
        try:
            new.unlink(missing_ok=True)
        except IsADirectoryError:
            new.rename(self.folder / f"{_FOLDER}-{secrets.token_hex(8)}")

    def remove(self) -> None:
        """Remove the file."""
        for path in (self.path, self.folder / _NEW, self.folder / _LARGE):
            with suppress(FileNotFoundError, IsADirectoryError):
                path.unlink()

    def _give(self, descriptor: int) -> None:
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            found = self.folder.stat()
        if stat.S_ISREG(found.st_mode):
            mode = found.st_mode & 0o777  # never rights that go with a program
        else:
            found, mode = self.folder.stat(), _MODE
        made = os.fstat(descriptor)
        if (made.st_uid, made.st_gid) != (found.st_uid, found.st_gid):
            os.fchown(descriptor, found.st_uid, found.st_gid)
        os.fchmod(descriptor, mode)


def _read(path: Path, limit: int) -> Disk:
    try:
        # Not waiting for whoever made it a pipe, nor following whoever made it a link.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.ENOTDIR):
            return Disk()
        raise
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return Disk()
        changed = found.st_mtime_ns // _NANO
        state = os.read(descriptor, min(found.st_size, limit) + 1)
        if len(state) != found.st_size:  # too large, or it is being written
            while len(state) <= limit and (part := os.read(descriptor, limit + 1 - len(state))):
                state += part
        if len(state) > limit:
            return Disk(None, changed, size=max(len(state), found.st_size), checksum=None)
        return Disk(state, changed)
    finally:
        os.close(descriptor)


def _exchange(new: Path, path: Path) -> bool:
    """Put *new* in the place of *path*, and what was there in its own; False where there was nothing."""
    for _ in range(_ATTEMPTS):
        try:
            if _rename_exchange(new, path):
                return True
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOSYS):
                raise
            # A file system that cannot exchange.
            new.replace(path)
            return False
        if not os.path.lexists(path):
            new.rename(path)
            return False
    raise OSError(errno.EBUSY, "is removed and made all the time", str(path))


def _rename_exchange(new: Path, path: Path) -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    given = (_AT, os.fsencode(new), _AT, os.fsencode(path), _EXCHANGE)
    if libc.renameat2(*given) == 0:
        return True
    number = ctypes.get_errno()
    if number == errno.ENOENT:
        return False
    raise OSError(number, os.strerror(number), str(path))

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit
from zlib import crc32

from statehold.sdk import sync_folder
from statehold_zstor.backends._backend import MAX_VALUE, Buffer, Health
from statehold_zstor.backends._errors import (
    BackendDamagedError,
    BackendError,
    BackendFullError,
    BackendRefusedError,
    BackendUnreachableError,
    ValueChangedError,
    ValueMissingError,
)
from statehold_zstor.backends._keys import check_value, checked, too_large
from statehold_zstor.backends._usage import Usage
from statehold_zstor.config import BackendConfig

#: No key has this character, so that no file of a value is in the way of a folder.
_END: Final = "="
_NEW: Final = ".new"
_LOCKS: Final = ".locks"
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED: Final = (errno.EACCES, errno.EPERM, errno.EROFS)
_POLL: Final = 0.01
#: A file that nobody has written to for so many seconds never becomes a value.
_STALE: Final = 86_400.0


class FolderBackend:
    """Files in a folder, which must be there: where a disk is not mounted nothing is written beside it."""

    def __init__(self, config: BackendConfig) -> None:
        self.name = config.url
        self._root = unquote(urlsplit(config.url).path)
        self._timeout = config.timeout
        self._usage = Usage(self.name, self._sizes, config.limit)

    def put(self, key: str, value: Buffer) -> None:
        check_value(self.name, value)
        path = self._path(key)
        with self._errors(writing=True):
            self._usage.check_room(len(value))
            self._put(path, value)

    def get(self, key: str) -> bytes:
        path = self._path(key)
        with self._errors(writing=False):
            found = self._get(path)
            if found is None:
                self._check_root()
                raise ValueMissingError(f"{self.name} has nothing under {key}", backend=self.name)
            if len(found) > MAX_VALUE:
                raise too_large(self.name, key)
            return found

    def swap(self, key: str, before: bytes | None, after: bytes | None) -> None:
        if after is not None:
            check_value(self.name, after)
        path = self._path(key)
        with self._errors(writing=True), self._locked(key):
            found = self._get(path)
            if found == after:
                return
            if found != before:
                raise ValueChangedError(f"{self.name}: something else stands under {key}", backend=self.name)
            if after is None:
                self._delete(path)
            else:
                self._usage.check_room(len(after))
                self._put(path, after)

    def delete(self, key: str) -> None:
        path = self._path(key)
        with self._errors(writing=True):
            self._check_root()
            self._delete(path)

    def keys(self, prefix: str = "") -> Iterator[str]:
        with self._errors(writing=False):
            self._check_root()
            folder = prefix.rpartition("/")[0]
            for path in self._files(f"{self._root}/{folder}" if folder else self._root):
                key = path[len(self._root) + 1 : -len(_END)]
                if key.startswith(prefix):
                    yield key

    def health(self) -> Health:
        try:
            with self._errors(writing=False):
                self._check_root()
                disk = os.statvfs(self._root)
                free = disk.f_bavail * disk.f_frsize
                objects, used = self._usage.get() or (None, None)
                left = self._usage.left(used)
                writable = os.access(self._root, os.W_OK)
        except BackendError as error:
            return Health(reachable=False, problem=error.message)
        return Health(
            reachable=True,
            objects=objects,
            used=used,
            limit=self._usage.limit,
            free=free if left is None else min(left, free),
            problem="" if writable else "it cannot be written",
        )

    def close(self) -> None:
        """Nothing is open between two calls."""

    def _path(self, key: str) -> str:
        return f"{self._root}/{checked(self.name, key)}{_END}"

    def _get(self, path: str) -> bytes | None:
        try:
            return _read(path)
        except FileNotFoundError:
            return None

    def _put(self, path: str, value: Buffer) -> None:
        self._check_root()
        new = f"{self._root}/{_NEW}/{secrets.token_hex(16)}"
        Path(f"{self._root}/{_NEW}").mkdir(exist_ok=True)
        try:
            with Path(new).open("xb", buffering=0) as file:
                rest = memoryview(value)
                while rest:
                    rest = rest[file.write(rest) :]
                _sync(file.fileno())
            before = _size(path)
            self._rename(new, path)
        except BaseException:
            Path(new).unlink(missing_ok=True)
            raise
        self._usage.add(int(before is None), len(value) - (before or 0))

    def _rename(self, new: str, path: str) -> None:
        folder = path.rpartition("/")[0]
        while True:
            self._make(folder)
            try:
                Path(new).replace(path)
                break
            except FileNotFoundError:
                # Who deleted the last value in the folder has removed it meanwhile.
                self._check_root()
                if not Path(new).exists():
                    raise
        sync_folder(folder)

    def _make(self, folder: str) -> None:
        if folder == self._root or Path(folder).is_dir():
            return
        parent = folder.rpartition("/")[0]
        self._make(parent)
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            Path(folder).mkdir()
            sync_folder(parent)

    def _delete(self, path: str) -> None:
        size = _size(path)
        try:
            Path(path).unlink()
        except FileNotFoundError:
            return
        self._usage.add(-1, -(size or 0))
        folder = path.rpartition("/")[0]
        with contextlib.suppress(FileNotFoundError):
            sync_folder(folder)
        while folder != self._root:
            try:
                Path(folder).rmdir()
            except OSError:
                return
            folder = folder.rpartition("/")[0]

    def _files(self, folder: str) -> Iterator[str]:
        try:
            with os.scandir(folder) as found:
                for each in found:
                    if each.name.startswith("."):
                        continue
                    if each.name.endswith(_END):
                        yield each.path
                    elif each.is_dir(follow_symlinks=False):
                        yield from self._files(each.path)
        except FileNotFoundError:
            return

    def _sizes(self) -> Iterator[int]:
        self._tidy()
        for path in self._files(self._root):
            size = _size(path)
            if size is not None:
                yield size

    def _tidy(self) -> None:
        """Delete what writers have left that died."""
        with contextlib.suppress(OSError), os.scandir(f"{self._root}/{_NEW}") as found:
            for each in found:
                with contextlib.suppress(OSError):
                    if time.time() - each.stat(follow_symlinks=False).st_mtime > _STALE:
                        Path(each.path).unlink()

    def _check_root(self) -> None:
        if not Path(self._root).is_dir():
            raise BackendUnreachableError(
                f"{self.name}: the folder is not there", backend=self.name, hint="Make it, or mount its disk"
            )

    @contextlib.contextmanager
    def _locked(self, key: str) -> Generator[None]:
        """Have other processes that swap the same key wait; the lock ends with a process that dies."""
        self._check_root()
        Path(f"{self._root}/{_LOCKS}").mkdir(exist_ok=True)
        path = f"{self._root}/{_LOCKS}/{crc32(key.encode()) % 64}"
        end = time.monotonic() + self._timeout
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while True:
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > end:
                        raise BackendUnreachableError(
                            f"{self.name}: somebody holds {path} for {self._timeout:g} seconds",
                            backend=self.name,
                        ) from None
                    time.sleep(_POLL)
            yield
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def _errors(self, *, writing: bool) -> Generator[None]:
        try:
            yield
        except OSError as error:
            message = f"{self.name}: {error.strerror or error}"
            if error.errno in _FULL:
                raise BackendFullError(message, backend=self.name) from error
            if error.errno in _REFUSED:
                raise BackendRefusedError(message, backend=self.name) from error
            if error.errno == errno.EIO and not writing:
                raise BackendDamagedError(message, backend=self.name) from error
            raise BackendUnreachableError(message, backend=self.name) from error


def _read(path: str) -> bytes:
    """Return what a file has, or as much of it as shows that it is too large for a value."""
    with Path(path).open("rb", buffering=0) as file:
        return file.read(min(os.fstat(file.fileno()).st_size, MAX_VALUE) + 1) or b""


def _size(path: str) -> int | None:
    try:
        return Path(path).stat().st_size
    except FileNotFoundError:
        return None


def _sync(fd: int) -> None:
    os.fdatasync(fd)

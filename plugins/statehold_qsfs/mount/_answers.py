from __future__ import annotations

import errno
import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from ctypes import addressof, create_string_buffer, string_at
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec

from statehold_qsfs.files import Attributes, Entry
from statehold_qsfs.mount import _lowlevel as fuse
from statehold_qsfs.mount._inodes import Inodes
from statehold_qsfs.mount._known import Known
from statehold_qsfs.mount._packing import Scratch

_P = ParamSpec("_P")
_ENTRIES: Final = "utf-8", "surrogateescape"
_NS: Final = 1_000_000_000
_UNKNOWN: Final = 0xFFFF_FFFF
#: The bytes of a write that is worth another thread, and how many of these go on at the same time.
_LARGE: Final = 256 * 1024
_LARGE_AT_ONCE: Final = 2
_LET_GO_TRIES: Final = 20
_LET_GO_PAUSE: Final = 0.01
#: Names are never changed behind the kernel's back, nor are files: what it knows stays true.
_TIMEOUT: Final = 86_400.0
#: The attribute of the root that says how it is; it is in no list.
STATUS: Final = "user.qsfs.status"


def _refusing(
    method: Callable[Concatenate[Answers, int, _P], None],
) -> Callable[Concatenate[Answers, int, _P], None]:
    """Return *method* such that what it raises is answered: it answers last, so never twice."""

    @wraps(method)
    def refusing(self: Answers, request: int, /, *args: _P.args, **_: _P.kwargs) -> None:
        try:
            try:
                method(self, request, *args)  # type: ignore[call-arg]  # all are by position
            except OSError as error:
                if error.errno != errno.ENOSPC or not self.let_go():
                    raise
                method(self, request, *args)  # type: ignore[call-arg]
        except OSError as error:
            fuse.reply_error(request, error.errno or errno.EIO)
        except Exception:
            self.logger.exception("%s failed", method.__name__)
            fuse.reply_error(request, errno.EIO)

    return refusing


class Answers:
    """What answers the kernel, from *files*; its methods are named as libfuse names what it asks.

    Args:
        files: what is mounted.
        step_aside: called before an answer that may take long, so that others are answered meanwhile.
        status: returns what the root's attribute `user.qsfs.status` says.
        orders: what is done when one of these attributes of the root is set, by root or by who has mounted
            it: called with the value.
        logger: takes what is no answer of a filesystem.

    Attributes:
        writers: how many open files may be written to.

    """

    def __init__(
        self,
        files: Inodes,
        *,
        step_aside: Callable[[], None],
        status: Callable[[], bytes],
        orders: Mapping[str, Callable[[str], object]],
        logger: logging.Logger,
    ) -> None:
        self.logger = logger
        self.writers = 0
        self.known = Known(files)
        self._files = files
        self._step_aside = step_aside
        self._status = status
        self._orders = orders
        self._scratch = Scratch(_TIMEOUT)
        self._listed: dict[int, Sequence[Entry]] = {}
        self._next = 1
        self._large = 0
        self._lock = threading.Lock()

    def let_go(self) -> bool:
        """Wait until the kernel has let go of files that were deleted; return whether that gave room.

        It does so a moment after who has deleted them goes on, and writes again.
        """
        before = self._files.statistics().unlinked
        if not before:
            return False
        self._step_aside()
        for _ in range(_LET_GO_TRIES):
            time.sleep(_LET_GO_PAUSE)
            if self._files.statistics().unlinked < before:
                return True
        return False

    # Names

    @_refusing
    def lookup(self, request: int, parent: int, name: bytes) -> None:
        try:
            found = self._files.lookup(parent, name.decode(*_ENTRIES))
        except FileNotFoundError:
            self._scratch.put_no_entry()  # the kernel remembers that, too
            fuse.reply_entry(request, self._scratch.entry)
            return
        self._entry(request, found)

    def forget(self, request: int, ino: int, lookups: int) -> None:
        self._forget(ino, lookups)
        fuse.reply_none(request)

    def forget_multi(self, request: int, count: int, forgotten: Any) -> None:
        for i in range(count):
            self._forget(forgotten[i].ino, forgotten[i].lookups)
        fuse.reply_none(request)

    @_refusing
    def readlink(self, request: int, ino: int) -> None:
        fuse.reply_target(request, self._files.target(ino).encode(*_ENTRIES))

    @_refusing
    def mknod(self, request: int, parent: int, name: bytes, mode: int, rdev: int) -> None:
        self._entry(request, self._make(request, parent, name, mode, rdev=rdev))

    @_refusing
    def mkdir(self, request: int, parent: int, name: bytes, mode: int) -> None:
        self._entry(request, self._make(request, parent, name, stat.S_IFDIR | mode & 0o7777))

    @_refusing
    def symlink(self, request: int, target: bytes, parent: int, name: bytes) -> None:
        target_text = target.decode(*_ENTRIES)
        self._entry(request, self._make(request, parent, name, stat.S_IFLNK | 0o777, target=target_text))

    @_refusing
    def link(self, request: int, ino: int, parent: int, name: bytes) -> None:
        self._entry(request, self._files.link(ino, parent, name.decode(*_ENTRIES)))

    @_refusing
    def unlink(self, request: int, parent: int, name: bytes) -> None:
        self._files.unlink(parent, name.decode(*_ENTRIES))
        fuse.reply_error(request, 0)

    @_refusing
    def rmdir(self, request: int, parent: int, name: bytes) -> None:
        self._files.rmdir(parent, name.decode(*_ENTRIES))
        fuse.reply_error(request, 0)

    @_refusing
    def rename(  # noqa: PLR0917  as libfuse calls it
        self, request: int, parent: int, name: bytes, new_parent: int, new_name: bytes, flags: int
    ) -> None:
        old, new = name.decode(*_ENTRIES), new_name.decode(*_ENTRIES)
        self._files.rename(parent, old, new_parent, new, flags)
        fuse.reply_error(request, 0)

    # Attributes

    @_refusing
    def getattr(self, request: int, ino: int, _: object) -> None:
        self._attributes(request, self._files.attributes(ino))

    @_refusing
    def setattr(self, request: int, ino: int, given: Any, what: int, _: object) -> None:
        wanted = given.contents
        changes: dict[str, int] = {}
        if what & fuse.SET_MODE:
            changes["mode"] = wanted.st_mode & 0o7777
        if what & fuse.SET_UID:
            changes["uid"] = wanted.st_uid
        if what & fuse.SET_GID:
            changes["gid"] = wanted.st_gid
        if what & fuse.SET_SIZE:
            changes["size"] = wanted.st_size
        for name, flag, at, now in (
            ("atime", fuse.SET_ATIME, wanted.st_atimespec, what & fuse.SET_ATIME_NOW),
            ("mtime", fuse.SET_MTIME, wanted.st_mtimespec, what & fuse.SET_MTIME_NOW),
            ("ctime", fuse.SET_CTIME, wanted.st_ctimespec, 0),
        ):
            if now:
                changes[name] = time.time_ns()
            elif what & flag:
                changes[name] = at.tv_sec * _NS + at.tv_nsec
        if what & (fuse.SET_SIZE | fuse.SET_UID | fuse.SET_GID) and "mode" not in changes:
            self._without_privileges(request, ino, changes, always=not what & fuse.SET_SIZE)
        self._attributes(request, self._files.change(ino, **changes))

    @_refusing
    def setxattr(  # noqa: PLR0917  as libfuse calls it
        self, request: int, ino: int, name: bytes, value: int, size: int, flags: int
    ) -> None:
        text, data = name.decode(*_ENTRIES), string_at(value, size)
        order = self._orders.get(text) if ino == 1 else None
        if order is None:
            self._files.setxattr(ino, text, data, flags)
        elif fuse.request_context(request).contents.uid not in {0, os.geteuid()}:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        else:
            self._step_aside()
            order(data.decode(*_ENTRIES))
        fuse.reply_error(request, 0)

    @_refusing
    def getxattr(self, request: int, ino: int, name: bytes, size: int) -> None:
        text = name.decode(*_ENTRIES)
        if ino == 1 and text == STATUS:
            self._data(request, self._status(), size)
        else:
            self._data(request, self._files.getxattr(ino, text), size)

    @_refusing
    def listxattr(self, request: int, ino: int, size: int) -> None:
        names = self._files.listxattr(ino)
        self._data(request, b"".join(name.encode(*_ENTRIES) + b"\0" for name in names), size)

    @_refusing
    def removexattr(self, request: int, ino: int, name: bytes) -> None:
        self._files.removexattr(ino, name.decode(*_ENTRIES))
        fuse.reply_error(request, 0)

    # Contents

    @_refusing
    def create(self, request: int, parent: int, name: bytes, mode: int, opened: Any) -> None:
        made = self._make(request, parent, name, stat.S_IFREG | mode & 0o7777)
        self._scratch.put_entry(made)
        self.known.add(made.ino)
        self._opened(opened.contents)
        if fuse.reply_create(request, self._scratch.entry, opened):
            self._forget(made.ino, 1)
            self._closed(opened.contents)

    @_refusing
    def open(self, request: int, ino: int, opened: Any) -> None:
        file = opened.contents
        if file.flags & os.O_TRUNC:
            changes = {"size": 0}
            self._without_privileges(request, ino, changes, always=False)
            with suppress(OSError):  # what a program may do goes with what it was
                self._files.removexattr(ino, "security.capability")
            self._files.change(ino, **changes)
        self._opened(file)
        if fuse.reply_open(request, opened):
            self._closed(file)

    @_refusing
    def read(self, request: int, ino: int, size: int, offset: int, _: object) -> None:
        data = self._files.read(ino, size, offset)
        fuse.reply_bytes(request, data, len(data))

    @_refusing
    def write(  # noqa: PLR0917  as libfuse calls it
        self, request: int, ino: int, data: int, size: int, offset: int, opened: Any
    ) -> None:
        if not opened.contents.writepage:  # the kernel lets through what may have to lose its privileges
            changes: dict[str, int] = {}
            self._without_privileges(request, ino, changes, always=False)
            if changes:
                self._files.change(ino, **changes)
        with self._side_by_side(size):
            written = self._files.write(ino, string_at(data, size), offset)
        fuse.reply_written(request, written)

    @_refusing
    def release(self, request: int, _: int, opened: Any) -> None:
        self._closed(opened.contents)
        fuse.reply_error(request, 0)

    @_refusing
    def fsync(self, request: int, ino: int, _: int, __: object) -> None:
        self._step_aside()
        self._files.fsync(ino)
        fuse.reply_error(request, 0)

    fsyncdir = fsync

    @_refusing
    def fallocate(self, request: int, ino: int, mode: int, offset: int, size: int, _: object) -> None:
        self._files.allocate(ino, mode, offset, size)
        fuse.reply_error(request, 0)

    # Directories

    @_refusing
    def opendir(self, request: int, _: int, opened: Any) -> None:
        with self._lock:
            opened.contents.fh = self._next
            self._next += 1
        opened.contents.keep_cache = opened.contents.cache_readdir = 1
        fuse.reply_open(request, opened)

    @_refusing
    def readdir(self, request: int, ino: int, size: int, offset: int, opened: Any) -> None:
        self._list(request, ino, size, offset, opened, plus=False)

    @_refusing
    def readdirplus(self, request: int, ino: int, size: int, offset: int, opened: Any) -> None:
        self._list(request, ino, size, offset, opened, plus=True)

    @_refusing
    def releasedir(self, request: int, _: int, opened: Any) -> None:
        self._listed.pop(opened.contents.fh, None)
        fuse.reply_error(request, 0)

    @_refusing
    def statfs(self, request: int, _: int) -> None:
        known = self._files.statistics()
        told = fuse.StatVfs()
        told.f_bsize, told.f_frsize, told.f_namemax = known.block, 4096, known.name_max
        told.f_blocks = known.total // 4096
        told.f_bfree = told.f_bavail = known.free // 4096
        told.f_files = known.files + known.free_files
        told.f_ffree = told.f_favail = known.free_files
        fuse.reply_statfs(request, addressof(told))

    # Parts

    def _entry(self, request: int, found: Attributes) -> None:
        scratch = self._scratch
        scratch.put_entry(found)
        self.known.add(found.ino)
        if fuse.reply_entry(request, scratch.entry):
            self._forget(found.ino, 1)

    def _attributes(self, request: int, found: Attributes) -> None:
        scratch = self._scratch
        scratch.put_stat(found)
        fuse.reply_attributes(request, scratch.stat, _TIMEOUT)

    def _data(self, request: int, data: bytes, size: int) -> None:
        if not size:
            fuse.reply_size(request, len(data))
        elif len(data) > size:
            fuse.reply_error(request, errno.ERANGE)
        else:
            fuse.reply_bytes(request, data, len(data))

    def _forget(self, ino: int, lookups: int) -> None:
        try:
            self.known.forget(ino, lookups)
        except Exception:
            self.logger.exception("a file that nobody needs any more could not be let go")

    def _make(
        self, request: int, parent: int, name: bytes, mode: int, *, rdev: int = 0, target: str = ""
    ) -> Attributes:
        who = fuse.request_context(request).contents
        text = name.decode(*_ENTRIES)
        return self._files.make(parent, text, mode, uid=who.uid, gid=who.gid, rdev=rdev, target=target)

    def _without_privileges(self, request: int, ino: int, changes: dict[str, int], *, always: bool) -> None:
        """Add to *changes* that a file is no longer run as its owner: it has got another one, or contents."""
        mode = self._files.attributes(ino).mode
        if not mode & (stat.S_ISUID | stat.S_ISGID) or not stat.S_ISREG(mode):
            return
        if not always and fuse.request_context(request).contents.uid == 0:
            return
        kept = mode & 0o7777 & ~stat.S_ISUID
        changes["mode"] = kept & ~stat.S_ISGID if mode & stat.S_IXGRP else kept

    @contextmanager
    def _side_by_side(self, size: int) -> Iterator[None]:
        """Have the next request fetched while a large write goes on, unless some do already."""
        if size < _LARGE or self._large >= _LARGE_AT_ONCE:
            yield
            return
        with self._lock:
            self._large += 1
        try:
            self._step_aside()
            yield
        finally:
            with self._lock:
                self._large -= 1

    def _opened(self, file: Any) -> None:
        file.keep_cache = 1
        file.fh = int(file.flags & os.O_ACCMODE != os.O_RDONLY)
        with self._lock:
            self.writers += file.fh

    def _closed(self, file: Any) -> None:
        with self._lock:
            self.writers -= file.fh

    def _list(self, request: int, ino: int, size: int, offset: int, opened: Any, *, plus: bool) -> None:
        handle = opened.contents.fh
        if not offset or handle not in self._listed:
            mode = stat.S_IFDIR
            itself = (Entry(".", ino, mode), Entry("..", _UNKNOWN, mode))
            self._listed[handle] = (*itself, *self._files.entries(ino))
        entries, scratch = self._listed[handle], self._scratch
        answer = create_string_buffer(size)
        address, end, used = addressof(answer), size, 0
        add = fuse.add_entry_plus if plus else fuse.add_entry
        for i in range(offset, len(entries)):
            entry = entries[i]
            found = self._found(entry.ino) if plus and i > 1 else None
            if found is None:
                scratch.put_name(entry.ino, entry.mode)
            else:
                scratch.put_entry(found)
            name = entry.name.encode(*_ENTRIES)
            record = scratch.entry if plus else scratch.stat
            needed = add(request, address + used, end - used, name, record, i + 1)
            if needed > end - used:
                break
            used += needed
            if found is not None:
                self.known.add(found.ino)
        fuse.reply_bytes(request, answer.raw[:used], used)

    def _found(self, ino: int) -> Attributes | None:
        try:
            return self._files.attributes(ino)
        except FileNotFoundError:
            return None

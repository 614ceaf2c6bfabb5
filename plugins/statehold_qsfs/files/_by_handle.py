from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence

from statehold_qsfs.files._nodes import Node
from statehold_qsfs.files._parts import Parts
from statehold_qsfs.files._records import refuse
from statehold_qsfs.files._values import Attributes, Entry


class ByHandle:
    """What is asked by handle."""

    _parts: Parts

    def open(self, path: str, flags: int) -> int:
        """Return a handle of a file; of *flags* count the access mode and O_TRUNC."""
        parts = self._parts
        with parts.lock:
            return self._open(parts.paths.find(path), flags, path)

    def create(self, path: str, flags: int, mode: int, *, uid: int = 0, gid: int = 0) -> int:
        """Return a handle of a new file; of one that is there, unless *flags* have O_EXCL."""
        parts = self._parts
        parts.commits.relieve()
        with parts.lock:
            try:
                parent, name = parts.paths.split(path, errno.EEXIST)
                node = parts.names.make(parent, name, stat.S_IFREG | mode & 0o7777, uid=uid, gid=gid)
            except FileExistsError:
                if flags & os.O_EXCL:
                    raise
                return self._open(parts.paths.find(path), flags, path)
            parts.volume.paths[path] = node
            return parts.hold(node, writes=flags & os.O_ACCMODE != os.O_RDONLY)

    def opendir(self, path: str) -> int:
        """Return a handle of a directory, for `readdir`, `fsync` and `release`."""
        parts = self._parts
        with parts.lock:
            node = parts.paths.find(path)
            if not node.is_directory:
                raise refuse(errno.ENOTDIR, path)
            return parts.hold(node)

    def readdir(self, handle: int) -> Sequence[Entry]:
        """Return what was in the directory at the first call for this handle, in an order that stays."""
        parts = self._parts
        with parts.lock:
            opened = parts.handle(handle)
            if opened.entries is None:
                opened.entries = parts.names.list(opened.node)
            return opened.entries

    def fgetattr(self, handle: int) -> Attributes:
        """Return what is known of an open file, which need not have a name any more."""
        parts = self._parts
        with parts.lock:
            return parts.handle(handle).node.stat()

    def read(self, handle: int, size: int, offset: int) -> bytes:
        """Return up to *size* bytes; fewer only at the end of the file."""
        parts = self._parts
        return parts.reading.read_bytes(parts.handle(handle).node, size, offset)

    def read_into(self, handle: int, target: memoryview, offset: int) -> int:
        """Do what `read` does, into *target*, and return how many bytes that were: one copy fewer."""
        parts = self._parts
        at = 0
        for data in parts.reading.read(parts.handle(handle).node, len(target), offset):
            target[at : at + len(data)] = data
            at += len(data)
        return at

    def write(self, handle: int, data: bytes, offset: int) -> int:
        """Write all of *data*, and return how much that is.

        *data* is kept, not copied: it must not change afterwards.
        """
        parts = self._parts
        parts.commits.relieve()
        with parts.lock:
            parts.content.write(parts.handle(handle, writes=True).node, data, offset)
        return len(data)

    def ftruncate(self, handle: int, size: int) -> None:
        """Do what `truncate` does, to an open file."""
        parts = self._parts
        parts.commits.relieve()
        with parts.lock:
            parts.content.truncate(parts.handle(handle, writes=True).node, size)

    def fchmod(self, handle: int, mode: int) -> None:
        """Do what `chmod` does, to an open file."""
        parts = self._parts
        with parts.lock:
            parts.owners.change(parts.handle(handle).node, mode=mode)

    def fchown(self, handle: int, uid: int, gid: int) -> None:
        """Do what `chown` does, to an open file."""
        parts = self._parts
        with parts.lock:
            parts.owners.change(parts.handle(handle).node, uid=uid, gid=gid)

    def futimens(self, handle: int, atime: int | None, mtime: int | None) -> None:
        """Do what `utimens` does, to an open file."""
        parts = self._parts
        with parts.lock:
            parts.owners.change(parts.handle(handle).node, atime=atime, mtime=mtime)

    def allocate(self, handle: int, mode: int, offset: int, size: int) -> None:
        """Do what fallocate does: *mode* 0 and FALLOC_FL_KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE."""
        parts = self._parts
        parts.commits.relieve()
        with parts.lock:
            parts.content.allocate(parts.handle(handle, writes=True).node, mode, offset, size)

    def seek(self, handle: int, offset: int, whence: int) -> int:
        """Return where the next data (SEEK_DATA) or the next hole (SEEK_HOLE) is from *offset* on."""
        parts = self._parts
        with parts.lock:
            return parts.content.seek(parts.handle(handle).node, offset, whence)

    def fsync(self, handle: int) -> None:
        """Return when all that was done to the file survives a loss of power: what it has, and its name."""
        parts = self._parts
        node = parts.handle(handle).node
        parts.volume.check_open()
        parts.commits.sync(node)

    def release(self, handle: int) -> None:
        """Let go of a handle."""
        parts = self._parts
        with parts.lock:
            parts.release(handle)

    def _open(self, node: Node, flags: int, path: str) -> int:
        parts = self._parts
        writes = flags & os.O_ACCMODE != os.O_RDONLY
        if writes:
            parts.volume.check_writable()
        if not stat.S_ISREG(node.mode):
            raise refuse(errno.EISDIR if node.is_directory else errno.ENXIO, path)
        if flags & os.O_TRUNC and node.size:
            parts.content.truncate(node, 0)
        return parts.hold(node, writes=writes)

from __future__ import annotations

import builtins
import errno
import stat
from collections.abc import Iterable

from statehold_qsfs.files._nodes import Node
from statehold_qsfs.files._parts import Parts
from statehold_qsfs.files._records import refuse
from statehold_qsfs.files._values import Attributes, Entry


class ByPath:
    """What is asked by path."""

    _parts: Parts

    def getattr(self, path: str) -> Attributes:
        """Return what is known of a file. The same object as before, as long as nothing of it changes."""
        parts = self._parts
        found = parts.volume.paths.get(path)
        known = found.attributes if found is not None and found.cached else None
        if known is not None:
            return known
        with parts.lock:
            return parts.paths.find(path).stat()

    def list(self, path: str) -> builtins.list[Entry]:
        """Return what is in a directory, without "." and "..", in no order."""
        parts = self._parts
        with parts.lock:
            return parts.names.list(parts.paths.find(path))

    def readlink(self, path: str) -> str:
        """Return the target of a symbolic link."""
        parts = self._parts
        with parts.lock:
            return parts.paths.find(path).target()

    def mknod(self, path: str, mode: int, *, rdev: int = 0, uid: int = 0, gid: int = 0) -> Attributes:
        """Make a file, a fifo, a socket or a device: the type is of *mode*."""
        if stat.S_ISDIR(mode):
            raise refuse(errno.EINVAL, path)
        return self._make(path, mode, rdev=rdev, uid=uid, gid=gid).stat()

    def mkdir(self, path: str, mode: int, *, uid: int = 0, gid: int = 0) -> Attributes:
        """Make a directory."""
        return self._make(path, stat.S_IFDIR | mode & 0o7777, uid=uid, gid=gid).stat()

    def symlink(self, path: str, target: str, *, uid: int = 0, gid: int = 0) -> Attributes:
        """Make a symbolic link at *path*."""
        return self._make(path, stat.S_IFLNK | 0o777, uid=uid, gid=gid, target=target).stat()

    def link(self, existing: str, path: str) -> Attributes:
        """Give a file a further name, *path*; no directory can have one."""
        parts = self._parts
        parts.commits.relieve()
        with parts.lock:
            node = parts.paths.find(existing)
            parts.names.link(node, *parts.paths.split(path, errno.EEXIST))
            return node.stat()

    def unlink(self, path: str) -> None:
        """Take a name away; the file goes with its last name, or later with its last handle."""
        parts = self._parts
        parts.commits.relieve()
        with parts.lock:
            parts.names.unlink(*parts.paths.split(path, errno.EISDIR))
            parts.paths.forget(path)

    def rmdir(self, path: str) -> None:
        """Remove a directory, which must be empty."""
        parts = self._parts
        parts.commits.relieve()
        with parts.lock:
            parts.names.rmdir(*parts.paths.split(path, errno.EBUSY))
            parts.paths.forget(path)

    def rename(self, old: str, new: str, *, flags: int = 0) -> None:
        """Give a file another name; what had that name is replaced in one step.

        *flags* are those of renameat2: 1 refuses to replace, 2 exchanges both.
        """
        self._parts.commits.relieve()
        with self._parts.lock:
            self._rename(old, new, flags)

    def rename_all(self, moves: Iterable[tuple[str, str, int]]) -> None:
        """Do what `rename` does for each old name, new name and flags; a crash leaves all of it or nothing.

        One that is refused ends it, and those before it are taken back; what was replaced, and not
        exchanged, is gone.
        """
        done: list[tuple[str, str, int]] = []
        with self._parts.lock:
            try:
                for move in moves:
                    self._rename(*move)
                    done.append(move)
            except BaseException:
                for old, new, flags in reversed(done):
                    self._rename(new, old, flags)
                raise

    def _rename(self, old: str, new: str, flags: int) -> None:
        parts = self._parts
        parent, name = parts.paths.split(old, errno.EBUSY)
        target, new_name = parts.paths.split(new, errno.EBUSY)
        parts.names.rename(parent, name, target, new_name, flags)
        moved = parts.names.find(target, new_name)
        parts.paths.forget(old, moved)
        parts.paths.forget(new, moved)

    def chmod(self, path: str, mode: int) -> None:
        """Set the permissions."""
        parts = self._parts
        with parts.lock:
            parts.owners.change(parts.paths.find(path), mode=mode)

    def chown(self, path: str, uid: int, gid: int) -> None:
        """Set the owners, of 32 bits; -1 leaves one as it is."""
        parts = self._parts
        with parts.lock:
            parts.owners.change(parts.paths.find(path), uid=uid, gid=gid)

    def utimens(self, path: str, atime: int | None, mtime: int | None) -> None:
        """Set times, in nanoseconds since 1970; None leaves one as it is."""
        parts = self._parts
        with parts.lock:
            parts.owners.change(parts.paths.find(path), atime=atime, mtime=mtime)

    def truncate(self, path: str, size: int) -> None:
        """Cut a file off, or let it have zeros up to *size*."""
        parts = self._parts
        parts.commits.relieve()
        with parts.lock:
            parts.content.truncate(parts.paths.find(path), size)

    def getxattr(self, path: str, name: str) -> bytes:
        """Return an extended attribute; ENODATA if there is none."""
        parts = self._parts
        with parts.lock:
            return parts.xattrs.get(parts.paths.find(path), name)

    def setxattr(self, path: str, name: str, value: bytes, *, flags: int = 0) -> None:
        """Set an extended attribute; *flags* 1 is for one that is not there (EEXIST), 2 for one that is."""
        parts = self._parts
        parts.commits.relieve()
        with parts.lock:
            parts.xattrs.set(parts.paths.find(path), name, value, flags)

    def listxattr(self, path: str) -> builtins.list[str]:
        """Return the names of the extended attributes."""
        parts = self._parts
        with parts.lock:
            return parts.xattrs.list(parts.paths.find(path))

    def removexattr(self, path: str, name: str) -> None:
        """Remove an extended attribute; ENODATA if there is none."""
        parts = self._parts
        with parts.lock:
            parts.xattrs.remove(parts.paths.find(path), name)

    def _make(
        self, path: str, mode: int, *, uid: int, gid: int, rdev: int = 0, target: str | None = None
    ) -> Node:
        parts = self._parts
        parts.commits.relieve()
        with parts.lock:
            parent, name = parts.paths.split(path, errno.EEXIST)
            node = parts.names.make(parent, name, mode, uid=uid, gid=gid, rdev=rdev, target=target)
            parts.volume.paths[path] = node
            return node

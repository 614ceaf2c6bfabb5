from __future__ import annotations

import errno
import stat
from collections.abc import Callable, Sequence

import attrs

from statehold_qsfs.files._names import Names
from statehold_qsfs.files._nodes import Node
from statehold_qsfs.files._parts import Parts
from statehold_qsfs.files._records import refuse
from statehold_qsfs.files._values import Attributes, Entry, Statistics
from statehold_qsfs.files._volume import Volume


@attrs.define(eq=False)
class ByInode:
    """A filesystem as a kernel asks for it: by the numbers of files.

    What is refused is an OSError with an errno. Any number of threads may ask. A number that is held stays
    valid until it is dropped, whether the file has a name or not; number 1 is the root.
    """

    _parts: Parts
    _statistics: Callable[[], Statistics]
    _volume: Volume = attrs.field(init=False)
    _names: Names = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._volume, self._names = self._parts.volume, self._parts.names

    def hold(self, ino: int) -> None:
        """Keep a file, also when its last name goes, until `drop`; a second time does nothing."""
        volume = self._volume
        with volume.lock:
            self._node(ino)
            volume.held.add(ino)

    def drop(self, ino: int) -> None:
        """Let go of a file: without a name it goes now, or with its last handle."""
        volume = self._volume
        with volume.lock:
            volume.held.discard(ino)
            node = volume.unlinked.get(ino)
            if node is not None and not volume.closed:
                self._names.leave(node)

    def attributes(self, ino: int) -> Attributes:
        """Return what is known of a file. The same object as before, as long as nothing of it changes."""
        found = self._volume.nodes.get(ino)
        known = found.attributes if found is not None else None
        if known is not None:
            return known
        with self._volume.lock:
            return self._node(ino).stat()

    def lookup(self, parent: int, name: str) -> Attributes:
        """Return what is known of the file that has a name in a directory; ENOENT if there is none."""
        with self._volume.lock:
            return self._names.find(self._node(parent), name).stat()

    def entries(self, ino: int) -> Sequence[Entry]:
        """Return what is in a directory, without "." and ".."."""
        with self._volume.lock:
            return self._names.list(self._node(ino))

    def make(
        self, parent: int, name: str, mode: int, *, uid: int, gid: int, rdev: int = 0, target: str = ""
    ) -> Attributes:
        """Make a file, a directory, a link to *target* or a device: the type is of *mode*; EEXIST."""
        self._parts.commits.relieve()
        with self._volume.lock:
            text = target if stat.S_ISLNK(mode) else None
            return self._names.make(
                self._node(parent), name, mode, uid=uid, gid=gid, rdev=rdev, target=text
            ).stat()

    def link(self, ino: int, parent: int, name: str) -> Attributes:
        """Give a file a further name."""
        self._parts.commits.relieve()
        with self._volume.lock:
            node = self._node(ino)
            self._names.link(node, self._node(parent), name)
            return node.stat()

    def unlink(self, parent: int, name: str) -> None:
        """Take the name of a file away; EISDIR for a directory."""
        self._parts.commits.relieve()
        with self._volume.lock:
            self._names.unlink(self._node(parent), name)
            self._volume.paths.clear()

    def rmdir(self, parent: int, name: str) -> None:
        """Remove an empty directory; ENOTEMPTY, ENOTDIR."""
        self._parts.commits.relieve()
        with self._volume.lock:
            self._names.rmdir(self._node(parent), name)
            self._volume.paths.clear()

    def rename(self, parent: int, name: str, new_parent: int, new_name: str, flags: int) -> None:
        """Give a file another name; *flags* are those of renameat2: 1 refuses to replace, 2 exchanges."""
        self._parts.commits.relieve()
        with self._volume.lock:
            self._names.rename(self._node(parent), name, self._node(new_parent), new_name, flags)
            self._volume.paths.clear()

    def target(self, ino: int) -> str:
        """Return the target of a symbolic link."""
        with self._volume.lock:
            return self._node(ino).target()

    def change(
        self,
        ino: int,
        *,
        mode: int | None = None,
        uid: int | None = None,
        gid: int | None = None,
        size: int | None = None,
        atime: int | None = None,
        mtime: int | None = None,
        ctime: int | None = None,
    ) -> Attributes:
        """Set what is not None, all or nothing, and return what is known then; times in nanoseconds."""
        self._parts.commits.relieve()
        with self._volume.lock:
            node = self._node(ino)
            self._volume.check_writable()
            if size is not None:
                self._parts.content.truncate(node, size)
            self._parts.owners.change(
                node, mode=mode, uid=uid, gid=gid, atime=atime, mtime=mtime, ctime=ctime
            )
            return node.stat()

    def read(self, ino: int, size: int, offset: int) -> bytes:
        """Return up to *size* bytes; fewer only at the end of the file."""
        found = self._volume.nodes.get(ino)
        if found is None:
            with self._volume.lock:
                found = self._node(ino)
        return self._parts.reading.read_bytes(found, size, offset)

    def write(self, ino: int, data: bytes, offset: int) -> int:
        """Write all of *data*, which is kept and not copied, and return how much that is."""
        self._parts.commits.relieve()
        with self._volume.lock:
            self._parts.content.write(self._node(ino), data, offset)
        return len(data)

    def allocate(self, ino: int, mode: int, offset: int, size: int) -> None:
        """Do what fallocate does."""
        self._parts.commits.relieve()
        with self._volume.lock:
            self._parts.content.allocate(self._node(ino), mode, offset, size)

    def seek(self, ino: int, offset: int, whence: int) -> int:
        """Return where the next data (SEEK_DATA) or the next hole (SEEK_HOLE) is from *offset* on."""
        with self._volume.lock:
            return self._parts.content.seek(self._node(ino), offset, whence)

    def fsync(self, ino: int) -> None:
        """Return when all that was done to a file or directory survives a loss of power."""
        with self._volume.lock:
            node = self._node(ino)
        self._parts.commits.sync(node)

    def getxattr(self, ino: int, name: str) -> bytes:
        """Return an extended attribute; ENODATA if there is none."""
        with self._volume.lock:
            return self._parts.xattrs.get(self._node(ino), name)

    def setxattr(self, ino: int, name: str, value: bytes, flags: int) -> None:
        """Set an extended attribute; *flags* 1 is for one that is not there (EEXIST), 2 for one that is."""
        self._parts.commits.relieve()
        with self._volume.lock:
            self._parts.xattrs.set(self._node(ino), name, value, flags)

    def listxattr(self, ino: int) -> list[str]:
        """Return the names of the extended attributes."""
        with self._volume.lock:
            return self._parts.xattrs.list(self._node(ino))

    def removexattr(self, ino: int, name: str) -> None:
        """Remove an extended attribute; ENODATA if there is none."""
        with self._volume.lock:
            self._parts.xattrs.remove(self._node(ino), name)

    def statistics(self) -> Statistics:
        """Return what there is to know of the whole."""
        return self._statistics()

    def _node(self, ino: int) -> Node:
        """Return the file of that number; ESTALE if there is none any more."""
        volume = self._volume
        found = volume.nodes.get(ino)
        if found is None or volume.closed:
            volume.check_open()
            if not volume.has(ino):
                raise refuse(errno.ESTALE)
            found = volume.node(ino)
        return found

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from statehold_qsfs.files import Attributes, Entry, Statistics


class Inodes(Protocol):
    """A filesystem as a kernel asks for it: by the numbers of files, not by paths.

    What is refused is an OSError with an errno. Any number of threads may ask. A number that was held stays
    valid until it is dropped, whether the file has a name or not; number 1 is the root.
    """

    def hold(self, ino: int) -> None:
        """Keep a file, also when its last name goes, until `drop`; each is called once per file."""

    def drop(self, ino: int) -> None:
        """Let go of a file: without a name it goes now."""

    def attributes(self, ino: int) -> Attributes:
        """Return what is known of a file."""

    def lookup(self, parent: int, name: str) -> Attributes:
        """Return what is known of the file that has a name in a directory; ENOENT if there is none."""

    def entries(self, ino: int) -> Sequence[Entry]:
        """Return what is in a directory, without "." and ".."."""

    def make(
        self, parent: int, name: str, mode: int, *, uid: int, gid: int, rdev: int = 0, target: str = ""
    ) -> Attributes:
        """Make a file, a directory, a link to *target* or a device: the type is of *mode*; EEXIST."""

    def link(self, ino: int, parent: int, name: str) -> Attributes:
        """Give a file a further name."""

    def unlink(self, parent: int, name: str) -> None:
        """Take the name of a file away; EISDIR for a directory."""

    def rmdir(self, parent: int, name: str) -> None:
        """Remove an empty directory; ENOTEMPTY, ENOTDIR."""

    def rename(self, parent: int, name: str, new_parent: int, new_name: str, flags: int) -> None:
        """Give a file another name; *flags* are those of renameat2: 1 refuses to replace, 2 exchanges."""

    def target(self, ino: int) -> str:
        """Return the target of a symbolic link."""

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

    def read(self, ino: int, size: int, offset: int) -> bytes:
        """Return up to *size* bytes; fewer only at the end of the file."""

    def write(self, ino: int, data: bytes, offset: int) -> int:
        """Write all of *data*, which is kept and not copied, and return how much that is."""

    def allocate(self, ino: int, mode: int, offset: int, size: int) -> None:
        """Do what fallocate does."""

    def fsync(self, ino: int) -> None:
        """Return when all that was done to a file or directory survives a loss of power."""

    def getxattr(self, ino: int, name: str) -> bytes:
        """Return an extended attribute; ENODATA if there is none."""

    def setxattr(self, ino: int, name: str, value: bytes, flags: int) -> None:
        """Set an extended attribute; *flags* 1 is for one that is not there (EEXIST), 2 for one that is."""

    def listxattr(self, ino: int) -> list[str]:
        """Return the names of the extended attributes."""

    def removexattr(self, ino: int, name: str) -> None:
        """Remove an extended attribute; ENODATA if there is none."""

    def statistics(self) -> Statistics:
        """Return what there is to know of the whole."""

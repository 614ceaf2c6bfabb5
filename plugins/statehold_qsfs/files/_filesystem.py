from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Self

from statehold_qsfs.files._values import (
    Attributes,
    Entry,
    FileSystemOptions,
    Report,
    Snapshot,
    Statistics,
)
from statehold_zdb.engine import Engine

if TYPE_CHECKING:
    from statehold_qsfs.mount import Inodes

ROOT: Final = 1


class FileSystem:
    """A filesystem in two namespaces of a 0-db engine, `NAME-meta` and `NAME-data`.

    Paths are absolute ("/a/b") and are not resolved: no "." or "..", and symbolic links are not followed.
    Bytes that are no UTF-8 come as surrogates, as the standard library has them. What a file refuses is an
    OSError with an errno. Permissions are not checked: who mounts it lets the kernel do so
    (`default_permissions`).
    Any number of threads may use it.

    All that was done until a `sync` or `fsync` is there after a crash, as a whole: what a crash leaves is the
    filesystem as it was at one point in time, the last such call or later.

    Args:
        engine: where the namespaces are, and are made if need be; it stays open when this is closed.
        name: what the namespaces are called.
        options: how it works.
        logger: where it tells what an operator should know.

    Raises:
        QsfsError: the namespaces are not those of a filesystem, or of a newer one, or lack parts.

    """

    def __init__(
        self,
        engine: Engine,
        *,
        name: str = "qsfs",
        options: FileSystemOptions | None = None,
        logger: logging.Logger | None = None,
    ) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Make all durable, and let go of the namespaces; a second time does nothing."""
        raise NotImplementedError

    @property
    def inodes(self) -> Inodes:
        """What the kernel asks for, by number: `mount.Inodes` says what that is."""
        raise NotImplementedError

    # Names

    def getattr(self, path: str) -> Attributes:
        """Return what is known of a file. The same object as before, as long as nothing of it changes."""
        raise NotImplementedError

    def list(self, path: str) -> list[Entry]:
        """Return what is in a directory, without "." and "..", in no order."""
        raise NotImplementedError

    def readlink(self, path: str) -> str:
        """Return the target of a symbolic link."""
        raise NotImplementedError

    def mknod(self, path: str, mode: int, *, rdev: int = 0, uid: int = 0, gid: int = 0) -> Attributes:
        """Make a file, a fifo, a socket or a device: the type is of *mode*."""
        raise NotImplementedError

    def mkdir(self, path: str, mode: int, *, uid: int = 0, gid: int = 0) -> Attributes:
        """Make a directory."""
        raise NotImplementedError

    def symlink(self, path: str, target: str, *, uid: int = 0, gid: int = 0) -> Attributes:
        """Make a symbolic link at *path*."""
        raise NotImplementedError

    def link(self, existing: str, path: str) -> Attributes:
        """Give a file a further name, *path*; no directory can have one."""
        raise NotImplementedError

    def unlink(self, path: str) -> None:
        """Take a name away; the file goes with its last name, or later with its last handle."""
        raise NotImplementedError

    def rmdir(self, path: str) -> None:
        """Remove a directory, which must be empty."""
        raise NotImplementedError

    def rename(self, old: str, new: str, *, flags: int = 0) -> None:
        """Give a file another name; what had that name is replaced in one step.

        *flags* are those of renameat2: 1 refuses to replace, 2 exchanges both.
        """
        raise NotImplementedError

    def chmod(self, path: str, mode: int) -> None:
        """Set the permissions."""
        raise NotImplementedError

    def chown(self, path: str, uid: int, gid: int) -> None:
        """Set the owners, of 32 bits; -1 leaves one as it is."""
        raise NotImplementedError

    def utimens(self, path: str, atime: int | None, mtime: int | None) -> None:
        """Set times, in nanoseconds since 1970; None leaves one as it is."""
        raise NotImplementedError

    def truncate(self, path: str, size: int) -> None:
        """Cut a file off, or let it have zeros up to *size*."""
        raise NotImplementedError

    def getxattr(self, path: str, name: str) -> bytes:
        """Return an extended attribute; ENODATA if there is none."""
        raise NotImplementedError

    def setxattr(self, path: str, name: str, value: bytes, *, flags: int = 0) -> None:
        """Set an extended attribute; *flags* 1 is for one that is not there (EEXIST), 2 for one that is."""
        raise NotImplementedError

    def listxattr(self, path: str) -> list[str]:
        """Return the names of the extended attributes."""
        raise NotImplementedError

    def removexattr(self, path: str, name: str) -> None:
        """Remove an extended attribute; ENODATA if there is none."""
        raise NotImplementedError

    # Handles

    def open(self, path: str, flags: int) -> int:
        """Return a handle of a file; of *flags* count the access mode and O_TRUNC."""
        raise NotImplementedError

    def create(self, path: str, flags: int, mode: int, *, uid: int = 0, gid: int = 0) -> int:
        """Return a handle of a new file; of one that is there, unless *flags* have O_EXCL."""
        raise NotImplementedError

    def opendir(self, path: str) -> int:
        """Return a handle of a directory, for `readdir`, `fsync` and `release`."""
        raise NotImplementedError

    def readdir(self, handle: int) -> Sequence[Entry]:
        """Return what was in the directory at the first call for this handle, in an order that stays."""
        raise NotImplementedError

    def fgetattr(self, handle: int) -> Attributes:
        """Return what is known of an open file, which need not have a name any more."""
        raise NotImplementedError

    def read(self, handle: int, size: int, offset: int) -> bytes:
        """Return up to *size* bytes; fewer only at the end of the file."""
        raise NotImplementedError

    def read_into(self, handle: int, target: memoryview, offset: int) -> int:
        """Do what `read` does, into *target*, and return how many bytes that were: one copy fewer."""
        raise NotImplementedError

    def write(self, handle: int, data: bytes, offset: int) -> int:
        """Write all of *data*, and return how much that is.

        *data* is kept, not copied: it must not change afterwards.
        """
        raise NotImplementedError

    def ftruncate(self, handle: int, size: int) -> None:
        """Do what `truncate` does, to an open file."""
        raise NotImplementedError

    def fchmod(self, handle: int, mode: int) -> None:
        """Do what `chmod` does, to an open file."""
        raise NotImplementedError

    def fchown(self, handle: int, uid: int, gid: int) -> None:
        """Do what `chown` does, to an open file."""
        raise NotImplementedError

    def futimens(self, handle: int, atime: int | None, mtime: int | None) -> None:
        """Do what `utimens` does, to an open file."""
        raise NotImplementedError

    def allocate(self, handle: int, mode: int, offset: int, size: int) -> None:
        """Do what fallocate does: *mode* 0 and FALLOC_FL_KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE."""
        raise NotImplementedError

    def seek(self, handle: int, offset: int, whence: int) -> int:
        """Return where the next data (SEEK_DATA) or the next hole (SEEK_HOLE) is from *offset* on."""
        raise NotImplementedError

    def fsync(self, handle: int) -> None:
        """Return when all that was done to the file survives a loss of power: what it has, and its name."""
        raise NotImplementedError

    def release(self, handle: int) -> None:
        """Let go of a handle."""
        raise NotImplementedError

    # The whole

    def sync(self) -> None:
        """Return when all that was done survives a loss of power; one sync does for all who wait."""
        raise NotImplementedError

    def statistics(self) -> Statistics:
        """Return what there is to know of the whole."""
        raise NotImplementedError

    def compact(self) -> int:
        """Give back the space of what was deleted and overwritten, and return the bytes."""
        raise NotImplementedError

    def check(self, *, deep: bool = False, repair: bool = False) -> Report:
        """Look for what is wrong with the whole, while nothing else is done to it.

        Args:
            deep: read every block, too.
            repair: mend what can be: blocks that nobody uses are deleted, files that no directory has come
                into `/lost+found`, names without a file go, counts are set right.

        """
        raise NotImplementedError

    def snapshot(self, name: str) -> Snapshot:
        """Keep all as it is now under *name*; what does not change afterwards takes no space twice."""
        raise NotImplementedError

    def snapshots(self) -> list[Snapshot]:
        """Return the snapshots, the oldest first."""
        raise NotImplementedError

    def delete_snapshot(self, name: str) -> None:
        """Forget a snapshot, and free what only it needed."""
        raise NotImplementedError

    def at(self, name: str) -> FileSystem:
        """Return the filesystem as it was at a snapshot, to read only; closed on its own, before this one."""
        raise NotImplementedError

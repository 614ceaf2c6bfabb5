from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
import msgspec

from statehold.sdk import StateholdError

#: The bytes of a block, of which a file's contents are made.
BLOCK: Final = 128 * 1024
#: The most bytes of a name, and of a symbolic link's target.
MAX_NAME: Final = 255
MAX_TARGET: Final = 4095
#: The most bytes of a file.
MAX_SIZE: Final = 1 << 62
#: The most bytes of an extended attribute's value, and of all names and values of one file.
MAX_XATTR: Final = 64 * 1024
MAX_XATTRS: Final = 256 * 1024


class QsfsError(StateholdError):
    """A filesystem that cannot be opened, or not as asked; what its files refuse is an OSError."""


class Attributes(msgspec.Struct, frozen=True, gc=False):
    """What `stat` tells of a file.

    Attributes:
        ino: its number, of up to 64 bits, which no other file ever gets.
        mode: its type and permissions.
        nlink: how many names it has; a directory has 2, and one more for each directory in it.
        uid, gid: its owners.
        rdev: the device, of a device.
        size: its bytes.
        blocks: how many times 512 bytes are kept of it.
        atime, mtime, ctime: when it was read, written and changed last, in nanoseconds since 1970.
        birth: when it was made.

    """

    ino: int
    mode: int
    nlink: int
    uid: int
    gid: int
    rdev: int
    size: int
    blocks: int
    atime: int
    mtime: int
    ctime: int
    birth: int


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A name in a directory: the file's number, and of its mode the type."""

    name: str
    ino: int
    mode: int


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to know of a filesystem.

    Attributes:
        block: the bytes of a block.
        total: the bytes that files may take: the quota, or what the disk has.
        used: the bytes that they take.
        free: the bytes that they may still take.
        files: how many files, directories and others there are.
        free_files: how many may still be made.
        name_max: the most bytes of a name.
        dirty: the bytes that are in memory only.
        dirty_seconds: for how long the first change has been in memory only; 0 if none is.
        commits: how often all changes were made durable since it was opened.
        open_files: how many handles there are.
        unlinked: how many files without a name are kept because they are open.
        snapshots: how many snapshots there are.
        failed: why changes cannot be made durable now; empty while they can.

    """

    block: int
    total: int
    used: int
    free: int
    files: int
    free_files: int
    name_max: int
    dirty: int
    dirty_seconds: float
    commits: int
    open_files: int
    unlinked: int
    snapshots: int
    failed: str


class Snapshot(msgspec.Struct, frozen=True):
    """A snapshot: its name, and when it was made, in nanoseconds since 1970."""

    name: str
    made: int


class Report(msgspec.Struct, kw_only=True):
    """What a check has found.

    Attributes:
        files, directories, blocks, bytes: what there is, all snapshots included.
        missing_blocks: blocks that files refer to and that are not there.
        damaged_blocks: blocks that are there and are not what was written; only looked for if asked to.
        unused_blocks: blocks that no file refers to.
        unreachable: files that no directory has, and that are not open.
        dangling: names in directories whose files are not there.
        wrong_links: files whose count of names is wrong.
        damaged_records: metadata that cannot be understood.
        wrong_totals: whether the counts of all files and bytes are wrong.
        repaired: how many of these were mended.
        problems: the first of them, in words.

    """

    files: int = 0
    directories: int = 0
    blocks: int = 0
    bytes: int = 0
    missing_blocks: int = 0
    damaged_blocks: int = 0
    unused_blocks: int = 0
    unreachable: int = 0
    dangling: int = 0
    wrong_links: int = 0
    damaged_records: int = 0
    wrong_totals: bool = False
    repaired: int = 0
    problems: list[str] = msgspec.field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong that loses or hides bytes; blocks that nobody uses do neither."""
        return not (
            self.missing_blocks
            or self.damaged_blocks
            or self.unreachable
            or self.dangling
            or self.wrong_links
            or self.damaged_records
        )


def _seconds(_: object, attribute: attrs.Attribute[float], value: float) -> None:
    if not 0.01 <= value <= 3600:
        raise QsfsError(f"{attribute.name}: expected 0.01 to 3600 seconds, got {value}")


def _bytes(_: object, attribute: attrs.Attribute[int], value: int) -> None:
    if value < 0:
        raise QsfsError(f"{attribute.name}: expected 0 or more bytes, got {value}")


@attrs.frozen(kw_only=True)
class FileSystemOptions:
    """How a filesystem works.

    Attributes:
        flush_every: the seconds after which changes are made durable that nobody asked for; what a crash, or
            a loss of power, takes of them at most is this and the time that it takes to write them.
        quota: the most bytes that files may take; 0 for as many as the disk has.
        max_files: how many files there may be; 0 for any number.
        dirty_limit: the bytes in memory from which on who writes waits until they are written.
        cached_nodes: how many files are kept in memory at least, after they were used.
        read_only: nothing is changed, also not what a crash has left.
        barrier: waited for by `fsync` and `sync`, after all is durable on this machine; what it raises, they
            raise.
        clock: returns the nanoseconds since 1970; the system's if None.

    """

    flush_every: float = attrs.field(default=3.0, validator=_seconds)
    quota: int = attrs.field(default=0, validator=_bytes)
    max_files: int = 0
    dirty_limit: int = attrs.field(default=64 * 1024 * 1024, validator=_bytes)
    cached_nodes: int = 32_768
    read_only: bool = False
    barrier: Callable[[], None] | None = None
    clock: Callable[[], int] | None = None

"""Files in memory.

A file takes about 750 bytes here, as long as it is kept, and its contents if they are small; a page of its
map about 2 KiB (2 MiB of the file), a name in a directory about 150 bytes. What was not used for long is
dropped. What stays are the keys of the engine: about 130 bytes for a file, the same for 2 MiB of a large file
or for 32 names, 8 for a block. So a million small files take about 130 MiB when they are not in use.
"""

from __future__ import annotations

import errno
import stat
from bisect import bisect_right
from typing import Final, Protocol
from zlib import crc32

import attrs

from statehold_qsfs.files._buffers import Buffer
from statehold_qsfs.files._layout import (
    PAGE,
    BucketRecord,
    NodeRecord,
    PageRecord,
    Pieces,
    bucket_key,
    encode,
    node_key,
    page_key,
)
from statehold_qsfs.files._values import Attributes

#: The names of a bucket, on average.
_NAMES: Final = 32
_UNIT: Final = 512


class Changed(Protocol):
    """What was changed, and is to be written."""

    dirty: bool
    generation: int

    @property
    def key(self) -> bytes:
        """Its key."""

    def payload(self) -> bytes:
        """Return what is to be written."""


@attrs.define(eq=False)
class Page:
    """Where the bytes of some blocks stand."""

    key: bytes
    blocks: list[Pieces]
    generation: int = 0
    dirty: bool = False

    def payload(self) -> bytes:
        """Return what is to be written."""
        return encode(PageRecord(self.generation, self.blocks))


@attrs.define(eq=False)
class Bucket:
    """Some names of a directory, each with the number of its file and, in the lowest 4 bits, the type."""

    key: bytes
    entries: dict[str, int]
    generation: int = 0
    dirty: bool = False

    def payload(self) -> bytes:
        """Return what is to be written."""
        entries = {name.encode("utf-8", "surrogateescape"): entry for name, entry in self.entries.items()}
        return encode(BucketRecord(self.generation, entries))


@attrs.define(eq=False, kw_only=True)
class Node:
    """A file, a directory, or another thing that has a number.

    Attributes:
        content: all bytes of a small file, the target of a symbolic link; None where there are blocks.
        runs: which pages the map has: the first of a run and the one after its last, one after another.
        pages: those of them that are in memory.
        buffers: by block, what was written and is in no namespace yet.
        names: the buckets of a directory that are in memory.
        opens: how many handles there are.
        waiting: how many bytes were written since full blocks were last brought into the namespace.
        cached: whether it is the one object that stands for the file.
        attributes: what `stat` tells, if it has been asked since the last change.

    """

    ino: int
    mode: int
    nlink: int = 1
    uid: int = 0
    gid: int = 0
    rdev: int = 0
    size: int = 0
    stored: int = 0
    atime: int
    mtime: int
    ctime: int
    birth: int
    parent: int = 0
    bucket_count: int = 1
    count: int = 0
    runs: list[int] = attrs.field(factory=list)
    xattrs: dict[bytes, bytes] | None = None
    content: bytes | None = b""
    generation: int = 0
    dirty: bool = False
    cached: bool = True
    opens: int = 0
    waiting: int = 0
    attributes: Attributes | None = None
    pages: dict[int, Page] | None = None
    buffers: dict[int, Buffer] | None = None
    names: dict[int, Bucket] | None = None

    @classmethod
    def of(cls, ino: int, record: NodeRecord) -> Node:
        """Return what *record* is of."""
        return cls(
            ino=ino,
            mode=record.mode,
            nlink=record.nlink,
            uid=record.uid,
            gid=record.gid,
            rdev=record.rdev,
            size=record.size,
            stored=record.stored,
            atime=record.atime,
            mtime=record.mtime,
            ctime=record.ctime,
            birth=record.birth,
            parent=record.parent,
            bucket_count=record.buckets,
            count=record.count,
            runs=record.runs,
            xattrs=record.xattrs or None,
            content=record.content,
            generation=record.generation,
        )

    @property
    def key(self) -> bytes:
        """Its key."""
        return node_key(self.ino)

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return stat.S_ISDIR(self.mode)

    @property
    def in_use(self) -> bool:
        """Whether it must stay in memory."""
        return (
            self.dirty
            or self.opens > 0
            or self.nlink == 0
            or bool(self.buffers)
            or any(page.dirty for page in (self.pages or {}).values())
            or any(bucket.dirty for bucket in (self.names or {}).values())
        )

    @property
    def entry(self) -> int:
        """How a directory names it."""
        return self.ino << 4 | self.mode >> 12

    def payload(self) -> bytes:
        """Return what is to be written."""
        return encode(
            NodeRecord(
                self.generation,
                self.mode,
                self.nlink,
                self.uid,
                self.gid,
                self.rdev,
                self.size,
                self.stored,
                self.atime,
                self.mtime,
                self.ctime,
                self.birth,
                self.parent,
                self.bucket_count,
                self.count,
                self.runs,
                self.xattrs or {},
                self.content,
            )
        )

    def stat(self) -> Attributes:
        """Return what is known of it."""
        found = self.attributes
        if found is None:
            found = self.attributes = Attributes(
                self.ino,
                self.mode,
                self.nlink,
                self.uid,
                self.gid,
                self.rdev,
                self.size,
                (self.stored + _UNIT - 1) // _UNIT,
                self.atime,
                self.mtime,
                self.ctime,
                self.birth,
            )
        return found

    def target(self) -> str:
        """Return the target of a symbolic link."""
        if not stat.S_ISLNK(self.mode) or self.content is None:
            raise OSError(errno.EINVAL, "not a symbolic link")
        return self.content.decode("utf-8", "surrogateescape")

    def bucket_of(self, name: str) -> int:
        """Return the bucket that a name is in: buckets are split one by one, in their order."""
        found = crc32(name.encode("utf-8", "surrogateescape"))
        count = self.bucket_count
        bits = count.bit_length()
        bucket = found & ((1 << bits) - 1)
        return bucket if bucket < count else bucket & ((1 << (bits - 1)) - 1)

    @property
    def split_due(self) -> tuple[int, int] | None:
        """Which bucket is to be split, and the number of the new one; None while there are few names."""
        count = self.bucket_count
        if self.count <= count * _NAMES:
            return None
        return count - (1 << (count.bit_length() - 1)), count

    def has_page(self, number: int) -> bool:
        """Whether the map has a page of that number."""
        return bisect_right(self.runs, number) % 2 == 1

    def add_page(self, number: int) -> None:
        """Have a page of that number, which was not there."""
        runs = self.runs
        i = bisect_right(runs, number)  # even: outside of all runs
        joins_before = i > 0 and runs[i - 1] == number
        joins_after = i < len(runs) and runs[i] == number + 1
        if joins_before and joins_after:
            del runs[i - 1 : i + 1]
        elif joins_before:
            runs[i - 1] = number + 1
        elif joins_after:
            runs[i] = number
        else:
            runs[i:i] = [number, number + 1]

    def drop_page(self, number: int) -> None:
        """Have no page of that number, which was there."""
        runs = self.runs
        i = bisect_right(runs, number)  # odd: within the run that ends at runs[i]
        start, end = runs[i - 1], runs[i]
        runs[i - 1 : i + 1] = [
            *((start, number) if start < number else ()),
            *((number + 1, end) if number + 1 < end else ()),
        ]


def new_page(ino: int, number: int) -> Page:
    """Return a page without blocks."""
    return Page(page_key(ino, number), [()] * PAGE)


def new_bucket(ino: int, number: int) -> Bucket:
    """Return a bucket without names."""
    return Bucket(bucket_key(ino, number), {})

"""Index files: what a segment's records are called and where they stand, in blocks.

A block has one column for each thing, so that a million entries are read in a fraction of a second. It also
says what the namespace came to when the block was written: after the last block of a segment nothing has to
be counted. Blocks are written for records that are synced, so that no index knows more than the data.
"""

from __future__ import annotations

import os
import struct
from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

from statehold_zdb.engine._crc import crc32
from statehold_zdb.engine._segment import HEADER_SIZE, INDEX_MARK, SegmentHeader

MARK: Final = b"\xf5zI\x01"
#: Set in the position of a tombstone.
TOMBSTONE: Final = 1 << 63
#: What `Totals.live` is where it was not counted.
UNKNOWN: Final = (1 << 64) - 1

_HEAD: Final = struct.Struct("<4sIIIQQQQQ")
_ROW: Final = 8 + 8 + 4 + 4 + 1


class Totals(NamedTuple):
    """What a namespace comes to after a record.

    Attributes:
        end: where the next record of the segment begins.
        live: the payload bytes of all keys; `UNKNOWN` where they were not counted.
        entries: how many keys there are.
        next_id: the next key of a sequential namespace.

    """

    end: int
    live: int
    entries: int
    next_id: int


class Entry(NamedTuple):
    """One record, as an index knows it; of a tombstone, `position` has `TOMBSTONE`."""

    key: bytes
    position: int
    size: int
    stamp: int
    number: int


class Block(NamedTuple):
    """Part of an index file, by columns, in the order in which the records were written.

    It is about the bytes of the segment from `start` to the end in its totals.
    """

    start: int
    totals: Totals
    keys: Sequence[bytes]
    positions: Sequence[int]
    numbers: Sequence[int]
    sizes: Sequence[int]
    stamps: Sequence[int]

    @classmethod
    def of(cls, entries: Sequence[Entry], start: int, totals: Totals) -> Block:
        """Return a block of *entries*; one without entries closes a segment."""
        keys, positions, sizes, stamps, numbers = zip(*entries, strict=True) if entries else ((),) * 5
        return cls(start, totals, keys, positions, numbers, sizes, stamps)

    def entries(self) -> Iterator[Entry]:
        """Yield the records one by one."""
        return map(Entry, self.keys, self.positions, self.sizes, self.stamps, self.numbers)

    def encode(self) -> bytes:
        """Return what `read_blocks` reads."""
        body = b"".join(
            (
                array("Q", self.positions).tobytes(),
                array("Q", self.numbers).tobytes(),
                array("I", self.sizes).tobytes(),
                array("I", self.stamps).tobytes(),
                bytes(map(len, self.keys)),
                *self.keys,
            )
        )
        head = _HEAD.pack(MARK, 0, len(self.keys), len(body), self.start, *self.totals)
        return MARK + crc32(body, crc32(head[8:])).to_bytes(4, "little") + head[8:] + body


def read_blocks(path: str, *, salt: int | None) -> Iterator[tuple[int, Block]]:
    """Yield the blocks of an index file, each with where it ends, up to the first that is damaged.

    Nothing if the file is not there, or is of data with another *salt*.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        header = SegmentHeader.decode(os.pread(fd, HEADER_SIZE, 0), INDEX_MARK)
        if header is None or (salt is not None and header.salt != salt):
            return
        at = HEADER_SIZE
        while (found := _read_block(fd, at)) is not None:
            at, block = found
            yield at, block
    finally:
        os.close(fd)


def is_closed(path: str) -> bool:
    """Whether an index file says all of its segment."""
    closed = False
    for _, block in read_blocks(path, salt=None):
        closed = not block.keys
    return closed


def _read_block(fd: int, at: int) -> tuple[int, Block] | None:
    head = os.pread(fd, _HEAD.size, at)
    if len(head) < _HEAD.size or head[:4] != MARK:
        return None
    _, check, count, size, begin, *totals = _HEAD.unpack(head)
    if not count * _ROW <= size <= count * (_ROW + 255):
        return None
    body = os.pread(fd, size, at + _HEAD.size)
    if len(body) < size or crc32(body, crc32(head[8:])) != check:
        return None
    columns = []
    start = 0
    for kind, width in (("Q", 8), ("Q", 8), ("I", 4), ("I", 4)):
        columns.append(array(kind, body[start : start + count * width]))
        start += count * width
    lengths = body[start : start + count]
    start += count
    ends = accumulate(lengths, initial=start)
    keys = [body[a:b] for a, b in pairwise(ends)]
    positions, numbers, sizes, stamps = columns
    return at + _HEAD.size + size, Block(begin, Totals(*totals), keys, positions, numbers, sizes, stamps)

"""Walking over the keys of a namespace in the order in which they were written last.

A cursor names a record: by its number, and by the segment it stood in. Numbers never change, not when the
record is overwritten, deleted or copied by a compaction, so a scan goes on where it was in any case.
"""

from __future__ import annotations

import struct
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import attrs

from statehold_zdb.engine._blocks import TOMBSTONE, Block, Entry, Totals, read_blocks
from statehold_zdb.engine._errors import ZdbCursorError, ZdbReadError
from statehold_zdb.engine._position import PLACE_MASK, SLOT_SHIFT
from statehold_zdb.engine._segment import HEADER_SIZE, Segment

_CURSOR: Final = struct.Struct("<BQII")
_VERSION: Final = 1
CURSOR_SIZE: Final = _CURSOR.size
_SECONDS: Final = 0.002
_CHECK: Final = 0x7A5C


class Found(NamedTuple):
    """A key, the bytes of its payload, and when it was written, in seconds since 1970."""

    key: bytes
    size: int
    stamp: int


class Page(NamedTuple):
    """Some keys, and the cursor by which the scan goes on after them."""

    cursor: bytes
    found: list[Found]


class Cursor(NamedTuple):
    """The record that a scan came to."""

    number: int
    segment: int

    def encode(self) -> bytes:
        """Return the 17 bytes that clients keep."""
        return _CURSOR.pack(
            _VERSION, self.number, self.segment, (self.number ^ self.segment ^ _CHECK) & 0xFFFFFFFF
        )

    @classmethod
    def decode(cls, data: bytes) -> Cursor:
        """Return what `encode` has written; ZdbCursorError for anything else."""
        if len(data) == CURSOR_SIZE:
            version, number, segment, check = _CURSOR.unpack(data)
            if version == _VERSION and check == (number ^ segment ^ _CHECK) & 0xFFFFFFFF:
                return cls(number, segment)
        raise ZdbCursorError("a cursor: expected one of SCAN, RSCAN or KEYCUR, got other bytes")


@attrs.define(eq=False)
class Scanner:
    """Scans one namespace.

    Attributes:
        segments: returns the segments in their order.
        pending: returns the records of a segment that are in no index file yet, in their order.
        get: returns where a key stands.
        generation: changes whenever a segment is replaced.
        version: changes whenever `pending` would return something else.

    """

    segments: Callable[[], Sequence[Segment]]
    pending: Callable[[Segment], Sequence[Entry]]
    get: Callable[[bytes], int | None]
    generation: Callable[[], int]
    version: Callable[[Segment], object]
    _cached: tuple[object, list[Block]] | None = attrs.field(default=None, init=False)
    _rest: tuple[object, Block | None] | None = attrs.field(default=None, init=False)

    def page(self, cursor: bytes | None, *, backward: bool, limit: int) -> Page | None:
        """Return the next keys after *cursor*, or before it; None if there are no more.

        At most *limit*, and, once one was found, no more than were found within a few milliseconds.
        """
        after = None if cursor is None else Cursor.decode(cursor)
        while True:
            generation = self.generation()
            try:
                page = self._page(after, backward=backward, limit=limit)
            except ZdbReadError:
                self.segments()  # waits for whoever is about to replace one
                if generation == self.generation():
                    raise
                continue
            if generation == self.generation():
                return page

    def _page(self, after: Cursor | None, *, backward: bool, limit: int) -> Page | None:
        segments = self.segments()
        if after is not None:
            segments = [
                s for s in segments if (s.number <= after.segment if backward else s.number >= after.segment)
            ]
        end = time.perf_counter() + _SECONDS
        found: list[Found] = []
        last = None
        for segment in reversed(segments) if backward else segments:
            blocks = self._blocks(segment)
            for block in reversed(blocks) if backward else blocks:
                numbers = block.numbers
                for i in _walk(numbers, after, backward=backward):
                    if self._stands(segment, block, i):
                        found.append(Found(block.keys[i], block.sizes[i], block.stamps[i]))
                        last = Cursor(numbers[i], segment.number)
                        if len(found) >= limit:
                            return Page(last.encode(), found)
                if last is not None and time.perf_counter() > end:
                    return Page(last.encode(), found)
        return Page(last.encode(), found) if last is not None else None

    def _stands(self, segment: Segment, block: Block, i: int) -> bool:
        position = block.positions[i]
        return (
            position < TOMBSTONE
            and self.get(block.keys[i]) == position & PLACE_MASK | segment.slot << SLOT_SHIFT
        )

    def _blocks(self, segment: Segment) -> list[Block]:
        # First what is in no file: meanwhile it may come into one, and be seen twice, but never not at all.
        pending = self._pending_block(segment)
        indexed = segment.indexed
        state = (segment, indexed)
        cached = self._cached  # others may scan, too
        if cached is None or cached[0] != state:
            blocks = [block for _, block in read_blocks(segment.index_path, salt=segment.salt or None)]
            if (blocks[-1].totals.end if blocks else HEADER_SIZE) < indexed:
                raise ZdbReadError(
                    f"{segment.index_path} is damaged", hint="A reload makes it anew of the data"
                )
            cached = self._cached = (state, [block for block in blocks if block.keys])
        blocks = cached[1]
        if pending is None:
            return blocks
        known = blocks[-1].numbers[-1] if blocks else 0
        if pending.numbers[0] <= known:  # they came into the file meanwhile
            start = bisect_right(pending.numbers, known)
            pending = Block(
                0,
                pending.totals,
                pending.keys[start:],
                pending.positions[start:],
                pending.numbers[start:],
                pending.sizes[start:],
                pending.stamps[start:],
            )
        return [*blocks, pending] if pending.keys else blocks

    def _pending_block(self, segment: Segment) -> Block | None:
        version = self.version(segment)
        rest = self._rest
        if rest is None or rest[0] != version:
            columns = tuple(zip(*self.pending(segment), strict=True))
            block = None
            if columns:
                keys, positions, sizes, stamps, numbers = columns
                block = Block(0, Totals(0, 0, 0, 0), keys, positions, numbers, sizes, stamps)
            rest = self._rest = version, block
        return rest[1]


def _walk(numbers: Sequence[int], after: Cursor | None, *, backward: bool) -> range:
    """Return the places of *numbers* that come after a cursor, in the order of the scan."""
    if backward:
        return range((len(numbers) if after is None else bisect_left(numbers, after.number)) - 1, -1, -1)
    return range(0 if after is None else bisect_right(numbers, after.number), len(numbers))

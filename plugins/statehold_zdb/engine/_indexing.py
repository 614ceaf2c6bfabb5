"""How records come into index files: in blocks, after they are synced."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Sequence
from itertools import zip_longest
from typing import Final

import attrs

from statehold_zdb.engine._blocks import Block, Entry, Totals
from statehold_zdb.engine._columns import Columns
from statehold_zdb.engine._disk import Disk
from statehold_zdb.engine._segment import Segment

#: So many records make a block of an index file; so many are read again after a crash, at most twice.
BLOCK_ENTRIES: Final = 32_768


@attrs.frozen
class Point:
    """What the namespace comes to after the record *number*, which stands in the segment of *slot*."""

    number: int
    slot: int
    totals: Totals


@attrs.frozen(eq=False)
class Unindexed:
    """Records of one segment, up to *point*, that are in no index file yet; the last ones, if it `closes`."""

    segment: Segment
    block: Block
    point: Point
    closes: bool


@attrs.define(eq=False, kw_only=True)
class Indexing:
    """The records of a namespace that are in no index file yet.

    Not for several threads at once, but for `write_block`.

    Attributes:
        disk: what index files are written by.
        pending: the records, in order, each with the position that its key had.

    """

    disk: Disk
    pending: Columns = attrs.field(factory=Columns, init=False)
    _points: list[Point] = attrs.field(factory=list, init=False)

    def note(self, number: int, segment: Segment, totals: Totals, *, closes: bool = False) -> None:
        """Note what the namespace comes to after the record *number*, the last so far, of *segment*.

        Which *closes* then: that is noted, too, where all its records are in its index file already.
        """
        last = self._points[-1].number if self._points else 0
        if (self.pending or closes) and number > last:
            self._points.append(Point(number, segment.slot, totals))

    def note_sync(self, synced: int) -> None:
        """Note that all records up to *synced* are: of those the last of each segment says it all."""
        points = self._points
        self._points = [
            point
            for point, later in zip_longest(points, points[1:])
            if later is None or later.number > synced or later.slot != point.slot
        ]

    def take_block(
        self, slots: dict[int, Segment], active: Segment | None, synced: int, *, least: int = BLOCK_ENTRIES
    ) -> Unindexed | None:
        """Return the next records that are to come into an index file, or None.

        They are synced, of one segment, and at least *least*, unless that segment is closed.
        """
        if not self._points:
            return None
        point = self._points[0]
        closed = active is None or point.slot != active.slot
        numbers = self.pending.numbers
        count = point.number - numbers[0] + 1 if numbers else 0
        if point.number > synced or (count < least and not closed):
            return None
        # Numbers have gaps where batches failed.
        count = bisect_right(numbers, point.number)
        closes = closed and all(later.slot != point.slot for later in self._points[1:])
        segment = slots[point.slot]
        return Unindexed(segment, self.pending.first(count, segment.indexed, point.totals), point, closes)

    def write_block(self, block: Unindexed) -> None:
        """Put records into their index file; OSError if that cannot be. Needs no lock."""
        segment, totals = block.segment, block.point.totals
        data = block.block.encode() if block.block.keys else b""
        if block.closes and segment.closed_at != totals.end:
            data += Block.of((), totals.end, totals).encode()
        self.append(segment.index_path, data)

    def note_block(self, block: Unindexed) -> None:
        """Forget records that are in an index file now."""
        self.pending.drop(len(block.block.keys))
        block.segment.indexed = block.point.totals.end
        # A sync may have come meanwhile, after which a later point of that segment says it all.
        self._points = [point for point in self._points if point is not block.point]

    def pending_of(self, segment: Segment) -> list[Entry]:
        """Return the records of *segment* that are in no index file yet."""
        return self.pending.of(segment.slot)

    def is_indexed(self, segment: Segment) -> bool:
        """Whether all records of *segment*, which is not written to, are in its index file."""
        return not any(point.slot == segment.slot for point in self._points)

    def forget(self, segments: Sequence[Segment]) -> None:
        """Forget the records of *segments*."""
        gone = {segment.slot for segment in segments}
        self.pending = self.pending.without(gone)
        self._points = [point for point in self._points if point.slot not in gone]

    def append(self, path: str, data: bytes) -> None:
        """Put *data* at the end of an index file; OSError if that cannot be, then the file is as it was."""
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            end = os.fstat(fd).st_size
            try:
                self.disk.write(fd, [data], len(data), end)
            except OSError:
                os.ftruncate(fd, end)
                raise
        finally:
            os.close(fd)

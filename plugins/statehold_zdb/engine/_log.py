from __future__ import annotations

import contextlib
import os
import secrets
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import zip_longest
from operator import itemgetter
from pathlib import Path
from typing import Final, TypeAlias

import attrs

from statehold_zdb.engine._blocks import TOMBSTONE, Entry, Totals
from statehold_zdb.engine._blocks import encode as encode_block
from statehold_zdb.engine._crc import crc32
from statehold_zdb.engine._descriptors import Descriptors, File
from statehold_zdb.engine._disk import Disk
from statehold_zdb.engine._errors import ZdbError, ZdbMissingError, ZdbReadError, ZdbWriteError
from statehold_zdb.engine._position import PLACE_MASK, SLOT_SHIFT, SMALL, SPANS, SPANS_OF_SMALL, span_of
from statehold_zdb.engine._record import (
    BODY,
    DELETED,
    HEADER_SIZE,
    MARK,
    MAX_KEY,
    PADDING,
    PREFIX,
    Record,
    parse,
)
from statehold_zdb.engine._segment import DATA_MARK, INDEX_MARK, Segment, SegmentHeader
from statehold_zdb.engine._segment import HEADER_SIZE as SEGMENT_HEADER_SIZE

#: So many records make a block of an index file; so many are read again after a crash, at most twice.
BLOCK_ENTRIES: Final = 32_768
_POSITION: Final = 1
_NUMBER: Final = 4
_HEAD_SPAN: Final = HEADER_SIZE + MAX_KEY


class Batch:
    """Records that are written together: all of them or none.

    Attributes:
        last: the number of its last record; -1 until it is written.
        error: why it was not written.

    """

    __slots__ = ("error", "last")

    def __init__(self, last: int = -1) -> None:
        self.last = last
        self.error: ZdbError | None = None


#: The fields of an `Entry`, and the position that its key had before.
Staged: TypeAlias = tuple[bytes, int, int, int, int, int | None]


@attrs.frozen
class Point:
    """What the namespace comes to after the record *number*, which stands in the segment of *slot*."""

    number: int
    slot: int
    totals: Totals


@attrs.frozen(eq=False)
class Pending:
    """What is to be synced: files, perhaps the names of new ones, and up to which record that is."""

    files: list[File]
    names: bool
    number: int


@attrs.frozen(eq=False)
class Unindexed:
    """Records of one segment, up to *point*, that are in no index file yet; the last ones, if it `closes`."""

    segment: Segment
    entries: list[Entry]
    point: Point
    closes: bool


@attrs.define(eq=False, kw_only=True)
class Log:
    """The files of one namespace, and the records that are not in them yet.

    Not for several threads at once: who owns it has a lock. Only `read` and `head_of` may run beside all
    else.

    Attributes:
        name: of the namespace.
        slots: the segments by what stands for them in positions.
        numbers: the segments by number.
        active: the segment that is written to, in a log that can be.
        end: where the next record of it will begin.
        number: of the last record.
        synced: the number of the last record that survives a loss of power.
        pending: the records that are in no index file yet, each with the position that its key had.
        live, entries, next_id: what the namespace comes to, kept by its owner.
        batch: what is staged now.
        broken: why nothing can be written any more; empty while it can.
        generation: how often a compaction has replaced a segment.

    """

    name: str
    data: str
    index: str
    disk: Disk
    descriptors: Descriptors
    segment_size: int
    seed: int
    now: Callable[[], float]
    slots: dict[int, Segment] = attrs.field(factory=dict)
    numbers: dict[int, Segment] = attrs.field(factory=dict)
    active: Segment | None = None
    end: int = SEGMENT_HEADER_SIZE
    written: int = SEGMENT_HEADER_SIZE
    number: int = 0
    synced: int = 0
    live: int = 0
    entries: int = 0
    next_id: int = 0
    pending: list[Staged] = attrs.field(factory=list)
    slot_bits: int = 0
    batch: Batch = attrs.field(factory=Batch)
    broken: str = ""
    generation: int = 0
    _parts: list[bytes | memoryview] = attrs.field(factory=list, init=False)
    _file: File | None = attrs.field(default=None, init=False)
    _unsynced: list[File] = attrs.field(factory=list, init=False)
    _points: list[Point] = attrs.field(factory=list, init=False)
    _new_names: bool = attrs.field(default=False, init=False)
    _opened_at: float = attrs.field(default=0.0, init=False)

    @property
    def totals(self) -> Totals:
        """What the namespace comes to now."""
        return Totals(self.end, self.live, self.entries, self.next_id)

    @property
    def staged(self) -> bool:
        """Whether there are records that are not in a file yet."""
        return bool(self._parts)

    @property
    def age(self) -> float:
        """How many seconds the active segment has been written to."""
        return self.now() - self._opened_at

    def path(self, number: int) -> str:
        """Return where the data of a segment are."""
        return f"{self.data}/d{number}"

    def index_path(self, number: int) -> str:
        """Return where the index of a segment is."""
        return f"{self.index}/i{number}"

    def add(self, segment: Segment) -> None:
        """Have a segment that is there."""
        self.slots[segment.slot] = self.numbers[segment.number] = segment

    def resume(self, segment: Segment, end: int) -> None:
        """Write on in *segment*, from *end*."""
        self._file = File(segment.path, os.O_RDWR)
        self.active, self.end, self.written = segment, end, end
        self.slot_bits = segment.slot << SLOT_SHIFT
        self._opened_at = self.now()

    def begin(self) -> Segment:
        """Begin a new segment, and return it."""
        number = max(self.numbers, default=-1) + 1
        segment = Segment(number, number, self.path(number), self.index_path(number))
        head = self.header(number)
        segment.salt = head.salt
        try:
            for path in (segment.path, segment.index_path):
                with contextlib.suppress(FileNotFoundError):
                    Path(path).unlink()  # what an earlier try has left, which no segment knows
            file = File(segment.path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            self.disk.write(file.fd, [head.encode(DATA_MARK)], SEGMENT_HEADER_SIZE, 0)
            index = File(segment.index_path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            self.disk.write(index.fd, [head.encode(INDEX_MARK)], SEGMENT_HEADER_SIZE, 0)
        except OSError as error:
            raise self._refused("begin a segment", error) from error
        if self.active is not None:
            self._check_in()
            self.active.size = self.end
            if self._file is not None:
                self._unsynced.append(self._file)
        self._file, self._new_names = file, True
        self.active, self.slot_bits = segment, segment.slot << SLOT_SHIFT
        self.end = self.written = SEGMENT_HEADER_SIZE
        self._opened_at = self.now()
        segment.size = SEGMENT_HEADER_SIZE
        self.add(segment)
        return segment

    def header(self, number: int) -> SegmentHeader:
        """Return the header of a segment that is made now."""
        salt = secrets.randbits(63) + 1
        return SegmentHeader(number, salt, self.number + 1, self.next_id, int(self.now()), self.seed)

    def make_room(self, length: int) -> None:
        """Begin a new segment, if a record of *length* bytes would not fit into the active one."""
        if self.active is None or (self.end > SEGMENT_HEADER_SIZE and self.end + length > self.segment_size):
            self.begin()

    def append(  # noqa: PLR0917 - on the path of every write
        self, key: bytes, payload: bytes | memoryview, crc: int, before: int | None, flags: int, stamp: int
    ) -> int:
        """Stage a record and return its position; *before* is the key's position now.

        The caller has made room for it.
        """
        size, key_size, at = len(payload), len(key), self.end
        plain = HEADER_SIZE + key_size + size
        length = (plain + 7) & ~7
        self.number = number = self.number + 1
        older = 0 if before is None or flags & DELETED else self.filed(before)
        rest = BODY.pack(crc, size, number, older, stamp, flags, key_size) + key
        self._parts += (PREFIX.pack(MARK, crc32(rest, self.seed)), rest, payload, PADDING[length - plain])
        self.end = at + length
        span = SPANS_OF_SMALL[(length - 1) >> 6] if length <= SMALL else span_of(length)
        position = self.slot_bits | at << 5 | span
        kept = position | TOMBSTONE if flags & DELETED else position
        self.pending.append((key, kept, size, stamp, number, before))
        return position

    def append_run(self, keys: Sequence[bytes], payloads: Sequence[bytes], stamp: int) -> list[int]:
        """Stage many records of keys that have no position yet, and return their positions."""
        at, number, seed, slot_bits = self.end, self.number, self.seed, self.slot_bits
        parts, pending, pack, prefix = self._parts, self.pending, BODY.pack, PREFIX.pack
        positions = []
        for key, payload in zip(keys, payloads, strict=True):
            size = len(payload)
            plain = HEADER_SIZE + len(key) + size
            length = (plain + 7) & ~7
            number += 1
            rest = pack(crc32(payload), size, number, 0, stamp, 0, len(key)) + key
            parts += (prefix(MARK, crc32(rest, seed)), rest, payload, PADDING[length - plain])
            span = SPANS_OF_SMALL[(length - 1) >> 6] if length <= SMALL else span_of(length)
            position = slot_bits | at << 5 | span
            positions.append(position)
            pending.append((key, position, size, stamp, number, None))
            at += length
        self.end, self.number = at, number
        return positions

    def filed(self, position: int) -> int:
        """Return *position* as it is written to files: by the segment's number, not by its slot."""
        slot = position >> SLOT_SHIFT
        return self.slots[slot].number << SLOT_SHIFT | position & PLACE_MASK

    def flush(self) -> None:
        """Write what is staged; ZdbWriteError if that cannot be.

        Then the file is as it was before, and the owner undoes what it noted.
        """
        parts = self._parts
        if not parts:
            return
        file = self._file
        assert file is not None  # noqa: S101 - `append` has begun a segment
        try:
            self.disk.write(file.fd, parts, self.end - self.written, self.written)
        except OSError as error:
            self._parts = []
            self.end = self.written
            try:
                os.ftruncate(file.fd, self.written)
            except OSError as worse:
                self.broken = f"a write failed ({error}), and what it had written cannot be cut off ({worse})"
            refused = self._refused("write", error)
            self.batch.error = refused
            self.batch = Batch()
            raise refused from error
        self.batch.last = self.number
        self.batch = Batch()
        self.written = self.end
        parts.clear()

    def take_sync(self) -> Pending:
        """Return what is to be synced so that all that was written so far survives."""
        self._check_in()
        files = [*self._unsynced, *([self._file] if self._file is not None else [])]
        return Pending(files, self._new_names, self.number)

    def note_sync(self, done: Pending) -> None:
        """Note that what `take_sync` returned has been synced."""
        self._unsynced = [file for file in self._unsynced if file not in done.files]
        if done.names:
            self._new_names = False
        self.synced = max(self.synced, done.number)
        # Of those that are synced, the last of each segment says it all.
        points = self._points
        self._points = [
            point
            for point, later in zip_longest(points, points[1:])
            if later is None or later.number > self.synced or later.slot != point.slot
        ]

    def take_block(self, *, least: int = BLOCK_ENTRIES) -> Unindexed | None:
        """Return the next records that are to come into an index file, or None.

        They are synced, of one segment, and at least *least*, unless that segment is closed.
        """
        if not self._points:
            return None
        point = self._points[0]
        closed = self.active is None or point.slot != self.active.slot
        count = point.number - self.pending[0][_NUMBER] + 1 if self.pending else 0
        if point.number > self.synced or (count < least and not closed):
            return None
        # Numbers have gaps where batches failed.
        count = bisect_right(self.pending, point.number, key=itemgetter(_NUMBER))
        entries = [Entry(*staged[:5]) for staged in self.pending[:count]]
        return Unindexed(
            self.slots[point.slot], entries, point, closed and point.slot not in self._later_slots()
        )

    def write_block(self, block: Unindexed) -> None:
        """Put records into their index file; OSError if that cannot be. Needs no lock."""
        segment = block.segment
        data = encode_block(block.entries, segment.indexed, block.point.totals) if block.entries else b""
        if block.closes:
            data += encode_block((), block.point.totals.end, block.point.totals)
        self._append(segment.index_path, data)

    def close_index(self) -> None:
        """Note in the index of the active segment that it says all there is; OSError if that cannot be."""
        segment = self.active
        if segment is not None and not self.pending and segment.closed_at != self.end:
            self._append(segment.index_path, encode_block((), self.end, self.totals))
            segment.closed_at = self.end

    def note_block(self, block: Unindexed) -> None:
        """Forget records that are in an index file now."""
        del self.pending[: len(block.entries)]
        block.segment.indexed = block.point.totals.end
        # A sync may have come meanwhile, after which a later point of that segment says it all.
        self._points = [point for point in self._points if point is not block.point]

    def read(self, position: int) -> bytes:
        """Return the bytes at *position*, the whole record and perhaps more.

        Raises:
            ZdbMissingError: the segment is not on this disk.
            ZdbReadError: it cannot be read.

        """
        return self._read(position, SPANS[position & 255])

    def read_part(self, position: int, start: int, size: int) -> bytes:
        """Return *size* bytes of the record at *position*, from its byte *start* on."""
        return self._read(position + (start >> 3 << 8), start % 8 + size)[start % 8 :]

    def pending_of(self, segment: Segment) -> list[Entry]:
        """Return the records of *segment* that are in no index file yet."""
        slot = segment.slot
        return [Entry(*s[:5]) for s in self.pending if (s[_POSITION] & ~TOMBSTONE) >> SLOT_SHIFT == slot]

    def is_indexed(self, segment: Segment) -> bool:
        """Whether all records of a segment that is not written to are in its index file."""
        return segment is not self.active and not any(p.slot == segment.slot for p in self._points)

    def is_staged(self, position: int) -> bool:
        """Whether the record at *position* is in no file yet."""
        active = self.active
        return (
            active is not None
            and position >> SLOT_SHIFT == active.slot
            and (position >> 8 & 0x1FFFFFFF) << 3 >= self.written
        )

    def drop_staged(self, why: ZdbError) -> None:
        """Forget what is staged; those who wait for it get *why*."""
        self._parts = []
        self.end = self.written
        self.batch.error = why
        self.batch = Batch()

    def forget(self, segments: Sequence[Segment]) -> None:
        """Know nothing of *segments* any more."""
        gone = {segment.slot for segment in segments}
        self.pending = [s for s in self.pending if (s[_POSITION] & ~TOMBSTONE) >> SLOT_SHIFT not in gone]
        self._points = [point for point in self._points if point.slot not in gone]
        for segment in segments:
            self.descriptors.forget(segment)
            self.slots.pop(segment.slot, None)
            if self.numbers.get(segment.number) is segment:
                del self.numbers[segment.number]

    def head_of(self, position: int) -> Record | None:
        """Return the record at *position* without its payload, or None if it is damaged."""
        return parse(self.seed, self._read(position, _HEAD_SPAN))

    def close(self) -> None:
        """Let go of all files."""
        self._file = None
        self._unsynced.clear()
        for segment in self.numbers.values():
            self.descriptors.forget(segment)

    def _read(self, position: int, size: int) -> bytes:
        segment = self.slots.get(position >> SLOT_SHIFT)
        if segment is None:
            raise ZdbReadError(f"{self.name}: there is no segment {position >> SLOT_SHIFT}")
        try:
            file = segment.file or self.descriptors.get(segment)
            segment.used = True
            return os.pread(file.fd, size, (position >> 8 & 0x1FFFFFFF) << 3)
        except FileNotFoundError as error:
            raise ZdbMissingError(
                f"{self.name}: segment {segment.number} is not on this disk",
                segment=segment.number,
                hint=f"Bring {segment.path} back, or have a hook `missing-data` that does",
            ) from error
        except OSError as error:
            raise ZdbReadError(f"{self.name}: cannot read {segment.path}: {error}") from error

    def _append(self, path: str, data: bytes) -> None:
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

    def _later_slots(self) -> set[int]:
        return {point.slot for point in self._points[1:]}

    def _check_in(self) -> None:
        last = self._points[-1].number if self._points else 0
        if self.active is not None and self.pending and self.number > last:
            self._points.append(Point(self.number, self.active.slot, self.totals))

    def _refused(self, what: str, error: OSError) -> ZdbWriteError:
        return ZdbWriteError(
            f"{self.name}: cannot {what}: {error}", hint="Make room on the disk, or mend it, and try again"
        )

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import attrs

from statehold_zdb.engine._batch import Batch
from statehold_zdb.engine._blocks import TOMBSTONE, Block, Totals
from statehold_zdb.engine._crc import crc32
from statehold_zdb.engine._descriptors import File
from statehold_zdb.engine._disk import Disk
from statehold_zdb.engine._errors import ZdbError, ZdbWriteError
from statehold_zdb.engine._indexing import Indexing
from statehold_zdb.engine._position import OFFSET_MASK, SLOT_SHIFT, SMALL, SPAN_BITS, SPANS_OF_SMALL, span_of
from statehold_zdb.engine._record import BODY, DELETED, HEADER_SIZE, MARK, PADDING, PREFIX
from statehold_zdb.engine._segment import DATA_MARK, INDEX_MARK, Segment, SegmentHeader
from statehold_zdb.engine._segment import HEADER_SIZE as SEGMENT_HEADER_SIZE
from statehold_zdb.engine._segments import Segments

_CHUNK: Final = 1024 * 1024


@attrs.frozen(eq=False)
class Pending:
    """What is to be synced: files, perhaps the names of new ones, and up to which record that is."""

    files: list[File]
    names: bool
    number: int


@attrs.define(eq=False, kw_only=True)
class Log(Segments):
    """The files of one namespace, and the records that are not in them yet.

    Not for several threads at once: who owns it has a lock.

    Attributes:
        active: the segment that is written to, in a log that can be.
        end: where the next record of it will begin.
        number: of the last record.
        synced: the number of the last record that survives a loss of power.
        live, entries, next_id: what the namespace comes to, kept by its owner.
        batch: what is staged now.
        broken: why nothing can be written any more; empty while it can.
        undone: how often what was staged was undone.
        indexing: the records that are in no index file yet.

    """

    disk: Disk
    segment_size: int
    now: Callable[[], float]
    active: Segment | None = None
    end: int = SEGMENT_HEADER_SIZE
    written: int = SEGMENT_HEADER_SIZE
    number: int = 0
    synced: int = 0
    live: int = 0
    entries: int = 0
    next_id: int = 0
    slot_bits: int = 0
    batch: Batch = attrs.field(factory=Batch)
    broken: str = ""
    undone: int = 0
    indexing: Indexing = attrs.field(init=False)
    _parts: list[bytes | memoryview] = attrs.field(factory=list, init=False)
    _file: File | None = attrs.field(default=None, init=False)
    _unsynced: list[File] = attrs.field(factory=list, init=False)
    _new_names: bool = attrs.field(default=False, init=False)
    _opened_at: float = attrs.field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self.indexing = Indexing(disk=self.disk)

    @property
    def totals(self) -> Totals:
        """What the namespace comes to now."""
        return Totals(self.end, self.live, self.entries, self.next_id)

    @property
    def staged(self) -> bool:
        """Whether there are records that are not in a file yet."""
        return bool(self._parts)

    @property
    def has_records(self) -> bool:
        """Whether there may be records in its files, or staged."""
        return len(self.numbers) > 1 or self.end > SEGMENT_HEADER_SIZE

    @property
    def age(self) -> float:
        """How many seconds the active segment has been written to."""
        return self.now() - self._opened_at

    def resume(self, segment: Segment, end: int) -> None:
        """Write on in *segment*, from *end*."""
        self._file = File(segment.path, os.O_RDWR)
        self._new_names = True  # a crash may have come before they were synced
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
            self.indexing.note(self.number, self.active, self.totals, closes=True)
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
        self.indexing.pending.add(key, kept, size, stamp, number, before)
        return position

    def append_run(self, keys: Sequence[bytes], payloads: Sequence[bytes], stamp: int) -> list[int]:
        """Stage many records of keys that have no position yet, and return their positions."""
        at, number, seed, slot_bits = self.end, self.number, self.seed, self.slot_bits
        parts, pack, prefix = self._parts, BODY.pack, PREFIX.pack
        sizes = list(map(len, payloads))
        positions = []
        for key, payload, size in zip(keys, payloads, sizes, strict=True):
            key_size = len(key)
            plain = HEADER_SIZE + key_size + size
            length = (plain + 7) & ~7
            number += 1
            rest = pack(crc32(payload), size, number, 0, stamp, 0, key_size) + key
            parts += (prefix(MARK, crc32(rest, seed)), rest, payload, PADDING[length - plain])
            span = SPANS_OF_SMALL[(length - 1) >> 6] if length <= SMALL else span_of(length)
            positions.append(slot_bits | at << 5 | span)
            at += length
        self.indexing.pending.add_run(keys, positions, sizes, stamp, self.number + 1)
        self.end, self.number = at, number
        return positions

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
        self.indexing.note_sync(self.synced)

    def write_again(self) -> None:
        """Write once more what a failed sync was about: the kernel takes it for written from then on."""
        for segment in self.numbers.values():
            if segment is not self.active and self.indexing.is_indexed(segment):
                continue
            at = segment.indexed
            try:
                file = File(segment.path, os.O_RDWR)
                while data := os.pread(file.fd, _CHUNK, at):
                    self.disk.write(file.fd, [data], len(data), at)
                    at += len(data)
            except OSError as error:
                raise self._refused(f"write {segment.path} again", error) from error

    def close_index(self) -> None:
        """Note in the index of the active segment that it says all there is; OSError if that cannot be."""
        segment = self.active
        if segment is not None and not self.indexing.pending and segment.closed_at != self.end:
            self.indexing.append(segment.index_path, Block.of((), self.end, self.totals).encode())
            segment.closed_at = self.end

    def is_indexed(self, segment: Segment) -> bool:
        """Whether all records of a segment that is not written to are in its index file."""
        return segment is not self.active and self.indexing.is_indexed(segment)

    def is_staged(self, position: int) -> bool:
        """Whether the record at *position* is in no file yet."""
        active = self.active
        return (
            active is not None
            and position >> SLOT_SHIFT == active.slot
            and (position >> SPAN_BITS & OFFSET_MASK) << 3 >= self.written
        )

    def drop_staged(self, why: ZdbError) -> None:
        """Forget what is staged; those who wait for it get *why*."""
        self._parts = []
        self.end = self.written
        self.batch.error = why
        self.batch = Batch()

    def forget(self, segments: Sequence[Segment]) -> None:
        """Know nothing of *segments* any more."""
        self.indexing.forget(segments)
        Segments.forget(self, segments)

    def close(self) -> None:
        """Let go of all files."""
        self._file = None
        self._unsynced.clear()
        for segment in self.numbers.values():
            self.descriptors.forget(segment)

    def _check_in(self) -> None:
        if self.active is not None:
            self.indexing.note(self.number, self.active, self.totals)

    def _refused(self, what: str, error: OSError) -> ZdbWriteError:
        return ZdbWriteError(
            f"{self.name}: cannot {what}: {error}", hint="Make room on the disk, or mend it, and try again"
        )

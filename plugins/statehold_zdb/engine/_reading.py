from __future__ import annotations

import struct
from collections.abc import Iterator
from os import pread
from pathlib import Path
from typing import Final, NamedTuple

import attrs

from statehold_zdb.engine._blocks import Entry, read_blocks
from statehold_zdb.engine._core import Core
from statehold_zdb.engine._crc import crc32
from statehold_zdb.engine._errors import ZdbCursorError, ZdbMissingError, ZdbReadError
from statehold_zdb.engine._keys import ID_SIZE
from statehold_zdb.engine._missing import Fetching
from statehold_zdb.engine._position import OFFSET_MASK, PLACE_MASK, SLOT_SHIFT, SPAN_BITS, SPAN_MASK, SPANS
from statehold_zdb.engine._record import HEADER_SIZE, MARK, Record, parse
from statehold_zdb.engine._scan import Cursor, Page, Scanner

_SMALL: Final = 4096
#: What a GET needs of the first bytes of a record: the mark, the payload's CRC and size, the size of the key.
_ESSENCE: Final = struct.Struct("<4s4xII21xB2x").unpack_from


class Version(NamedTuple):
    """A value that a key had: what leads to the one before it, when it was written, and the payload."""

    before: bytes | None
    stamp: int
    payload: bytes


@attrs.define(eq=False, kw_only=True)
class Reading(Core):
    """The reading side of a namespace."""

    _fetching: Fetching = attrs.field(init=False)
    _scanner: Scanner = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self._fetching = Fetching(self._bring)
        self._scanner = Scanner(
            segments=self._segments,
            pending=self._pending,
            get=lambda key: self._keys.get(key),  # noqa: PLW0108 - a reload brings other keys
            generation=lambda: self._log.generation,
            version=lambda segment: (segment, segment.indexed, self._log.number),
        )

    def get(self, key: bytes) -> bytes | None:
        """Return what stands under *key*, or None.

        A segment that is missing is asked for, and waited for up to the engine's limit.

        Raises:
            ZdbMissingError: it did not come.
            ZdbReadError: what stands there cannot be read, or is not what was written.

        """
        try:
            found = self.find(key)
        except ZdbMissingError as missing:
            found = self._find_far(key)
            if found is None:
                self.fetch(missing)
                found = self.find(key)
        return found if found is None or found.__class__ is bytes else bytes(found)

    def find(self, key: bytes) -> bytes | memoryview | None:
        """Return what `get` does; what is not small as a view of the bytes that were read.

        Raises:
            ZdbMissingError: its segment is not on this disk; `fetch` asks for it.
            ZdbReadError: as `get`.

        """
        if self.settings.freeze or self.closed:
            self._check_read()
        position = self._keys.get(key)
        if position is None:
            return None
        try:
            segment = self._log.slots[position >> SLOT_SHIFT]
            segment.used = True
            file = segment.file or self.descriptors.get(segment)
            data = pread(file.fd, SPANS[position & SPAN_MASK], (position >> SPAN_BITS & OFFSET_MASK) << 3)
            mark, crc, size, key_size = _ESSENCE(data)
        except (OSError, KeyError, struct.error):
            return self._find_again(key)
        start = HEADER_SIZE + key_size
        payload = data[start : start + size] if size <= _SMALL else memoryview(data)[start : start + size]
        if mark == MARK and data[HEADER_SIZE:start] == key and len(payload) == size and crc32(payload) == crc:
            return payload
        return self._find_again(key)

    def _find_far(self, key: bytes) -> bytes | memoryview | None:
        """Return what `find` does, of a segment that is elsewhere, or None where only the whole one helps."""
        position = self._keys.get(key)
        segment = None if position is None else self._log.slots.get(position >> SLOT_SHIFT)
        if position is None or segment is None:
            return None
        offset = (position >> 8 & OFFSET_MASK) << 3
        data = self.on_missing_range(self, segment, offset, SPANS[position & 255])
        record = None if data is None else parse(self._log.seed, data)
        if data is None or record is None or record.key != key:
            return None
        payload = memoryview(data)[record.start : record.start + record.size]
        return payload if len(payload) == record.size and crc32(payload) == record.crc else None

    def fetch(self, missing: ZdbMissingError) -> None:
        """Ask for a missing segment, and wait for it; raise *missing* if it does not come in time."""
        if not self._fetching.wait(missing.segment, self.options.fetch_limit):
            raise missing

    def _bring(self, number: int) -> bool:
        segment = self._log.numbers.get(number)
        if segment is None:
            return True  # what a compaction has removed meanwhile is elsewhere in what is here
        came = self.on_missing(self, segment)
        with self._lock:
            if number not in self._log.numbers:  # removed meanwhile: no start is to find it
                Path(segment.path).unlink(missing_ok=True)
        return came

    @property
    def fetching(self) -> Fetching:
        """What asks for missing segments."""
        return self._fetching

    def exists(self, key: bytes) -> bool:
        """Whether something stands under *key*; nothing is read for it."""
        self._check_read()
        return self._keys.get(key) is not None

    def entry(self, key: bytes) -> Entry | None:
        """Return what is known of *key* without its payload; None if nothing stands there."""
        self._check_read()
        with self._lock:
            position = self._keys.get(key)
            return None if position is None else self._entry_at(position)

    def check(self, key: bytes) -> bool | None:
        """Whether what stands under *key* is what was written; None if nothing does.

        Raises:
            ZdbMissingError: its segment is not on this disk.

        """
        try:
            return True if self.find(key) is not None else None
        except ZdbMissingError:
            raise
        except ZdbReadError:
            return False

    def cursor(self, key: bytes) -> bytes | None:
        """Return the cursor by which a scan goes on after *key*, or None if nothing stands there."""
        with self._lock:
            entry = self.entry(key)
            if entry is None:
                return None
            return Cursor(entry.number, self._log.slots[entry.position >> SLOT_SHIFT].number).encode()

    def scan(self, cursor: bytes | None = None, *, backward: bool = False, limit: int = 1000) -> Page | None:
        """Return the next keys in the order in which they were written last; None if there are no more.

        Raises:
            ZdbCursorError: *cursor* is none.

        """
        self._check_read()
        return self._scanner.page(cursor, backward=backward, limit=limit)

    def keys(self) -> Iterator[bytes]:
        """Yield all keys, in no order, as they were at the call."""
        self._check_read()
        with self._lock:
            items = self._keys.items()
        return (key for key, _ in items)

    def history(self, key: bytes, before: bytes | None = None, *, waits: bool = True) -> Version | None:
        """Return what stands under *key*, or, by the `before` of a version, the one before it; or None.

        Raises:
            ZdbCursorError: *before* is none of this key.
            ZdbMissingError: its segment did not come; not *waits*: or would have to be waited for.

        """
        while True:
            log, generation = self._log, self._log.generation
            try:
                return self._version(key, before, waits=waits)
            except (ZdbReadError, ZdbCursorError):
                # A compaction may have put it elsewhere while it was read.
                if log is self._log and generation == log.generation:
                    raise

    def _version(self, key: bytes, before: bytes | None, *, waits: bool) -> Version | None:
        self._check_read()
        with self._lock:
            self._flush()
            position = self._keys.get(key) if before is None else self._place(before)
        if position is None:
            return None
        try:
            found = self._raw(position)
        except ZdbMissingError as missing:
            if not waits:
                raise
            self.fetch(missing)
            found = self._raw(position)
        if found is None:
            raise ZdbCursorError(
                f"{self.name}: no version stands there any more", hint="A compaction removes older versions"
            )
        record, payload = found
        if record.key != key:
            raise ZdbCursorError(f"{self.name}: a version of another key", hint="invalid key")
        older = self._has(record.before, record)
        return Version(record.before.to_bytes(8, "little") if older else None, record.stamp, payload)

    def raw(self, segment: int, offset: int) -> tuple[Record, bytes] | None:
        """Return the record at *offset* in the data of *segment*, or None if no whole one is there."""
        with self._lock:
            self._flush()
            found = self._log.numbers.get(segment)
        if found is None or offset % 8 or not 0 <= offset >> 3 <= OFFSET_MASK:
            return None
        return self._raw(found.slot << SLOT_SHIFT | offset << 5)

    def _find_again(self, key: bytes) -> bytes | None:
        """Do what `find` does when nothing moves meanwhile, and tell what is wrong."""
        with self._lock:
            self._flush()
            position = self._keys.get(key)
            if position is None:
                return None
            try:
                found = self._raw(position)
            except ZdbMissingError:
                raise
            except ZdbReadError:
                self._note_error(writing=False)
                raise
            if found is None or found[0].key != key:
                self._note_error(writing=False)
                segment = self._log.slots[position >> SLOT_SHIFT]
                raise ZdbReadError(
                    f"{self.name}: key {key!r}: what stands at {(position >> 8 & OFFSET_MASK) << 3} in "
                    f"{segment.path} is not what was written",
                    hint="Bring the segment back from a copy, or write the key anew",
                )
            return found[1]

    def _raw(self, position: int) -> tuple[Record, bytes] | None:
        """Return the record at *position*, and its payload, if the CRCs of both hold."""
        record = self._log.head_of(position)
        if record is None:
            return None
        data = self._log.read_part(position, record.start, record.size)
        return (record, data) if len(data) == record.size and crc32(data) == record.crc else None

    def _entry_at(self, position: int) -> Entry:
        """Return what is known of the record at *position*, from its data or, without them, the index."""
        if self._log.is_staged(position):
            self._flush()
        try:
            record = self._log.head_of(position)
        except ZdbReadError:
            record = None
        if record is not None:
            return Entry(record.key, position, record.size, record.stamp, record.number)
        segment = self._log.slots[position >> SLOT_SHIFT]
        for entry in self._log.indexing.pending_of(segment):
            if entry.position == position:
                return entry
        place = position & PLACE_MASK
        for _, block in read_blocks(segment.index_path, salt=segment.salt or None):
            for i, found in enumerate(block.positions):
                if found & PLACE_MASK == place:
                    return Entry(block.keys[i], position, block.sizes[i], block.stamps[i], block.numbers[i])
        raise ZdbReadError(f"{self.name}: neither data nor index know a record of segment {segment.number}")

    def _place(self, before: bytes) -> int:
        filed = int.from_bytes(before, "little")
        segment = self._log.numbers.get(filed >> SLOT_SHIFT)
        if len(before) != ID_SIZE or segment is None:
            raise ZdbCursorError(f"{self.name}: expected what HISTORY returned", hint="index query")
        return segment.slot << SLOT_SHIFT | filed & PLACE_MASK

    def _has(self, before: int, record: Record) -> bool:
        """Whether the version before *record* is still there, as far as can be seen without fetching it."""
        if not before:
            return False
        segment = self._log.numbers.get(before >> SLOT_SHIFT)
        if segment is None:
            return False
        try:
            older = self._log.head_of(segment.slot << SLOT_SHIFT | before & PLACE_MASK)
        except ZdbMissingError:
            return True
        return older is not None and older.key == record.key and older.number < record.number

"""What the data of a segment say, record by record: for what no index file knows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final, NamedTuple

from statehold_zdb.engine._blocks import TOMBSTONE, Entry
from statehold_zdb.engine._crc import crc32
from statehold_zdb.engine._position import pack
from statehold_zdb.engine._record import (
    DELETED,
    HEADER,
    HEADER_SIZE,
    MARK,
    MAX_PAYLOAD,
    MAX_RECORD,
    MORE,
    parse,
)

_CHUNK: Final = 4 * 1024 * 1024


class Stretch(NamedTuple):
    """Records that follow one another.

    Attributes:
        entries: the records.
        start: where the first of them begins.
        end: where the last of them ends.

    """

    entries: list[Entry]
    start: int
    end: int


def replay(fd: int, seed: int, start: int, size: int, slot: int, *, most: int) -> Iterator[Stretch]:
    """Yield the records from *start* on whose CRCs hold, in stretches of about *most*.

    What is damaged is passed over: a stretch that does not begin where the one before ended begins after
    damage, and what comes after the last one is no record. A batch that was not written to its end is none,
    either.
    """
    at: int | None = start
    chunk = _CHUNK
    while at is not None and at < size:
        found = _read(fd, seed, at, slot=slot, chunk=chunk, most=most)
        if found.goes_on and found.whole:
            # What is there of a batch that goes on beyond the chunk is read again.
            yield Stretch(found.entries[: found.whole], at, found.whole_end)
            at, chunk = found.whole_end, _CHUNK
        elif found.goes_on and found.entries and at + chunk < size:
            chunk *= 2
        else:
            later = find_record(fd, seed, found.end + (0 if found.goes_on else 8), size)
            # In the middle, what is left of a damaged batch counts: it had been written to its end.
            count, end = (found.whole, found.whole_end) if later is None else (len(found.entries), found.end)
            if count:
                yield Stretch(found.entries[:count], at, end)
            at, chunk = later, _CHUNK


class _Found(NamedTuple):
    """Records that follow one another, up to `end`; the first `whole` of them, up to `whole_end`, as batches.

    `goes_on` says that what follows was not read, and may be a record.
    """

    entries: list[Entry]
    end: int
    whole: int
    whole_end: int
    goes_on: bool


def _read(fd: int, seed: int, base: int, *, slot: int, chunk: int, most: int) -> _Found:
    unpack, header_size, mark = HEADER.unpack_from, HEADER_SIZE, MARK
    data = os.pread(fd, chunk, base)
    off = whole = whole_end = 0
    entries: list[Entry] = []
    goes_on = True
    while len(entries) < most or whole < len(entries):
        if len(data) - off < header_size:
            break
        found, check, crc, length, number, _, stamp, flags, key_size = unpack(data, off)
        key_at = off + header_size
        body = key_at + key_size
        end = off + ((header_size + key_size + length + 7) & ~7)
        if found != mark or length > MAX_PAYLOAD:
            goes_on = False
            break
        if end > len(data):
            if off == 0 and len(data) < MAX_RECORD:  # larger than what was read at once
                data = os.pread(fd, MAX_RECORD, base)
                if end <= len(data):
                    continue
                goes_on = False
            break
        key = data[key_at:body]
        payload = memoryview(data)[body : body + length] if length > 4096 else data[body : body + length]
        if crc32(key, crc32(data[off + 8 : key_at], seed)) != check or crc32(payload) != crc:
            goes_on = False
            break
        position = pack(slot, base + off, end - off)
        if flags & DELETED:
            position |= TOMBSTONE
        entries.append(Entry(key, position, length, stamp, number))
        off = end
        if not flags & MORE:
            whole, whole_end = len(entries), off
    return _Found(entries, base + off, whole, base + whole_end, goes_on)


def find_record(fd: int, seed: int, start: int, size: int) -> int | None:
    """Return where, from *start* on, the first record stands whose CRCs hold, or None."""
    at = start
    while at < size:
        data = os.pread(fd, _CHUNK, at)
        off = data.find(MARK)
        while off >= 0:
            if (at + off) % 8 == 0 and is_record(fd, seed, at + off):
                return at + off
            off = data.find(MARK, off + 1)
        if len(data) < _CHUNK:
            return None
        at += len(data) - len(MARK)
    return None


def is_record(fd: int, seed: int, at: int) -> bool:
    """Whether a record stands at *at* whose CRCs hold."""
    record = parse(seed, os.pread(fd, HEADER_SIZE + 255, at))
    if record is None or record.size > MAX_PAYLOAD:
        return False
    rest = record.length - record.start  # with the zeros behind it, which a crash may have cut
    data = os.pread(fd, rest, at + record.start)
    return len(data) == rest and crc32(data[: record.size]) == record.crc

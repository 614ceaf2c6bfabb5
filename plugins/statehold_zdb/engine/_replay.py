"""What the data of a segment say, record by record: for what no index file knows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final, NamedTuple
from zlib import crc32

from statehold_zdb.engine._blocks import TOMBSTONE, Entry
from statehold_zdb.engine._position import pack
from statehold_zdb.engine._record import DELETED, HEADER, HEADER_SIZE, MARK, MAX_PAYLOAD, MAX_RECORD, parse

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
    """Yield the records from *start* on whose CRCs hold, in stretches of at most *most*.

    What is damaged is passed over: a stretch that does not begin where the one before ended begins after
    damage, and what comes after the last one is no record.
    """
    unpack, header_size, mark = HEADER.unpack_from, HEADER_SIZE, MARK
    at: int | None = start
    while at is not None and at < size:
        base, data = at, os.pread(fd, _CHUNK, at)
        off = 0
        entries: list[Entry] = []
        whole = True
        while len(entries) < most:
            if len(data) - off < header_size:
                break
            found, check, crc, length, number, _, stamp, flags, key_size = unpack(data, off)
            key_at = off + header_size
            body = key_at + key_size
            end = off + ((header_size + key_size + length + 7) & ~7)
            if found != mark or length > MAX_PAYLOAD:
                whole = False
                break
            if end > len(data):
                if off == 0:  # larger than what was read at once
                    data = os.pread(fd, MAX_RECORD, base)
                    if end <= len(data):
                        continue
                    whole = False
                break
            key = data[key_at:body]
            if (
                crc32(key, crc32(data[off + 8 : key_at], seed)) != check
                or crc32(
                    memoryview(data)[body : body + length] if length > 4096 else data[body : body + length]
                )
                != crc
            ):
                whole = False
                break
            position = pack(slot, base + off, end - off)
            if flags & DELETED:
                position |= TOMBSTONE
            entries.append(Entry(key, position, length, stamp, number))
            off = end
        if entries:
            yield Stretch(entries, base, base + off)
        if entries and whole:
            at = base + off
            if size - at < header_size:
                return
        else:
            at = find_record(fd, seed, base + off + 8, size)


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
    payload = os.pread(fd, record.size, at + record.start)
    return len(payload) == record.size and crc32(payload) == record.crc

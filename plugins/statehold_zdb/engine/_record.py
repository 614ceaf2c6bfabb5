"""Records, as they stand in a segment.

A record is a header of 40 bytes, the key, the payload, and zeros up to a multiple of 8. The header has a mark
by which records are found again after damage, a CRC of the rest of the header and the key, and a CRC of the
payload: a header can be believed without its payload having been read. The CRC of the header begins with the
seed of the namespace, so that the segment of another one, stored here as a payload, is never taken for
records.

CRCs are `zlib.crc32`: of what Python brings it is the fastest at every size, 0.1 us for a header and 4 to 7
GiB/s for large payloads, and it needs no further library.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from statehold_zdb.engine._crc import crc32

MARK: Final = b"\xf5zR\x01"
PREFIX: Final = struct.Struct("<4sI")
BODY: Final = struct.Struct("<IIQQIBBxx")
HEADER: Final = struct.Struct("<4sIIIQQIBBxx")
HEADER_SIZE: Final = HEADER.size
#: Flags: a tombstone; a record of a batch that is not its last.
DELETED: Final = 1
MORE: Final = 2
PADDING: Final = tuple(bytes(i) for i in range(8))

MAX_KEY: Final = 255
MAX_PAYLOAD: Final = 8 * 1024 * 1024
MAX_RECORD: Final = (HEADER_SIZE + MAX_KEY + MAX_PAYLOAD + 7) & ~7


class Record(NamedTuple):
    """What stands at one place of a segment.

    Attributes:
        key: the key.
        size: the bytes of the payload.
        crc: the CRC of the payload.
        number: which record of the namespace it is, from 1; later ones have larger numbers.
        before: the position of the version before, by file; 0 if there is none.
        stamp: when it was written, in seconds since 1970.
        flags: `DELETED`, `MORE`.
        start: where the payload begins, counted from the start of the record.

    """

    key: bytes
    size: int
    crc: int
    number: int
    before: int
    stamp: int
    flags: int
    start: int

    @property
    def length(self) -> int:
        """How many bytes the record takes in its segment."""
        return (self.start + self.size + 7) & ~7


def parse(seed: int, data: bytes, at: int = 0) -> Record | None:
    """Return the record whose header and key stand at *at*, or None where none does, or a damaged one."""
    if len(data) - at < HEADER_SIZE:
        return None
    mark, check, crc, size, number, before, stamp, flags, key_size = HEADER.unpack_from(data, at)
    if mark != MARK:
        return None
    start = HEADER_SIZE + key_size
    key = data[at + HEADER_SIZE : at + start]
    if len(key) != key_size or crc32(key, crc32(data[at + 8 : at + HEADER_SIZE], seed)) != check:
        return None
    return Record(key, size, crc, number, before, stamp, flags, start)


def alone(seed: int, record: Record, data: bytes) -> bytes:
    """Return the bytes of *record*, *data*, as one that is of no batch.

    Of a batch that was written to its end a compaction may keep some records; without the others they are
    not to be taken for one that was not.
    """
    if not record.flags & MORE:
        return data
    flags, key_size = record.flags & ~MORE, len(record.key)
    rest = BODY.pack(record.crc, record.size, record.number, record.before, record.stamp, flags, key_size)
    head = PREFIX.pack(MARK, crc32(record.key, crc32(rest, seed))) + rest
    return head + data[HEADER_SIZE:]

"""Segments: a file of records, `d7`, and beside it, in the folder of the index, `i7`.

Data is the truth; an index file says the same in less, and is made anew from the data when it is lost. Both
begin with a header of 64 bytes. The salt in it tells a segment from what it was before it was compacted: an
index of another salt is not of these data.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

import attrs

from statehold_zdb.engine._crc import crc32

if TYPE_CHECKING:
    from statehold_zdb.engine._cut import Part
    from statehold_zdb.engine._descriptors import File

HEADER: Final = struct.Struct("<8sIIQQQQI8xI")
HEADER_SIZE: Final = HEADER.size
DATA_MARK: Final = b"zdbSDATA"
INDEX_MARK: Final = b"zdbSINDX"
VERSION: Final = 1


class SegmentHeader(NamedTuple):
    """What a file of a segment says of itself.

    Attributes:
        number: of the segment.
        salt: made anew whenever the data are.
        first: the number that the segment's first record has, or a later one.
        next_id: the next key of a sequential namespace, when the segment was begun.
        created: when, in seconds since 1970.
        seed: of the namespace, with which the CRCs of its records begin.

    """

    number: int
    salt: int
    first: int
    next_id: int
    created: int
    seed: int

    def encode(self, mark: bytes) -> bytes:
        """Return the bytes that a file begins with."""
        body = HEADER.pack(mark, VERSION, *self, 0)[:-4]
        return body + crc32(body).to_bytes(4, "little")

    @classmethod
    def decode(cls, data: bytes, mark: bytes) -> SegmentHeader | None:
        """Return what a file's first bytes say, or None if they say nothing that can be believed."""
        if len(data) < HEADER_SIZE or crc32(data[: HEADER_SIZE - 4]) != int.from_bytes(
            data[HEADER_SIZE - 4 : HEADER_SIZE], "little"
        ):
            return None
        found, version, *rest, _ = HEADER.unpack_from(data)
        return cls(*rest) if found == mark and version == VERSION else None


@attrs.define(eq=False)
class Segment:
    """One segment of a namespace.

    Attributes:
        number: what its files are called by; records of higher numbers are later.
        slot: what stands for it in positions: its number, or, of one that was compacted since the
            namespace was opened, another one.
        path: the file of the data.
        index_path: the file of the index.
        salt: of its header; 0 where that cannot be read.
        size: the bytes of data; None where they are not on this disk.
        indexed: up to where its records are in the index file.
        closed_at: where the data ended when the index file was last said to be whole.
        dirty: whether its files have changed since a hook heard of them.
        file: the data, while they are open.
        used: whether it was read from since somebody last took the mark away.
        part: what a cut says of it, once it is closed.

    """

    number: int
    slot: int
    path: str
    index_path: str
    salt: int = 0
    size: int | None = None
    indexed: int = HEADER_SIZE
    closed_at: int = 0
    dirty: bool = False
    file: File | None = None
    used: bool = False
    part: Part | None = None


def read_header(path: str, mark: bytes) -> SegmentHeader | None:
    """Return the header of a file, or None where it is damaged; OSError where the file cannot be read."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return SegmentHeader.decode(os.pread(fd, HEADER_SIZE, 0), mark)
    finally:
        os.close(fd)

"""What a server and its namespaces take of a disk.

A namespace of *size* payload bytes takes a quarter more, and two segments. That is enough for payloads of 32
KiB on average with keys of any length: a record and its index entry add at most 600 bytes, and on btrfs a
write that is synced by itself takes up to a block more. The rest is what compaction leaves (it begins where a
fifth of a segment is not needed), and a segment that is written to.

One segment, and half of what the server needs for itself, is held back: who is full needs it to compact, and
to delete.
"""

from __future__ import annotations

from typing import Final

#: The part of a closed segment that nobody needs, from which the server writes it anew.
COMPACT_AT: Final = 0.2
#: Bytes that a server needs beside its namespaces.
SERVER_ROOM: Final = 4 * 1024**2
_SMALLEST: Final = 1024**2
_LARGEST: Final = 64 * 1024**2


def segment_of(size: int) -> int:
    """Return the bytes of a segment where the largest namespace holds *size* bytes."""
    segment = _SMALLEST
    while segment < _LARGEST and segment * 64 < size:
        segment *= 2
    return segment


def room_of(size: int) -> int:
    """Return the bytes of a pool that a namespace of *size* payload bytes takes."""
    return size + size // 4 + 2 * segment_of(size)


def held_back(largest: int) -> int:
    """Return the bytes that a server cannot write, where its largest namespace holds so many."""
    return SERVER_ROOM // 2 + segment_of(largest)

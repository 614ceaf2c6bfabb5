"""Where the events of a workspace stand in the log of its partition: 32 of them in a row of the store."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from statehold.events._errors import LogError

#: How many events a row tells of.
BLOCK: Final = 32
_HEAD: Final = struct.Struct(">I")
_PLACE: Final = struct.Struct(">Q")


def begun(partition: int) -> bytes:
    """Return the row of a block without events, of a workspace in a partition."""
    return _HEAD.pack(partition)


def extended(row: bytes, offset: int) -> bytes:
    """Return the row with one event more, which has an offset in the log of the partition."""
    return row + _PLACE.pack(offset)


def count(row: bytes) -> int:
    """Return of how many events a row tells."""
    return (len(row) - _HEAD.size) // _PLACE.size


def places(row: bytes) -> Iterator[tuple[int, int]]:
    """Yield partition and offset of each event that a row tells of.

    Raises:
        LogError: it is no such row.

    """
    if len(row) % _PLACE.size != _HEAD.size:
        raise LogError(f"expected where events of a workspace stand, got {row[:40]!r}")
    (partition,) = _HEAD.unpack_from(row)
    return ((partition, offset) for (offset,) in _PLACE.iter_unpack(row[_HEAD.size :]))

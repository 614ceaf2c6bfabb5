"""Where the events of a workspace stand in the log of its partition: 32 of them in a row of the store."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

import msgspec

from statehold.events._errors import LogError

#: How many events a row tells of.
BLOCK: Final = 32
_HEAD: Final = struct.Struct(">I")
#: The offset of an event, and how many stand before it in its row.
_PLACE: Final = struct.Struct(">QH")
_FULL: Final = _HEAD.size + BLOCK * _PLACE.size


class Mark(msgspec.Struct, frozen=True, gc=False):
    """Where a workspace goes on.

    Attributes:
        offset: the offset in its log of its next event.
        next_id: the id of its next record.
        block: the row of its log that tells of its last events.

    """

    offset: int
    next_id: int
    block: bytes


def begun(partition: int) -> bytes:
    """Return the row of a block without events, of a workspace in a partition."""
    return _HEAD.pack(partition)


def extended(row: bytes, offset: int, before: int) -> bytes:
    """Return the row with one event more, or after a full row the next one, with that event alone.

    Args:
        row: what it is now.
        offset: the event's offset in the log of the partition.
        before: how many events stand before it in its row there.

    """
    if len(row) == _FULL:
        row = row[: _HEAD.size]
    return row + _PLACE.pack(offset, before)


def count(row: bytes) -> int:
    """Return of how many events a row tells."""
    return (len(row) - _HEAD.size) // _PLACE.size


def places(row: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield of each event that a row tells of its partition, its offset, and how many stand before it.

    Raises:
        LogError: it is no such row.

    """
    if len(row) % _PLACE.size != _HEAD.size:
        raise LogError(f"expected where events of a workspace stand, got {row[:40]!r}")
    (partition,) = _HEAD.unpack_from(row)
    return ((partition, offset, before) for offset, before in _PLACE.iter_unpack(row[_HEAD.size :]))

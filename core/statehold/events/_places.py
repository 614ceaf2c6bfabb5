"""Where the events of a workspace stand in the log of its partition: 32 of them in a row of the store."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
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


#: Returns what a row has for an event: its offset, and how many events stand before it in its row there.
place: Final[Callable[[int, int], bytes]] = _PLACE.pack


def blocks_with(row: bytes, start: int, new: bytes) -> dict[int, bytes]:
    """Return the rows, by their numbers, that tell of further events.

    Args:
        row: the last row before them.
        start: the offset of the first of them in the log of the workspace.
        new: their places, one after the other.

    """
    head, size = row[: _HEAD.size], BLOCK * _PLACE.size
    known = b"" if len(row) == _FULL else row[_HEAD.size :]
    told = known + new
    return {
        (start - 1) // BLOCK + number: head + told[at : at + size]
        for number, at in enumerate(range(0, len(told), size))
    }


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

"""The log of a partition: events that are committed together stand in one row, one after the other."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Final

import msgspec

from statehold.events._errors import LogError
from statehold.events._layout import PLOG
from statehold.rows import Row

#: A row that is longer takes no further event; each event is written once more with those after it.
_LONGEST: Final = 16_384
_SIZE: Final = struct.Struct(">I")


class LogRow(msgspec.Struct, frozen=True, gc=False):
    """A row that is being written.

    Attributes:
        first: the offset of its first event, which is its key.
        count: how many events it has.
        data: what stands in it.

    """

    first: int
    count: int
    data: bytes

    def with_event(self, event: bytes) -> LogRow:
        """Return the row with one event more, or after a long row the next one, with that event alone."""
        if len(self.data) > _LONGEST:
            return LogRow(self.first + self.count, 1, _SIZE.pack(len(event)) + event)
        return LogRow(self.first, self.count + 1, self.data + _SIZE.pack(len(event)) + event)


def split(first: int, data: bytes) -> list[bytes]:
    """Return the events that stand in a row, under the offset of the first one.

    Raises:
        LogError: it is no such row.

    """
    events = []
    at = 0
    while at < len(data):
        begin = at + _SIZE.size
        at = begin + int.from_bytes(data[at:begin], "big")
        events.append(data[begin:at])
    if at > len(data):
        raise LogError(
            f"what stands at offset {first} of the log is no event: expected {at} bytes, got {data[:40]!r}"
        )
    return events


def logged(read: Callable[..., Iterator[Row]], partition: int, start: int) -> Iterator[tuple[int, bytes]]:
    """Yield offset and bytes of each event in the log of a partition, from offset *start* on.

    Args:
        read: reads rows, as `RowStore.read`.
        partition: the number of the partition.
        start: the first offset that is wanted.

    """
    log = PLOG, partition
    rows = read(log, (start,))
    following = next(rows, None)
    if following is None or following.clustering[0] != start:
        # It may stand within the row before.
        yield from _events(read(log, (), (start,), limit=1, reverse=True), start)
    if following is not None:
        yield from _events(chain((following,), rows), start)


def _events(rows: Iterable[Row], start: int) -> Iterator[tuple[int, bytes]]:
    for row in rows:
        first: int = row.clustering[0]  # type: ignore[assignment]
        for offset, event in enumerate(split(first, row.value), first):
            if offset >= start:
                yield offset, event

"""The log of a partition: events that are committed together stand in one row, one after the other."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Final, TypeAlias

from statehold.events._errors import LogError
from statehold.events._event import Event
from statehold.events._layout import PLOG, WLOG
from statehold.events._places import blocks_with, place
from statehold.rows import Columns, Row

#: A row that is longer takes no further event: who reads one event reads its row.
_LONGEST: Final = 16_384
_SIZE: Final = struct.Struct(">I")


Rows: TypeAlias = dict[Columns, dict[Columns, bytes]]


def log_rows(
    partition: int, events: Sequence[tuple[Event, bytes]], block_of: Callable[[int], bytes]
) -> tuple[Rows, dict[int, bytes]]:
    """Return the rows of both logs once *events* stand there, and the last block of each workspace.

    Args:
        partition: the number of the partition.
        events: the next events of its log, each also as bytes.
        block_of: returns the last block of a workspace before them.

    """
    rows: Rows = {}
    if not events:
        return rows, {}
    log: dict[Columns, bytes] = {}
    row: list[bytes] = []
    new: dict[int, list[bytes]] = {}
    starts: dict[int, int] = {}
    first, length = events[0][0].offset, 0
    for event, data in events:
        if length > _LONGEST:
            log[first,] = b"".join(row)
            first, length, row = event.offset, 0, []
        row += (_SIZE.pack(len(data)), data)
        length += len(data)
        workspace = event.workspace
        if workspace not in new:
            new[workspace], starts[workspace] = [], event.wlog_offset
        new[workspace].append(place(event.offset, event.offset - first))
    log[first,] = b"".join(row)
    rows[PLOG, partition] = log
    last = {}
    for workspace, found in new.items():
        blocks = blocks_with(block_of(workspace), starts[workspace], b"".join(found))
        rows[WLOG, workspace] = {(number,): block for number, block in blocks.items()}
        last[workspace] = blocks[max(blocks)]
    return rows, last


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

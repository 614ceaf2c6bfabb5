from __future__ import annotations

from collections.abc import Iterator, Mapping

from statehold.rows import Columns, Row, encode

#: Sorts after every column.
_AFTER = b"\xff"


def merged(
    rows: Iterator[Row],
    changes: Mapping[Columns, bytes | None],
    *,
    start: Columns,
    stop: Columns | None,
    prefix: Columns,
    reverse: bool,
) -> Iterator[Row]:
    """Yield *rows* with *changes* of the same partition laid over them, None for rows that are removed.

    The other arguments are those by which *rows* were read, without a limit.
    """
    within = encode(prefix)
    low = within + encode(start)
    high = within + (_AFTER if stop is None else encode(stop))
    keys = {encode(clustering): clustering for clustering in changes}
    pending = sorted((key for key in keys if low <= key < high), reverse=reverse)
    place = 0
    for row in rows:
        key = encode(row.clustering)
        while place < len(pending) and (pending[place] > key if reverse else pending[place] < key):
            yield from _row(keys[pending[place]], changes)
            place += 1
        if place < len(pending) and pending[place] == key:
            yield from _row(row.clustering, changes)
            place += 1
        else:
            yield row
    for key in pending[place:]:
        yield from _row(keys[key], changes)


def _row(clustering: Columns, changes: Mapping[Columns, bytes | None]) -> Iterator[Row]:
    value = changes[clustering]
    if value is not None:
        yield Row(clustering, value)

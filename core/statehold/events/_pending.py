from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from statehold.events._merge import merged
from statehold.events._reader import Reader
from statehold.rows import Columns, Row, RowKey
from statehold.sdk import UNSET, UnsetType

if TYPE_CHECKING:
    from statehold.events._partition import PartitionData
    from statehold.events._schemas import Schemas


class Pending(Reader):
    """Changes of rows that are not in the store yet, and the rows as they would be with them.

    Attributes:
        around: what it lies in, whose changes it sees too; None for the store itself.
        changed: partition columns -> clustering columns -> value, None for a row that is removed.

    """

    __slots__ = ("around", "changed")

    def __init__(self, data: PartitionData, schemas: Schemas, around: Pending | None) -> None:
        super().__init__(data, schemas)
        self.around = around
        self.changed: dict[Columns, dict[Columns, bytes | None]] = {}

    def get(self, partition: Columns, clustering: Columns) -> bytes | None:
        """Return the value of a row, None if it is not there."""
        pending: Pending | None = self
        while pending is not None:
            rows = pending.changed.get(partition)
            if rows is not None and clustering in rows:
                return rows[clustering]
            pending = pending.around
        return self.data.get(partition, clustering)

    def get_many(self, keys: Sequence[RowKey]) -> list[bytes | None]:
        """Return the values of many rows, in the order of *keys*."""
        found = [self._pending(*key) for key in keys]
        stored = iter(
            self.data.store.get_many([key for key, value in zip(keys, found, strict=True) if value is UNSET])
        )
        return [next(stored) if value is UNSET else value for value in found]

    def read(
        self,
        partition: Columns,
        start: Columns = (),
        stop: Columns | None = None,
        *,
        prefix: Columns = (),
        limit: int | None = None,
        reverse: bool = False,
    ) -> Iterator[Row]:
        """Return rows of a partition in order, as `RowStore.read` does; changes made later are not in it."""
        changes = self._changes(partition)
        read = self.data.store.read
        if changes is None:
            return read(partition, start, stop, prefix=prefix, limit=limit, reverse=reverse)
        # The changes hide as many rows at most as there are changes.
        most = None if limit is None else limit + len(changes)
        rows = merged(
            read(partition, start, stop, prefix=prefix, limit=most, reverse=reverse),
            changes,
            start=start,
            stop=stop,
            prefix=prefix,
            reverse=reverse,
        )
        return rows if limit is None else islice(rows, limit)

    def put(self, partition: Columns, clustering: Columns, value: bytes) -> None:
        """Set a row."""
        rows = self.changed.get(partition)
        if rows is None:
            self.changed[partition] = {clustering: value}
        else:
            rows[clustering] = value

    def remove(self, partition: Columns, clustering: Columns) -> None:
        """Remove a row if it is there."""
        self.changed.setdefault(partition, {})[clustering] = None

    def merge_rows(self, inner: Pending) -> None:
        """Make the changes of *inner*, which lies in this one, its own."""
        changed = self.changed
        for partition, rows in inner.changed.items():
            # Those of the first stay, and those of all others go into them.
            own = changed.setdefault(partition, rows)
            if own is not rows:
                own.update(rows)

    def _pending(self, partition: Columns, clustering: Columns) -> bytes | UnsetType | None:
        """Return the value of a row that is not in the store yet, UNSET if it has not changed."""
        pending: Pending | None = self
        while pending is not None:
            rows = pending.changed.get(partition)
            if rows is not None and clustering in rows:
                return rows[clustering]
            pending = pending.around
        return UNSET

    def _changes(self, partition: Columns) -> Mapping[Columns, bytes | None] | None:
        """Return all changes of a partition that are not in the store yet, None for none."""
        pending: Pending | None = self
        found: dict[Columns, bytes | None] = {}
        while pending is not None:
            rows = pending.changed.get(partition)
            if rows:
                found = {**rows, **found}
            pending = pending.around
        return found or None

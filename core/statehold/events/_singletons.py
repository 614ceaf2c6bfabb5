from __future__ import annotations

from statehold.events import _layout as layout
from statehold.events._shape import decode, encode
from statehold.rows import CompareAndSwap, PutIfAbsent, RowStore


class Singletons:
    """The ids of an app's singletons, the same in every workspace; given out once, kept for ever."""

    def __init__(self, store: RowStore) -> None:
        self._store = store
        self._ids: dict[str, int] = {layout.DESCRIPTOR: layout.DESCRIPTOR_ID}

    def find(self, table: str) -> int | None:
        """Return the id of a table's singletons, None if there has been no such record yet."""
        record = self._ids.get(table)
        if record is None:
            self._load()
            record = self._ids.get(table)
        return record

    def take(self, table: str, wanted: int | None = None) -> int:
        """Return the id of a table's singletons: one that it has, *wanted*, or the next one."""
        while (record := self.find(table)) is None:
            row = self._load()
            ids = {**self._ids, table: wanted or max(self._ids.values()) + 1}
            change = (
                PutIfAbsent(layout.META, layout.SINGLETONS, encode(ids))
                if row is None
                else CompareAndSwap(layout.META, layout.SINGLETONS, row, encode(ids))
            )
            # Where another partition was faster, the next round sees what it has taken.
            self._store.write([change])
        return record

    def _load(self) -> bytes | None:
        row = self._store.get(layout.META, layout.SINGLETONS)
        if row is not None:
            self._ids = decode(row)
        return row

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final, TypeAlias

from statehold.events import _layout as layout
from statehold.rows import Change, Columns, Outcome, RowKey, RowStore

#: The rows that are asked for again and again; of uniques it is asked whether there is none.
_KINDS: Final = frozenset((layout.RECORDS, layout.VIEW))
#: How many rows are kept, and how long the value of one may be, in bytes.
_MOST: Final = 20_000
_LONGEST: Final = 2_000

Changed: TypeAlias = Mapping[Columns, Mapping[Columns, bytes | None]]


class _Reading:
    """Stands for a row that is being read."""


class _Writing:
    """Stands for a row that is being written."""


#: Stands for a row that several write at the same time: which of them comes last is not known.
_SEVERAL: Final = _Writing()


class RowCache:
    """Rows of records and views as they were last committed, for all partitions of one store.

    All who write such rows go through `write`. While a row is being written it is read from the store, so
    what was seen in the store is never taken back. What was not written or read for long goes first.
    """

    def __init__(self, store: RowStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._rows: dict[RowKey, bytes | _Reading | _Writing] = {}

    def get(self, partition: Columns, clustering: Columns) -> bytes | None:
        """Return the value of a row, None if it is not there."""
        if partition[0] not in _KINDS:
            return self._store.get(partition, clustering)
        key = partition, clustering
        found = self._rows.get(key)
        if type(found) is bytes:
            return found
        mine = _Reading()
        # Where another one reads or writes the row, it is his to keep.
        if found is not None or self._rows.setdefault(key, mine) is not mine:
            return self._store.get(partition, clustering)
        value: bytes | None = None
        try:
            value = self._store.get(partition, clustering)
        finally:
            with self._lock:
                if self._rows.get(key) is mine:
                    self._keep(key, value)
                    self._shrink()
        return value

    def write(self, changes: Sequence[Change], changed: Changed) -> Outcome:
        """Write *changes* to the store; *changed* has the rows as they then are, None for those removed."""
        rows = {
            (partition, clustering): value
            for partition, values in changed.items()
            if partition[0] in _KINDS
            for clustering, value in values.items()
        }
        if not rows:
            return self._store.write(changes)
        mine = _Writing()
        with self._lock:
            kept = self._rows
            for key in rows:
                # Taken out first, so that it comes behind all others.
                kept[key] = _SEVERAL if isinstance(kept.pop(key, None), _Writing) else mine
        outcome: Outcome | None = None
        try:
            outcome = self._store.write(changes)
        finally:
            with self._lock:
                kept = self._rows
                known = {
                    key: value
                    for key, value in (rows.items() if outcome else ())
                    if value is not None and len(value) <= _LONGEST and kept.get(key) is mine
                }
                kept.update(known)
                for key in rows if len(known) < len(rows) else ():
                    if key not in known:
                        kept.pop(key, None)
                self._shrink()
        return outcome

    def clear(self) -> None:
        """Forget all rows."""
        with self._lock:
            self._rows = {}

    def _keep(self, key: RowKey, value: bytes | None) -> None:
        if value is None or len(value) > _LONGEST:
            self._rows.pop(key, None)
        else:
            self._rows[key] = value

    def _shrink(self) -> None:
        if len(self._rows) > _MOST:
            for key in list(islice(self._rows, _MOST // 8)):
                del self._rows[key]

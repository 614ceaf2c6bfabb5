from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from statehold.sdk import Intent, Key, Value
from statehold_aos._storage._table import AosTable
from statehold_aos.database._runner import Count

_FIELDS: Final = ("time", "value")


class TrafficMonitorTable(AosTable):
    """Traffic counters: what was applied is read at once, and written a little later, many together."""

    def get(self, key: Key) -> Value | None:
        """Return the counter, or None."""
        chain: str = getattr(key, "chain")  # noqa: B009 - the class of keys is made at run time
        count = self.database.counted((key.WSID, chain))
        return super().get(key) if count is None else self._value(count)

    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        """Return one answer per key, in order, all of one moment."""
        self._flush()
        return super().get_batch(keys)

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Set all counters at once."""
        rows = [self._row(item) for item in items]
        counts = {(row["workspace"], row["chain"]): (row.get("time"), row.get("value")) for row in rows}
        with self._telling("apply"):
            self.database.count(counts)

    def _page(self, statement: Any) -> Sequence[Any]:
        self._flush()
        return super()._page(statement)

    def _flush(self) -> None:
        with self._telling("write"):
            self.database.flush()

    def _value(self, count: Count) -> Value:
        given = dict(zip(_FIELDS, count, strict=True))
        return self._make_value(*(given[name] for name in self._fields))

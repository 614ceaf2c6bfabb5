from __future__ import annotations

import threading
from typing import Final

import attrs
from sqlalchemy import Connection

from statehold_aos.database._runner import Count, Counter
from statehold_aos.database._schema import TABLES, WORKSPACE
from statehold_aos.database._statements import upsert

_KEY: Final = (WORKSPACE, "chain")


@attrs.define(eq=False)
class TrafficBuffer:
    """Counters that were set and are not yet in the database; of each, the last."""

    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _set: dict[Counter, Count] = attrs.field(factory=dict, init=False)
    _written: dict[Counter, Count] = attrs.field(factory=dict, init=False)

    def __len__(self) -> int:
        return len(self._set)

    def put(self, counts: dict[Counter, Count]) -> None:
        """Set counters, all of them at once."""
        with self._lock:
            self._set.update(counts)

    def get(self, counter: Counter) -> Count | None:
        """Return a counter, None if it is in the database or nowhere."""
        return self._set.get(counter)

    def write(self, connection: Connection) -> bool:
        """Write all counters, and say whether there are any; `committed` forgets them."""
        with self._lock:
            self._written = dict(self._set)
        if self._written:
            rows = [
                {WORKSPACE: workspace, "chain": chain, "time": time, "value": value}
                for (workspace, chain), (time, value) in self._written.items()
            ]
            connection.execute(upsert(connection, TABLES["trafficmonitor"], _KEY, ("time", "value")), rows)
        return bool(self._written)

    def committed(self) -> None:
        """Forget what was written, but for what has been set since."""
        with self._lock:
            for counter, count in self._written.items():
                if self._set.get(counter) is count:
                    del self._set[counter]
            self._written = {}

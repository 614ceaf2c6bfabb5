from __future__ import annotations

from typing import ClassVar

from sqlalchemy import Table

from statehold_aos.database._part import Part
from statehold_aos.database._rows import Traffic
from statehold_aos.database._schema import TABLES


class TrafficTable(Part):
    """Traffic counters; one that is set is read at once, and written a little later, many together."""

    table: ClassVar[Table] = TABLES["trafficmonitor"]

    def set(self, chain: str, time: int, value: int) -> None:
        """Set a counter: bytes, and when they were counted in milliseconds since 1970."""
        self._runner.count({(self._workspace, chain): (time, value)})

    def get(self, chain: str) -> Traffic:
        """Return a counter."""
        count = self._runner.counted((self._workspace, chain))
        if count is None:
            return Traffic.of(self._one(f"traffic of chain {chain!r}", chain=chain))
        return Traffic.of({"chain": chain, "time": count[0], "value": count[1]})

    def remove(self, chain: str) -> None:
        """Remove a counter."""
        self._remove(chain=chain)

    def all(self) -> list[Traffic]:
        """Return all counters, by chain."""
        self._runner.flush()
        return [Traffic.of(row) for row in self._all(self._select())]

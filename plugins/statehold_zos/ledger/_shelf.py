from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from statehold_zos.model import DiskType
from statehold_zos.planning import Room

_TAKES: Final = (
    "SELECT id, free, claims FROM pools{index} WHERE type = ? AND state = 'ready'{served} AND free >= ?"
)


class SqlShelf:
    """Pools in the order of an index; what is not asked for is not read."""

    def __init__(self, connection: sqlite3.Connection, *, served: bool | None = None) -> None:
        self._connection = connection
        self._served = "" if served is None else f" AND served = {int(served)}"
        self._by_room = " INDEXED BY by_room" if served is None else " INDEXED BY by_room_served"

    def tightest(self, disk_type: DiskType, least: int) -> Iterator[Room]:
        """Yield pools with at least *least* bytes, the least room first."""
        return self._rooms(self._by_room, "free, id", disk_type, least)

    def widest(self, disk_type: DiskType, least: int) -> Iterator[Room]:
        """Yield pools with at least *least* bytes, the most room first."""
        return self._rooms(self._by_room, "free DESC, id DESC", disk_type, least)

    def idlest(self, disk_type: DiskType, least: int) -> Iterator[Room]:
        """Yield pools with at least *least* bytes, the fewest claims first."""
        return self._rooms(" INDEXED BY by_claims", "claims, free DESC, id", disk_type, least)

    def _rooms(self, index: str, order: str, disk_type: DiskType, least: int) -> Iterator[Room]:
        query = _TAKES.format(index=index, served=self._served)
        for pool, free, claims in self._connection.execute(
            f"{query} ORDER BY {order}", (disk_type.value, least)
        ):
            yield Room(pool, disk_type, free, claims)

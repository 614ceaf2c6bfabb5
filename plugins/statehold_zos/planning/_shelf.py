from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator
from typing import Protocol

import attrs

from statehold_zos.model import DiskType


@attrs.frozen
class Room:
    """What the planner knows of a pool.

    Attributes:
        pool: its id.
        type: of its disks.
        free: bytes that may still be reserved.
        claims: how many reservations it has.

    """

    pool: str
    type: DiskType
    free: int
    claims: int = 0


class Shelf(Protocol):
    """Pools in order: an index of a database, or a sorted list.

    Each method yields only pools of a type that take reservations and have at least so many bytes free.
    Pools that are alike come by their ids.
    """

    def tightest(self, disk_type: DiskType, least: int) -> Iterator[Room]:
        """Yield them with the least room first."""
        ...

    def widest(self, disk_type: DiskType, least: int) -> Iterator[Room]:
        """Yield them with the most room first."""
        ...

    def idlest(self, disk_type: DiskType, least: int) -> Iterator[Room]:
        """Yield those with the fewest reservations first, among these the ones with the most room."""
        ...


class MemoryShelf:
    """Pools in sorted lists; a look-up by room takes logarithmic time."""

    def __init__(self, rooms: Iterable[Room] = ()) -> None:
        self._rooms: dict[str, Room] = {}
        self._sorted: dict[DiskType, list[tuple[int, str]]] = {kind: [] for kind in DiskType}
        for room in rooms:
            self.put(room)

    def put(self, room: Room) -> None:
        """Add a pool, or say how it is now."""
        self.remove(room.pool)
        self._rooms[room.pool] = room
        bisect.insort(self._sorted[room.type], (room.free, room.pool))

    def remove(self, pool: str) -> None:
        """Take a pool away, if it is there."""
        room = self._rooms.pop(pool, None)
        if room is not None:
            entries = self._sorted[room.type]
            del entries[bisect.bisect_left(entries, (room.free, pool))]

    def __getitem__(self, pool: str) -> Room:
        return self._rooms[pool]

    def __iter__(self) -> Iterator[Room]:
        return iter(self._rooms.values())

    def __len__(self) -> int:
        return len(self._rooms)

    def tightest(self, disk_type: DiskType, least: int) -> Iterator[Room]:
        """Yield pools with at least *least* bytes, the least room first."""
        entries = self._sorted[disk_type]
        for index in range(bisect.bisect_left(entries, (least, "")), len(entries)):
            yield self._rooms[entries[index][1]]

    def widest(self, disk_type: DiskType, least: int) -> Iterator[Room]:
        """Yield pools with at least *least* bytes, the most room first."""
        yield from sorted(self.tightest(disk_type, least), key=lambda room: (-room.free, room.pool))

    def idlest(self, disk_type: DiskType, least: int) -> Iterator[Room]:
        """Yield pools with at least *least* bytes, the fewest reservations first."""
        yield from sorted(
            self.tightest(disk_type, least), key=lambda room: (room.claims, -room.free, room.pool)
        )

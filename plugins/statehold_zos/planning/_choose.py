from __future__ import annotations

from collections.abc import Container, Iterator

import attrs

from statehold_zos.model import DiskType, Placement
from statehold_zos.planning._shelf import Room, Shelf


@attrs.frozen(kw_only=True)
class Demand:
    """What a reservation asks of a pool.

    Attributes:
        type: of disks.
        room: bytes, at least 1.
        placement: which of the pools with room.
        avoid: ids of pools that it must not get.

    """

    type: DiskType
    room: int
    placement: Placement = Placement.BEST_FIT
    avoid: Container[str] = ()


@attrs.frozen(kw_only=True)
class Place:
    """Where a namespace goes.

    Attributes:
        pool: the id of the pool.
        served: whether the pool has a server already; otherwise one is to be started.

    """

    pool: str
    served: bool


def choose(shelf: Shelf, demand: Demand) -> str | None:
    """Return the id of the pool that gets a reservation, None where none has room for it.

    With every placement a pool is found whenever one of the type (with `SSD_FIRST`: of any type) has room.
    """
    if demand.placement is not Placement.SSD_FIRST:
        return _first(_in_order(shelf, demand.placement, demand.type, demand.room), demand.avoid)
    for disk_type in (DiskType.SSD, DiskType.HDD):
        pool = _first(shelf.tightest(disk_type, demand.room), demand.avoid)
        if pool is not None:
            return pool
    return None


def choose_served(served: Shelf, unserved: Shelf, demand: Demand, *, overhead: int) -> Place | None:
    """Return where a namespace goes: to a pool with a server if one has room, else to one without.

    Among pools with a server the best fit is taken, whatever the placement; the placement says where a
    server is started.

    Args:
        served: pools that have a server.
        unserved: pools that have none.
        demand: what the namespace needs.
        overhead: bytes that a server needs beside its namespaces.

    """
    placement = Placement.SSD_FIRST if demand.placement is Placement.SSD_FIRST else Placement.BEST_FIT
    pool = choose(served, attrs.evolve(demand, placement=placement))
    if pool is not None:
        return Place(pool=pool, served=True)
    pool = choose(unserved, attrs.evolve(demand, room=demand.room + overhead))
    return None if pool is None else Place(pool=pool, served=False)


def _in_order(shelf: Shelf, placement: Placement, disk_type: DiskType, least: int) -> Iterator[Room]:
    if placement is Placement.WORST_FIT:
        return shelf.widest(disk_type, least)
    if placement is Placement.SPREAD:
        return shelf.idlest(disk_type, least)
    return shelf.tightest(disk_type, least)


def _first(rooms: Iterator[Room], avoid: Container[str]) -> str | None:
    return next((room.pool for room in rooms if room.pool not in avoid), None)

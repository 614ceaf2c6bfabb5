"""Says before anything is done whether what is asked for can be had."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from statehold.sdk import Key, StorageError
from statehold_zos.ledger import Ledger
from statehold_zos.model import DiskType, PoolState, size_text
from statehold_zos.planning import MemoryShelf, Room

_LARGEST = 2**60
_HINT = "Release what is not needed, or have the operator add a disk and prepare it"


def check_wanted(name: str, key: Key, value: Any) -> DiskType:
    """Return the type of disks that is wanted; StorageError for a name, type or size that cannot be."""
    who = f"{name}: {key['Name']!r}"
    if not key["Name"]:
        raise StorageError(f"{name}: Name is empty", hint="Give what is reserved a name of its own")
    try:
        disk_type = DiskType(value.Type)
    except ValueError:
        raise StorageError(f"{who}: Type is {value.Type!r}, expected 'ssd' or 'hdd'") from None
    if not 0 < value.Size <= _LARGEST:
        raise StorageError(f"{who}: Size is {value.Size:,}, expected 1 to 2^60 bytes")
    return disk_type


def check_room(
    name: str,
    ledger: Ledger,
    new: Iterable[tuple[Key, DiskType, int]],
    grown: Iterable[tuple[Key, str, int]],
    takes: Callable[[str, int], int],
) -> None:
    """Raise StorageError unless the pools have room, as far as that is known now.

    Args:
        name: of the storage.
        ledger: of the node.
        new: what is to be reserved: of what type, and of what size.
        grown: what becomes larger, before anything is reserved: in which pool, and how much more it takes.
        takes: returns how much room of a pool something new of a size takes.

    """
    pools = {row.id: row for row in ledger.pools.all() if row.state is PoolState.READY}
    free = {pool: row.free for pool, row in pools.items()}
    for key, pool, more in grown:
        left = free.get(pool, 0)
        if more > left:
            raise StorageError(
                f"{name}: pool {pool} has no room for {key['Name']!r} to become {size_text(more)} larger: "
                + (
                    f"it has {size_text(left)} left" if left > 0 else "it has none left, or takes nothing now"
                ),
                hint=_HINT,
            )
        free[pool] = left - more
    shelf = MemoryShelf(Room(row.id, row.type, free[row.id], row.claims) for row in pools.values())
    for key, disk_type, size in new:
        room = next((r for r in shelf.tightest(disk_type, size) if r.free >= takes(r.pool, size)), None)
        if room is None:
            widest = next(shelf.widest(disk_type, 1), None)
            needed = takes(widest.pool, size) if widest else size
            most = (
                f"the most that one has left is {size_text(widest.free)}" if widest else "none has any left"
            )
            raise StorageError(
                f"{name}: no {disk_type.value} pool has room for {key['Name']!r}, {size_text(size)}"
                + (f", which take {size_text(needed)}: {most}" if needed != size else f": {most}"),
                hint=_HINT,
            )
        left = room.free - takes(room.pool, size)
        shelf.put(Room(room.pool, disk_type, left, room.claims + 1))


def same_type(name: str, key: Key, wanted: DiskType, there: DiskType) -> None:
    """Raise StorageError where something is to be on another type of disks than it is."""
    if wanted is not there:
        raise StorageError(
            f"{name}: {key['Name']!r} is on {there.value}, and cannot become {wanted.value}",
            hint="Reserve another one, copy what is in it, and release this one",
        )

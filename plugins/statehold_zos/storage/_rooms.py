"""Says before anything is done whether what is asked for can be had."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from statehold.sdk import Key, StorageError
from statehold_zos.ledger import Ledger
from statehold_zos.model import DiskType, PoolState, size_text
from statehold_zos.planning import MemoryShelf, Room

_LARGEST = 2**60


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


def check_room(name: str, ledger: Ledger, new: Iterable[tuple[Key, DiskType, int]]) -> None:
    """Raise StorageError unless the pools have room for all of *new*, as far as that is known now."""
    shelf = MemoryShelf(
        Room(row.id, row.type, row.free, row.claims)
        for row in ledger.pools.all()
        if row.state is PoolState.READY
    )
    for key, disk_type, size in new:
        room = next(shelf.tightest(disk_type, size), None)
        if room is None:
            most = next((each.free for each in shelf.widest(disk_type, 1)), 0)
            raise StorageError(
                f"{name}: no {disk_type.value} pool has room for {key['Name']!r}, {size_text(size)}: "
                + (f"the most that one has left is {size_text(most)}" if most else "none has any left"),
                hint="Release what is not needed, or have the operator add a disk and prepare it",
            )
        shelf.put(Room(room.pool, disk_type, room.free - size, room.claims + 1))


def same_type(name: str, key: Key, wanted: DiskType, there: DiskType) -> None:
    """Raise StorageError where something is to be on another type of disks than it is."""
    if wanted is not there:
        raise StorageError(
            f"{name}: {key['Name']!r} is on {there.value}, and cannot become {wanted.value}",
            hint="Reserve another one, copy what is in it, and release this one",
        )

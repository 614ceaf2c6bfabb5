"""Where a reservation goes, and which disks form a pool: values in, values out, nothing is touched."""

from __future__ import annotations

from statehold_zos.planning._choose import Demand, Place, choose, choose_served
from statehold_zos.planning._group import Group, Grouping, group
from statehold_zos.planning._room import budget, usable
from statehold_zos.planning._shelf import MemoryShelf, Room, Shelf

__all__ = [
    "Demand",
    "Group",
    "Grouping",
    "MemoryShelf",
    "Place",
    "Room",
    "Shelf",
    "budget",
    "choose",
    "choose_served",
    "group",
    "usable",
]

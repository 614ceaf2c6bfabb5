from __future__ import annotations

from enum import Enum

import attrs


class DiskType(Enum):
    """How fast a disk is: what an application asks for instead of a disk's name."""

    SSD = "ssd"
    HDD = "hdd"


class Raid(Enum):
    """How a pool spreads what it holds over its disks."""

    SINGLE = "single"
    RAID0 = "raid0"
    RAID1 = "raid1"
    RAID10 = "raid10"

    @property
    def least(self) -> int:
        """The fewest disks it works with."""
        return {Raid.SINGLE: 1, Raid.RAID0: 2, Raid.RAID1: 2, Raid.RAID10: 4}[self]

    @property
    def survives(self) -> int:
        """How many disks of a pool may fail without a loss."""
        return 1 if self in {Raid.RAID1, Raid.RAID10} else 0


class Mode(Enum):
    """How keys of a 0-db namespace come about: given by the user, or counted by the server."""

    USER = "user"
    SEQ = "seq"


class Placement(Enum):
    """Which of the pools with room for a reservation gets it.

    `BEST_FIT`: the one with the least room; large ones stay free for large reservations. `WORST_FIT`: the
    one with the most. `SPREAD`: the one with the fewest reservations. `SSD_FIRST`: the best fit among SSDs,
    then among HDDs, whatever type was asked for.
    """

    BEST_FIT = "best-fit"
    WORST_FIT = "worst-fit"
    SPREAD = "spread"
    SSD_FIRST = "ssd-first"


@attrs.frozen(kw_only=True)
class Policy:
    """How `prepare` makes pools of disks that are free.

    Attributes:
        raid: the level within a pool.
        disks: how many disks a pool gets; a multiple of what the level needs.
        pools: how many pools to have at most, those there are already counted; 0 for as many as disks allow.
        types: of which disks; a pool is of one type always.
        mixed_sizes: whether disks of unlike sizes may share a pool.

    """

    raid: Raid = Raid.SINGLE
    disks: int = 1
    pools: int = 0
    types: tuple[DiskType, ...] = (DiskType.SSD, DiskType.HDD)
    mixed_sizes: bool = False

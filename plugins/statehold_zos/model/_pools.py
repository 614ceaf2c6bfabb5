from __future__ import annotations

from enum import Enum
from pathlib import Path

import attrs

from statehold_zos.model._policies import DiskType, Raid


class PoolState(Enum):
    """How a pool is.

    `READY`: takes reservations. `DEGRADED`: lacks a disk, loses nothing, takes none. `FAILING`: a disk of
    it must not be relied on. `GONE`: cannot be read now. `WIPING`: is being given back.
    """

    READY = "ready"
    DEGRADED = "degraded"
    FAILING = "failing"
    GONE = "gone"
    WIPING = "wiping"


class EventKind(Enum):
    """What happened to a disk or a pool."""

    ADDED = "added"
    REMOVED = "removed"
    FAILING = "failing"
    FILLING = "filling"
    BACK = "back"


@attrs.frozen(kw_only=True)
class PoolInfo:
    """A pool: disks of one type that hold spaces.

    Attributes:
        id: a name that stays, also the label of its file system.
        type: of its disks.
        raid: how it spreads what it holds.
        disks: names, as the operator calls them.
        path: where it is mounted.
        size: bytes that may be filled; what the file system needs for itself is not in it.
        reserved: bytes of all reservations.
        used: bytes that they hold.
        free: bytes that may still be reserved; over-provisioning is in it.
        spaces: how many reservations.
        state: see `PoolState`.
        reason: why it is not ready, in words.
        limits: how limits are kept, in words; says "advisory" where nothing is enforced.

    """

    id: str
    type: DiskType
    raid: Raid
    disks: tuple[str, ...]
    path: Path
    size: int
    reserved: int
    used: int
    free: int
    spaces: int
    state: PoolState
    reason: str = ""
    limits: str = ""


@attrs.frozen(kw_only=True)
class PoolEvent:
    """Something that happened to a disk or a pool.

    Attributes:
        kind: what happened.
        disk: the name of the disk, "" where it is about a whole pool.
        pool: the id of the pool, "" where the disk has none.
        message: the same for people.
        at: when, seconds since 1970.

    """

    kind: EventKind
    disk: str
    pool: str
    message: str
    at: float

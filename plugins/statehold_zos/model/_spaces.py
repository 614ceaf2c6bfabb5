from __future__ import annotations

from enum import Enum
from pathlib import Path

import attrs

from statehold_zos.model._policies import DiskType


class SpaceState(Enum):
    """How far a space is.

    `PENDING`: being made. `READY`: may be used. `RELEASING`: being removed. `GONE`: its pool is not there.
    """

    PENDING = "pending"
    READY = "ready"
    RELEASING = "releasing"
    GONE = "gone"


@attrs.frozen(kw_only=True)
class Space:
    """A folder of a reserved size.

    Attributes:
        id: its name for `release` and `resize`.
        path: the folder.
        size: bytes it may hold.
        type: of the disks it is on.
        pool: the id of its pool.
        used: bytes it holds.
        state: see `SpaceState`.
        owner: who asked for it, "" for the operator.
        name: how the owner calls it, "" for not at all.
        limits: how its size is kept, in words; says "advisory" where nothing is enforced.

    """

    id: str
    path: Path
    size: int
    type: DiskType
    pool: str
    used: int = 0
    state: SpaceState = SpaceState.READY
    owner: str = ""
    name: str = ""
    limits: str = ""

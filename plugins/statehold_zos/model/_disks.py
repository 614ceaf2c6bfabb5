from __future__ import annotations

from enum import Enum

import attrs

from statehold_zos.model._policies import DiskType


class DiskState(Enum):
    """What a disk is to the node.

    `FREE`: allowed, empty and healthy. `POOL`: of a pool of ours. `FOREIGN`: holds what is not ours, and
    is not touched. `FAILING`: not to be relied on. `GONE`: of a pool of ours, and not there now. `REFUSED`:
    allowed, and cannot be used; the reason says why.
    """

    FREE = "free"
    POOL = "pool"
    FOREIGN = "foreign"
    FAILING = "failing"
    GONE = "gone"
    REFUSED = "refused"


@attrs.frozen(kw_only=True)
class Health:
    """Whether a disk can be relied on, and how that is known."""

    good: bool
    reason: str = ""


@attrs.frozen(kw_only=True)
class DiskInfo:
    """A disk that the operator allows.

    Attributes:
        name: as the operator calls it: a device's path, or the path of an image or a folder.
        device: the block device it is at now, "" for a folder or where it is gone.
        type: measured, or said by the operator; None where it was not measured yet.
        size: bytes.
        state: see `DiskState`.
        reason: why it is in this state, in words.
        found: signatures that were found on it, such as `gpt` or `ext4`.
        pool: the id of the pool it is of, "" for none.
        health: see `Health`.

    """

    name: str
    device: str
    type: DiskType | None
    size: int
    state: DiskState
    reason: str = ""
    found: tuple[str, ...] = ()
    pool: str = ""
    health: Health = Health(good=True)

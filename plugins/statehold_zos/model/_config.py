from __future__ import annotations

from pathlib import Path

import attrs

from statehold_zos.model._policies import DiskType, Placement, Policy


@attrs.frozen(kw_only=True)
class Image:
    """A disk that is a file, on a loop device: for one machine, and for tests.

    Attributes:
        path: the file; made with *size* bytes where it is not there.
        size: bytes.

    """

    path: Path
    size: int


@attrs.frozen(kw_only=True)
class Plain:
    """A disk that is a folder of another file system: the embedded default, whose limits are advisory.

    Attributes:
        path: the folder; made where it is not there.
        size: bytes that may be reserved in it.

    """

    path: Path
    size: int


@attrs.frozen(kw_only=True)
class Config:
    """What the operator says about a node.

    Attributes:
        folder: what the node keeps of its own: reservations, mount points, sockets, keys. Absolute.
        devices: block devices that may be written, by path (`/dev/sdb`, `/dev/disk/by-id/...`).
        images: disks that are files.
        plain: disks that are folders.
        types: SSD or HDD by disk name, instead of measuring.
        policy: how pools are made.
        placement: how pools are chosen.
        over_provision: by which factor more may be reserved than there is, by type; 1 where it says nothing.
        grace: seconds for which a namespace that was released is kept, frozen.
        every: seconds between two looks at disks, pools and servers.
        filling: the part of a pool from which on it is told to be filling.
        zdb: a 0-db binary instead of the server that comes with Statehold.

    """

    folder: Path
    devices: tuple[str, ...] = ()
    images: tuple[Image, ...] = ()
    plain: tuple[Plain, ...] = ()
    types: dict[str, DiskType] = attrs.field(factory=dict)
    policy: Policy = attrs.field(factory=Policy)
    placement: Placement = Placement.BEST_FIT
    over_provision: dict[DiskType, float] = attrs.field(factory=dict)
    grace: float = 24 * 3600.0
    every: float = 30.0
    filling: float = 0.9
    zdb: Path | None = None

from __future__ import annotations

from pathlib import Path

import attrs

from statehold_zos.model import DiskType, Raid


@attrs.frozen(kw_only=True)
class PoolRecord:
    """What a node keeps about a pool of its own, in its ledger and on the pool itself.

    Attributes:
        id: its name, also the label of its file system.
        uuid: of its file system; follows from the node and the id, so that nobody else's is taken for ours.
        type: of its disks.
        raid: how it spreads data.
        disks: names of its disks.
        file_system: `btrfs`, `ext4` or `folder`.
        path: where it is mounted; of a `folder`, where its spaces lie.
        size: bytes that may be filled.
        stage: `making`, `ready` or `wiping`.

    """

    id: str
    uuid: str
    type: DiskType
    raid: Raid
    disks: tuple[str, ...]
    file_system: str
    path: Path
    size: int = 0
    stage: str = "ready"

from __future__ import annotations

import attrs

from statehold_zos.model import DiskInfo, DiskType, Policy, Raid


@attrs.frozen(kw_only=True)
class NewPool:
    """A pool that `prepare` would make.

    Attributes:
        token: says that this plan was seen; another one for other disks, or the same with other contents.
        type: of the disks.
        raid: how data would be spread.
        disks: names; what is on them is empty, and stays so until `prepare`.
        size: bytes that the disks could hold, before what the file system needs for itself.
        file_system: `btrfs`, `ext4`, or `folder` for a folder of another file system.

    """

    token: str
    type: DiskType
    raid: Raid
    disks: tuple[str, ...]
    size: int
    file_system: str


@attrs.frozen(kw_only=True)
class OldPool:
    """A pool of this node that is there, and what `wipe` wants to hear.

    Attributes:
        id: its name.
        token: for `wipe`, beside the name; another one as soon as something on the pool changes.
        disks: names.
        reason: why it cannot be wiped now, "" where it can.

    """

    id: str
    token: str
    disks: tuple[str, ...]
    reason: str = ""


@attrs.frozen(kw_only=True)
class Plan:
    """What `prepare` would do with a policy; nothing was changed to find out.

    Attributes:
        policy: how pools would be made.
        new: the pools that would be made.
        pools: the pools there are, each with its token for `wipe`.
        disks: all disks that are allowed.
        left: names of free disks that would stay free, with the reason.

    """

    policy: Policy
    new: tuple[NewPool, ...]
    pools: tuple[OldPool, ...]
    disks: tuple[DiskInfo, ...]
    left: dict[str, str]

    @property
    def tokens(self) -> tuple[str, ...]:
        """All tokens of pools that would be made, for `prepare`."""
        return tuple(pool.token for pool in self.new)

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from uuid import UUID

import attrs

from statehold_zos.disks import _btrfs
from statehold_zos.disks._devices import Folder
from statehold_zos.disks._probe import edges, writes
from statehold_zos.disks._records import FileSystem
from statehold_zos.disks._scan import Sight
from statehold_zos.model import DiskInfo, DiskState, DiskType, Policy, Raid, ZosError
from statehold_zos.planning import Group, group


@attrs.frozen(kw_only=True)
class NewPool:
    """A pool that `prepare` would make.

    Attributes:
        token: says that this plan was seen; another one for other disks, or the same with other contents.
        type: of the disks.
        raid: how data would be spread.
        disks: names; what is on them is empty, and stays so until `prepare`.
        size: bytes that the disks could hold, before what the file system needs for itself.
        file_system: see `FileSystem`.

    """

    token: str
    type: DiskType
    raid: Raid
    disks: tuple[str, ...]
    size: int
    file_system: FileSystem


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


def plan_new(
    sights: Iterable[Sight], policy: Policy, *, node: UUID, pools: int
) -> tuple[list[NewPool], dict[str, str]]:
    """Return the pools that would be made of free disks, and why the others would stay free.

    Folders do not share a pool, whatever the policy says of disks.

    Raises:
        ZosError: the policy does not make sense, or needs btrfs where there is none.

    """
    seen = {sight.info.name: sight for sight in sights}
    free = [sight.info for sight in seen.values() if sight.info.state is DiskState.FREE]
    disks = [info for info in free if not isinstance(seen[info.name].device, Folder)]
    folders = [info for info in free if isinstance(seen[info.name].device, Folder)]
    grouping = group(disks, policy, pools=pools)
    kind = _kind(policy) if grouping.groups else FileSystem.BTRFS
    alone = attrs.evolve(policy, raid=Raid.SINGLE, disks=1)
    beside = group(folders, alone, pools=pools + len(grouping.groups))
    made = [(each, kind) for each in grouping.groups]
    made += [(each, FileSystem.FOLDER) for each in beside.groups]
    new = [_new(each, file_system, seen, node) for each, file_system in made]
    return new, grouping.left | beside.left


def token_of(word: str, *parts: object) -> str:
    """Return a word to be typed, which is another one as soon as anything of *parts* is."""
    said = json.dumps(parts, sort_keys=True, default=str).encode()
    return f"{word}-{hashlib.sha256(said).hexdigest()[:12]}"


def _kind(policy: Policy) -> FileSystem:
    if _btrfs.supported():
        return FileSystem.BTRFS
    if policy.disks > 1 or policy.raid is not Raid.SINGLE:
        raise ZosError(
            f"{policy.raid.value} over {policy.disks} disks needs btrfs, which is not there",
            hint="on Debian its programs come with btrfs-progs: apt-get install btrfs-progs",
        )
    return FileSystem.EXT4


def _new(made: Group, kind: FileSystem, seen: dict[str, Sight], node: UUID) -> NewPool:
    contents = []
    for name in made.disks:
        info, device = seen[name].info, seen[name].device
        there = device.there and not isinstance(device, Folder)
        content = (edges(device.find() or name), writes(name)) if there else ()
        contents.append((name, info.size, info.found, content))
    return NewPool(
        token=token_of("make", node, made.type.value, made.raid.value, kind.value, contents),
        type=made.type,
        raid=made.raid,
        disks=made.disks,
        size=made.size,
        file_system=kind,
    )

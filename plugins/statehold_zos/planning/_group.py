from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from statehold_zos.model import DiskInfo, DiskState, DiskType, Policy, Raid, ZosError
from statehold_zos.planning._room import usable

#: Disks of the same nominal size differ by a little.
_ALIKE: Final = 0.01


@attrs.frozen(kw_only=True)
class Group:
    """Disks that form a pool.

    Attributes:
        type: of the disks.
        raid: the level.
        disks: their names, the largest first.
        size: bytes of data that fit, before what the file system needs for itself.

    """

    type: DiskType
    raid: Raid
    disks: tuple[str, ...]
    size: int


@attrs.frozen(kw_only=True)
class Grouping:
    """Which pools come about.

    Attributes:
        groups: the pools, in the order in which they are made.
        left: names of free disks that go into none, with the reason in words.

    """

    groups: tuple[Group, ...]
    left: dict[str, str]


def group(disks: Iterable[DiskInfo], policy: Policy, *, pools: int = 0) -> Grouping:
    """Say which free disks form which pools.

    A pool is of one type. Without `Policy.mixed_sizes` its disks are of one size, to within 1 %; with it,
    disks that are next to each other by size share a pool, so that least is lost. Where there may be fewer
    pools than disks allow, the largest are made. Disks that are not `FREE`, or whose type is not known, are
    left out without a word.

    Args:
        disks: what was found.
        policy: how pools are made.
        pools: how many there are already.

    Raises:
        ZosError: the policy asks for a number of disks with which its raid level does not work.

    """
    _check(policy)
    free = [disk for disk in disks if disk.state is DiskState.FREE]
    left: dict[str, str] = {}
    groups: list[Group] = []
    for disk_type in DiskType:
        of_type = [disk for disk in free if disk.type is disk_type]
        if disk_type not in policy.types:
            left |= {disk.name: f"the policy makes no pools of {disk_type.value}" for disk in of_type}
            continue
        for alike in _alike(of_type, mixed=policy.mixed_sizes):
            for start in range(0, len(alike), policy.disks):
                members = alike[start : start + policy.disks]
                if len(members) == policy.disks:
                    groups.append(_grouped(disk_type, members, policy.raid))
                else:
                    left |= _too_few(members, policy)
    order = {disk_type: place for place, disk_type in enumerate(policy.types)}
    groups.sort(key=lambda made: (order[made.type], -made.size, made.disks))
    if policy.pools:
        most = max(0, policy.pools - pools)
        for made in groups[most:]:
            left |= dict.fromkeys(made.disks, f"the policy allows {policy.pools} pools")
        del groups[most:]
    return Grouping(groups=tuple(groups), left=left)


def _check(policy: Policy) -> None:
    step = 2 if policy.raid in {Raid.RAID1, Raid.RAID10} else 1
    if policy.disks < policy.raid.least or policy.disks % step:
        raise ZosError(
            f"{policy.raid.value} does not work with {policy.disks} disks for a pool",
            hint=f"it takes {policy.raid.least} or more" + (f", a multiple of {step}" if step > 1 else ""),
        )
    if policy.pools < 0:
        raise ZosError(f"a policy allows 0 or more pools, got {policy.pools}")


def _alike(disks: list[DiskInfo], *, mixed: bool) -> Iterable[Sequence[DiskInfo]]:
    """Yield runs of disks that may share a pool, the largest first."""
    run: list[DiskInfo] = []
    for disk in sorted(disks, key=lambda disk: (-disk.size, disk.name)):
        if run and not mixed and disk.size < run[0].size * (1 - _ALIKE):
            yield run
            run = []
        run.append(disk)
    if run:
        yield run


def _grouped(disk_type: DiskType, members: Sequence[DiskInfo], raid: Raid) -> Group:
    return Group(
        type=disk_type,
        raid=raid,
        disks=tuple(disk.name for disk in members),
        size=usable(raid, [disk.size for disk in members]),
    )


def _too_few(members: Sequence[DiskInfo], policy: Policy) -> dict[str, str]:
    kind = "" if policy.mixed_sizes else " of the same size"
    reason = f"a pool takes {policy.disks} disks{kind}, of these there are {len(members)} left"
    return {disk.name: reason for disk in members}

"""How the contents of a disk that must not be relied on get elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from statehold_zos.model import DiskInfo, DiskState, PoolInfo
from statehold_zos.planning import usable
from statehold_zos.watch._layout import Layout
from statehold_zos.watch._moves import MoveKind


def choose(
    pool: PoolInfo,
    found: Layout,
    disk: str,
    infos: Mapping[str, DiskInfo],
    *,
    there: bool,
    tried: Collection[MoveKind],
) -> tuple[MoveKind, str] | str:
    """Return how the contents of a disk are moved, and onto which one; or why they cannot be.

    Where data have copies, the disk is replaced by a free one: that reads the other copy where this disk
    gives none. Where they have none, a free disk joins the pool and this one leaves it, which stops, with
    all data where they are, if this one cannot be read. Without a free disk, it leaves if those that are left
    can hold all that is reserved.

    Args:
        pool: the pool.
        found: its disks.
        disk: the name of the one that must not be relied on.
        infos: all disks that are allowed.
        there: whether it is there.
        tried: what was tried and failed.

    """
    leaving = found.members[disk]
    if not there and not pool.raid.survives:
        return f"{disk} is away, and nothing it held is elsewhere"
    free = sorted(
        (info for info in infos.values() if info.state is DiskState.FREE and info.type in (None, pool.type)),
        key=lambda info: (info.size, info.name),
    )
    large = [info for info in free if info.size >= leaving.size]
    rest = [member.size for name, member in found.members.items() if name != disk]
    everything = [*rest, leaving.size]
    can_leave = MoveKind.REMOVE not in tried and _holds(pool, rest, everything)
    if can_leave and MoveKind.ADD in tried:  # another one has joined for it
        return MoveKind.REMOVE, ""
    if pool.raid.survives and large and MoveKind.REPLACE not in tried:
        return MoveKind.REPLACE, large[0].name
    if can_leave:
        return MoveKind.REMOVE, ""
    # A btrfs that is full gives itself up when a disk joins it while another one is dead.
    if there and MoveKind.ADD not in tried:
        for info in free:
            if _holds(pool, [*rest, info.size], everything):
                return MoveKind.ADD, info.name
    return "no disk that is allowed is free, large enough and of its type, and those left are too few"


def _holds(pool: PoolInfo, sizes: Sequence[int], before: Sequence[int]) -> bool:
    """Whether disks of these sizes hold what is reserved and used of a pool that is on other ones."""
    if len(sizes) < pool.raid.least:
        return False
    part = pool.size / max(1, usable(pool.raid, before))
    return usable(pool.raid, sizes) * min(1.0, part) >= max(pool.reserved, pool.used)

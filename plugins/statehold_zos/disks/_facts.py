"""How pools are now, and what that comes to."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from statehold_quota import Accounting, Group, mounts_under
from statehold_zos.disks import _mounting
from statehold_zos.disks._ground import Ground
from statehold_zos.disks._records import FileSystem, PoolRecord, Stage
from statehold_zos.model import DiskInfo, DiskStats, DiskType, PoolInfo, PoolState, TypeStats

_GIB = 2**30


def info_of(ground: Ground, record: PoolRecord) -> PoolInfo:
    """Return how a pool is: what is reserved from the ledger, what is used from the pool itself."""
    row = ground.ledger.pools.find(record.id)
    state = PoolState.GONE if row is None else row.state
    reason = "is not made yet" if row is None else row.reason
    if record.stage is Stage.WIPING:
        state, reason = PoolState.WIPING, "is being wiped; wipe it again to finish that"
    used = 0
    if state is not PoolState.GONE and record.stage is Stage.READY:
        try:
            if _mounting.is_mounted(record):
                used = used_of(record)
            else:
                state, reason = PoolState.GONE, "is not mounted"
        except OSError as error:
            state, reason = PoolState.GONE, f"cannot be read: {error.strerror}"
    ready = row is not None and state is PoolState.READY
    return PoolInfo(
        id=record.id,
        type=record.type,
        raid=record.raid,
        disks=record.disks,
        path=record.path,
        size=record.size,
        reserved=0 if row is None else row.reserved,
        used=used,
        free=max(0, row.free) if row is not None and ready else 0,
        spaces=0 if row is None else row.claims,
        state=state,
        reason=reason,
        limits=ground.backend(record).title if record.limits else "",
    )


def used_of(record: PoolRecord) -> int:
    """Return the bytes that the spaces of a mounted pool hold, as its file system counts them."""
    if record.file_system is FileSystem.BTRFS and record.limits.startswith("btrfs"):
        return _counted(record.uuid)
    if record.limits == "loop":
        return sum(_held(mount.point) for mount in mounts_under(record.path))
    if record.limits == Accounting.name:
        return _walked(record.spaces)
    return _held(record.path)


def stats_of(infos: list[PoolInfo], disks: Iterable[DiskInfo]) -> DiskStats:
    """Return totals of pools that can be read now, and of all disks whose type is known."""
    types, kinds = {}, [disk.type for disk in disks]
    for disk_type in DiskType:
        pools = [info for info in infos if info.type is disk_type and info.state is not PoolState.GONE]
        types[disk_type] = TypeStats(
            disks=kinds.count(disk_type),
            pools=len(pools),
            size=sum(info.size for info in pools),
            reserved=sum(info.reserved for info in pools),
            used=sum(info.used for info in pools),
            free=sum(info.free for info in pools),
        )
    return DiskStats(
        types=types,
        sru=types[DiskType.SSD].size / _GIB,
        hru=types[DiskType.HDD].size / _GIB,
    )


def _counted(uuid: str) -> int:
    """Return what all subvolumes but the first count, each with its own metadata."""
    total = 0
    for folder in Path(f"/sys/fs/btrfs/{uuid}/qgroups").glob("0_*"):
        if int(folder.name.removeprefix("0_")) >= 256:
            try:
                total += int((folder / "referenced").read_text(encoding="ascii"))
            except OSError:  # released meanwhile
                continue
    return total


def _walked(spaces: Path) -> int:
    """Return what the spaces of a folder hold, just as each of them is counted by itself."""
    accounting = Accounting(root=spaces)
    groups = [Group(path) for path in spaces.iterdir()] if spaces.is_dir() else []
    return sum(accounting.used(group) for group in groups if group.path.is_dir())


def _held(point: Path) -> int:
    found = os.statvfs(point)
    return (found.f_blocks - found.f_bfree) * found.f_frsize

"""What the report of a scan means for a pool."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from statehold_quota import mount_of
from statehold_zos.disks import FileSystem, PoolRecord
from statehold_zos.model import DiskInfo, DiskState, PoolState


def is_there(info: DiskInfo | None, record: PoolRecord) -> bool:
    """Whether a disk of a pool is there, and proves to be of it; one that cannot be read is not."""
    if info is None or info.pool != record.id:
        return False
    if info.state is DiskState.FAILING:  # marked, or not to be read
        return bool(info.found) or (record.file_system is FileSystem.FOLDER and Path(info.name).is_dir())
    return info.state is DiskState.POOL


def why_failing(info: DiskInfo | None) -> str:
    """Return why a disk must not be relied on, "" where it may."""
    return "" if info is None or info.health.good else info.health.reason or info.reason


def gone(away: Iterable[str]) -> tuple[PoolState, str]:
    """Return how a pool is that cannot be read without these disks."""
    return PoolState.GONE, f"without {', '.join(away)} it cannot be read"


def failing(names: Iterable[str], infos: Mapping[str, DiskInfo]) -> tuple[PoolState, str]:
    """Return how a pool is that has disks that must not be relied on."""
    return PoolState.FAILING, "; ".join(f"{name}: {why_failing(infos.get(name))}" for name in names)


def is_mounted(record: PoolRecord) -> bool:
    """Whether something is mounted where the pool is to be."""
    return mount_of(record.path).point == record.path.resolve()


def is_read_only(point: Path) -> bool:
    """Whether nothing can be written any more, as after a disk was gone that nothing works without."""
    return bool(os.statvfs(point).f_flag & os.ST_RDONLY)

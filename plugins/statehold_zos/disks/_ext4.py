"""Pools where there is no btrfs: one disk each, with an ext4 that holds images of spaces."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Final

from statehold_zos.disks._programs import run
from statehold_zos.disks._records import PoolRecord

_ALIGNED: Final = 2**20
#: For the folders in which images lie.
_FOLDERS: Final = 2**20


def make(record: PoolRecord, device: str, *, held: Collection[int]) -> None:
    """Make the file system of a pool on a disk that is empty."""
    extended = "nodiscard,lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0"
    words = ("-m", "0", "-E", extended, "-L", record.id, "-U", record.uuid)
    run("mkfs.ext4", "-q", *words, device, held=held)


def capacity(point: Path) -> int:
    """Return how many bytes images can take together; what they need beside their spaces is in that."""
    found = os.statvfs(point)
    return max(0, found.f_bavail * found.f_frsize - _FOLDERS) // _ALIGNED * _ALIGNED

"""The disks that an operator allows, and the pools that are made of them.

Only what the configuration names is ever written, and only while a probe finds it empty or proves it ours.
"""

from __future__ import annotations

from statehold_zos.disks._devices import BlockDevice, Device, Folder, ImageFile, devices_of
from statehold_zos.disks._health import read_health
from statehold_zos.disks._module import DiskModule
from statehold_zos.disks._plan import NewPool, OldPool, Plan
from statehold_zos.disks._records import FileSystem, PoolRecord, Stage

__all__ = [
    "BlockDevice",
    "Device",
    "DiskModule",
    "FileSystem",
    "Folder",
    "ImageFile",
    "NewPool",
    "OldPool",
    "Plan",
    "PoolRecord",
    "Stage",
    "devices_of",
    "read_health",
]

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from uuid import UUID

from statehold_quota import mount_of, mounts_under
from statehold_zos.disks import _btrfs, _ext4, _identity
from statehold_zos.disks._devices import Device, size_of_block
from statehold_zos.disks._programs import run, told
from statehold_zos.disks._records import FileSystem, PoolRecord
from statehold_zos.model import ZosError


def make(record: PoolRecord, devices: Mapping[str, Device], *, held: Collection[int]) -> None:
    """Make the file system of a pool on its disks, which are empty."""
    attached = [devices[name].attach() for name in record.disks]
    if record.file_system is FileSystem.BTRFS:
        _btrfs.make(record, attached, held=held)
    elif record.file_system is FileSystem.EXT4:
        _ext4.make(record, attached[0], held=held)


def mount(record: PoolRecord, members: Mapping[str, Device]) -> None:
    """Mount a pool from those of its disks that are there; a folder is where it is already."""
    if record.file_system is FileSystem.FOLDER or is_mounted(record):
        return
    missing = len(record.disks) - len(members)
    if not members or missing > record.raid.survives:
        raise ZosError(
            f"pool {record.id} lacks {missing} of {len(record.disks)} disks, "
            f"{record.raid.value} works with {record.raid.survives} missing"
        )
    with told(f"make {record.path}"):
        record.path.mkdir(mode=0o755, parents=True, exist_ok=True)
    try:
        attached = [device.attach() for device in members.values()]
        if record.file_system is FileSystem.BTRFS:
            options = _btrfs.options(attached, degraded=missing > 0)
            run("mount", "-t", "btrfs", "-o", options, attached[0], record.path)
        else:
            run("e2fsck", "-p", attached[0], permitted=(0, 1))
            run("mount", "-t", "ext4", "-o", "noatime,nodev,nosuid", attached[0], record.path)
    finally:
        # What is mounted keeps its loop devices until it is not any more, however this process ends.
        for device in members.values():
            device.detach()


def unmount(record: PoolRecord) -> None:
    """Unmount a pool, with the images of its spaces; that it is not mounted is no error.

    Raises:
        ZosError: it is in use, or something else is mounted in its place, which stays.

    """
    if record.file_system is FileSystem.FOLDER:
        return
    _refuse_other(record)
    for inner in sorted(mounts_under(record.path), key=lambda mount: len(mount.point.parts), reverse=True):
        run("umount", inner.point)
    devices = _btrfs.devices_of(record)
    while is_mounted(record):
        _refuse_other(record)
        run("umount", record.path)
    _btrfs.forget(devices)
    with suppress(OSError):
        record.path.rmdir()


def _refuse_other(record: PoolRecord) -> None:
    found = mount_of(record.path)
    if found.point != record.path.resolve():
        return
    ours = found.kind == record.file_system.value
    if not ours or (record.file_system is FileSystem.BTRFS and not _btrfs.devices_of(record)):
        raise ZosError(
            f"at {record.path}, where pool {record.id} is to be, something else is mounted: {found.source}",
            hint="unmount it yourself",
        )


def is_mounted(record: PoolRecord) -> bool:
    """Whether something is mounted where the pool is to be; of a folder, whether it is there."""
    if record.file_system is FileSystem.FOLDER:
        return record.path.is_dir()
    return mount_of(record.path).point == record.path.resolve()


def verify(record: PoolRecord, node: UUID) -> _identity.Identity:
    """Return what is mounted says of itself; ZosError unless that is this pool of this node."""
    try:
        said = _identity.read(record.path)
    except OSError as error:
        raise ZosError(f"pool {record.id} cannot be read: {error.strerror}") from error
    if said is None:
        raise ZosError(f"pool {record.id} does not say whose it is: {_identity.FILE} is gone from it")
    if (said.node, said.pool) != (str(node), record.id):
        raise ZosError(f"at {record.path} is pool {said.pool} of node {said.node}, not {record.id}")
    return said


def capacity(record: PoolRecord, members: Mapping[str, Device]) -> int:
    """Return the bytes that can really be filled; of a pool that is mounted."""
    if record.file_system is FileSystem.BTRFS:
        attached = [device.find() for device in members.values()]
        return _btrfs.capacity(record.path, record.raid, {path: size_of_block(path) for path in attached})
    if record.file_system is FileSystem.EXT4:
        return _ext4.capacity(record.path)
    (device,) = members.values()
    found = os.statvfs(record.path)
    return min(device.size, found.f_bavail * found.f_frsize)

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from pathlib import Path

import attrs

from statehold_zos.disks import _mounting
from statehold_zos.disks._devices import Folder
from statehold_zos.disks._erase import erase
from statehold_zos.disks._ground import Ground
from statehold_zos.disks._plan import OldPool, token_of
from statehold_zos.disks._probe import edges
from statehold_zos.disks._records import SPACES, FileSystem, PoolRecord, Stage
from statehold_zos.disks._scan import Sight
from statehold_zos.model import NotFoundError, RefusedError, ZosError


def planned(ground: Ground, record: PoolRecord, sights: list[Sight]) -> OldPool:
    """Return what `wipe` wants to hear about a pool, and what keeps it from being wiped."""
    row = ground.ledger.pools.find(record.id)
    claims = ground.ledger.pools.kept(record.id)
    reason = f"{claims} reservations are on it" if claims else ""
    if record.stage is Stage.WIPING:
        return OldPool(id=record.id, token=record.token, disks=record.disks, reason=reason)
    reserved = 0 if row is None else row.reserved
    content = [] if claims else _content(ground, record, sights)  # without the claims it is another token
    token = token_of("wipe", ground.node, record.uuid, record.disks, claims, reserved, content)
    return OldPool(id=record.id, token=token, disks=record.disks, reason=reason)


def wipe(ground: Ground, record: PoolRecord, token: str, *, held: Collection[int]) -> None:
    """Give the disks of a pool back; what was begun is finished.

    Raises:
        RefusedError: something is reserved, or the token is another one. Nothing was changed.

    """
    sights = ground.scanner.look()
    wanted = planned(ground, record, sights)
    if wanted.reason:
        raise RefusedError(f"pool {record.id} is not wiped: {wanted.reason}", hint="release them first")
    if token != wanted.token:
        raise RefusedError(
            f"pool {record.id} is not wiped: {token!r} is not the token that the plan prints for it now",
            hint="look at the plan again: something on the pool may have changed",
        )
    try:
        ground.ledger.pools.begin_wipe(record.id)
    except NotFoundError:  # all but the end was done before
        if record.stage is Stage.READY:
            raise
    record = ground.records.put(attrs.evolve(record, stage=Stage.WIPING, token=token))
    _mounting.unmount(record)
    failed = []
    for device in ground.members(record, ground.scanner.look()).values():
        try:
            if isinstance(device, Folder):
                _empty(device.path)
            erase(device, held=held)
        except ZosError as error:
            failed.append(f"{device.name}: {error.message}")
    if failed:
        raise ZosError(
            f"pool {record.id} is wiped only in part: {'; '.join(failed)}", hint="wipe it again, same token"
        )
    ground.ledger.pools.remove(record.id)
    ground.records.forget(record)


def _content(ground: Ground, record: PoolRecord, sights: list[Sight]) -> list[object]:
    """Return what changes as soon as anything on a pool does."""
    if record.file_system is FileSystem.FOLDER or _mounting.is_mounted(record):
        try:
            return [_listing(record.path)]
        except OSError as error:
            return [error.errno]
    members = ground.members(record, sights)
    there = [(name, device) for name, device in sorted(members.items()) if device.there]
    return [[name, edges(device.find() or device.name)] for name, device in there]


def _listing(folder: Path) -> str:
    """Return a hash of what lies in a folder and below: names, sizes and times."""
    left = [folder]
    found = hashlib.sha256()
    while left:
        for entry in sorted(os.scandir(left.pop()), key=lambda entry: entry.name):
            status = entry.stat(follow_symlinks=False)
            said = repr((entry.path, status.st_size, status.st_mtime_ns))
            found.update(said.encode("ascii", "backslashreplace"))
            if entry.is_dir(follow_symlinks=False):
                left.append(Path(entry.path))
    return found.hexdigest()


def _empty(folder: Path) -> None:
    """Remove the folders of a pool that is a folder, where spaces were; they are empty by now."""
    spaces = folder / SPACES
    if spaces.is_dir() and not any(spaces.iterdir()):
        spaces.rmdir()

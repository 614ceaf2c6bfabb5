from __future__ import annotations

from collections.abc import Collection, Iterator

import attrs

from statehold_zos.disks import _identity, _mounting
from statehold_zos.disks._devices import Folder
from statehold_zos.disks._erase import alone, erase
from statehold_zos.disks._ground import Ground
from statehold_zos.disks._health import read_health, write_health
from statehold_zos.disks._plan import NewPool, plan_new
from statehold_zos.disks._records import FileSystem, PoolRecord, Stage
from statehold_zos.disks._scan import Sight
from statehold_zos.model import DiskState, Policy, PoolState, RefusedError, ZosError


def begin(ground: Ground, policy: Policy, tokens: Collection[str]) -> list[PoolRecord]:
    """Keep which pools are to be made, and return them with those that were begun before.

    Raises:
        RefusedError: a token is of no pool that would be made.

    """
    records = ground.records.all()
    new, _ = plan_new(ground.scanner.look(closely=True), policy, node=ground.node, pools=len(records))
    known = {pool.token for pool in new} | {record.token for record in records}
    if unknown := sorted(set(tokens) - known):
        raise RefusedError(
            f"no pool would be made now of which the plan said {', '.join(unknown)}",
            hint="look at the plan again: the disks, or what is on them, have changed",
        )
    wanted = [pool for pool in new if pool.token in tokens or pool.file_system is FileSystem.FOLDER]
    begun = list(_renewed(ground, [record for record in records if record.stage is Stage.MAKING]))
    return begun + [ground.records.put(_record(ground, pool)) for pool in wanted]


def make(ground: Ground, record: PoolRecord, *, held: Collection[int]) -> PoolRecord:
    """Make a pool that was begun; what is left on its disks of an earlier try is erased.

    Raises:
        ZosError: a disk of it fails, or holds what is not ours by now.

    """
    seen = {sight.info.name: sight for sight in ground.scanner.look()}
    devices = {name: ground.devices[name] for name in record.disks if name in ground.devices}
    if missing := sorted(set(record.disks) - set(devices)):
        raise ZosError(f"the configuration does not allow {', '.join(missing)} any more")
    for name, device in devices.items():
        _check(record, seen[name])
        device.make()
        if seen[name].left or seen[name].info.found:
            erase(device, held=held)
        if not isinstance(device, Folder):
            with alone(device) as path:
                _try(ground, name, path)
    try:
        _mounting.make(record, devices, held=held)
        _mounting.mount(record, devices)
        if not record.path.is_dir():
            raise ZosError(f"{record.path} is not there")
        limits = ground.probe(record).name
        size = _mounting.capacity(record, devices)
        if size <= 0:
            raise ZosError(f"nothing is left on {', '.join(record.disks)} beside the file system itself")
        record = attrs.evolve(record, size=size, limits=limits, stage=Stage.READY)
        _identity.sign(record.path, ground.node, record)
    finally:
        for device in devices.values():
            device.detach()
    ground.records.put(record)
    ground.tell(record, PoolState.READY)
    return record


def drop(ground: Ground, record: PoolRecord) -> None:
    """Give up a pool that could not be made; what is on its disks by now is emptied before their next use."""
    _mounting.unmount(record)
    ground.records.forget(record)


def _renewed(ground: Ground, begun: list[PoolRecord]) -> Iterator[PoolRecord]:
    """Yield the records of pools that were begun before, under new names.

    The kernel remembers the disks of the file system that was half made, and takes no others for them.
    """
    taken: set[str] = set()
    for record in reversed(begun):
        _mounting.unmount(record)
        if taken.isdisjoint(record.disks):
            name = _identity.new_id()
            uuid = _identity.uuid_of(ground.node, name)
            folder = record.file_system is FileSystem.FOLDER
            path = record.path if folder else ground.path_of(name)
            yield ground.records.put(attrs.evolve(record, id=name, uuid=uuid, path=path))
        taken.update(record.disks)
        ground.records.forget(record)


def _check(record: PoolRecord, sight: Sight) -> None:
    info = sight.info
    ours = sight.left or (info.state is DiskState.POOL and info.pool == record.id)
    if not ours and info.state is not DiskState.FREE:
        raise ZosError(f"the disk {info.name} {info.reason or info.state.value}")


def _try(ground: Ground, name: str, path: str) -> None:
    """Mark a disk that cannot be read, or does not keep what is written."""
    for health in (read_health(path), write_health(path)):
        if not health.good:
            ground.records.mark(name, health.reason)
            raise ZosError(f"the disk {name} {health.reason}")


def _record(ground: Ground, pool: NewPool) -> PoolRecord:
    name = _identity.new_id()
    folder = pool.file_system is FileSystem.FOLDER
    device = ground.devices[pool.disks[0]]
    return PoolRecord(
        id=name,
        uuid=_identity.uuid_of(ground.node, name),
        type=pool.type,
        raid=pool.raid,
        disks=pool.disks,
        file_system=pool.file_system,
        path=device.path if folder and isinstance(device, Folder) else ground.path_of(name),
        stage=Stage.MAKING,
        token=pool.token,
    )

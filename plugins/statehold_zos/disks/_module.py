from __future__ import annotations

from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress

import attrs

from statehold_quota import Backend
from statehold_zos.disks import _facts, _identity, _making, _mounting, _wiping
from statehold_zos.disks._devices import Device, Folder, devices_of
from statehold_zos.disks._ground import Ground
from statehold_zos.disks._plan import Plan, plan_new
from statehold_zos.disks._records import FileSystem, PoolRecord, Records, Stage
from statehold_zos.disks._scan import Sight
from statehold_zos.ledger import Ledger
from statehold_zos.model import (
    Config,
    DiskInfo,
    DiskStats,
    DiskType,
    NotFoundError,
    Policy,
    PoolInfo,
    PoolState,
    Raid,
    RefusedError,
    ZosError,
)


class DiskModule:
    """Makes pools of the disks that the configuration allows; threads and processes take turns."""

    def __init__(self, config: Config, ledger: Ledger) -> None:
        """Look at nothing yet; the id of the node is made if need be.

        Raises:
            RefusedError: the configuration allows a disk twice, or one without a path or a size.

        """
        self._ground = Ground(
            config=config,
            ledger=ledger,
            node=_identity.node_of(config.folder),
            devices=devices_of(config),
            records=Records(ledger),
        )

    @property
    def node(self) -> str:
        """The id of this node; pools carry it."""
        return str(self._ground.node)

    @property
    def devices(self) -> Mapping[str, Device]:
        """The disks that are allowed, by name, whether they are there or not."""
        return self._ground.devices

    @contextmanager
    def turn(self) -> Generator[None]:
        """Wait until nobody else, in any process, changes what is on disks, and keep all from it meanwhile.

        What takes its turn itself, as most of this does, waits for ever within.
        """
        with self._ground.turn():
            yield

    def scan(self) -> tuple[DiskInfo, ...]:
        """Look at all disks that are allowed; changes nothing, and attaches no image."""
        return tuple(sight.info for sight in self._ground.scanner.look())

    def plan(self, policy: Policy | None = None) -> Plan:
        """Say what `prepare` would do, and which tokens it and `wipe` want; changes nothing.

        Raises:
            ZosError: the policy does not make sense, or needs btrfs where there is none.

        """
        ground, policy = self._ground, policy or self._ground.config.policy
        sights = ground.scanner.look(closely=True)
        records = ground.records.all()
        new, left = plan_new(sights, policy, node=ground.node, pools=len(records))
        return Plan(
            policy=policy,
            new=tuple(new),
            pools=tuple(
                _wiping.planned(ground, record, sights)
                for record in records
                if record.stage is not Stage.MAKING
            ),
            disks=tuple(sight.info for sight in sights),
            left=left,
        )

    def prepare(self, policy: Policy | None = None, *, tokens: Collection[str] = ()) -> list[PoolInfo]:
        """Make the pools of a plan whose tokens are given; return all pools, also those that failed.

        What was begun and not finished is finished, with or without a token. A disk that fails does not keep
        the other pools from being made: its pool is `FAILING`, with the reason. Folders need no token.

        Args:
            policy: how pools are made; None for that of the configuration.
            tokens: of `plan`, with the same policy.

        Raises:
            RefusedError: a token is of no pool that would be made: look at the plan again. Nothing was done.
            ZosError: the policy does not make sense, or needs btrfs where there is none.

        """
        ground, failed = self._ground, []
        with ground.turn() as held:
            for record in _making.begin(ground, policy or ground.config.policy, tokens):
                try:
                    _making.make(ground, record, held=(held,))
                except ZosError as error:
                    failed.append(_failed(record, error))
                    _making.drop(ground, record)
        return [*self.pools(), *failed]

    def start(self) -> list[PoolInfo]:
        """Attach, prove and mount the pools of this node, also after a restart of the machine; return all.

        What was begun and not finished (making, wiping) is left to `prepare` and `wipe`. A pool of the node
        that the ledger has forgotten is taken up again. What cannot be mounted is `GONE`, with the reason.
        """
        ground = self._ground
        with ground.turn():
            sights = ground.scanner.look()
            records = ground.records.all()
            unknown = {sight.pool for sight in sights if sight.pool} - {record.id for record in records}
            for record in records:
                if record.stage is Stage.READY:
                    self._start(record, sights)
            for pool in sorted(unknown):
                self._adopt(pool, sights)
        return self.pools()

    def mount(self, pool_id: str) -> PoolInfo:
        """Mount one pool, degraded where a disk lacks and nothing is lost without; that it is is no error.

        Raises:
            NotFoundError: there is no such pool.
            ZosError: it cannot be mounted; the ledger has it as `GONE` then.

        """
        ground = self._ground
        with ground.turn():
            record = ground.records.get(pool_id)
            if record.stage is not Stage.READY:
                raise ZosError(f"pool {pool_id} cannot be mounted: its stage is {record.stage.value}")
            ground.mount(record, ground.members(record))
        return self.pool(pool_id)

    def recall(self, pool_id: str) -> PoolRecord:
        """Return what is kept about a pool that is not mounted, after asking its disks which ones it is on.

        Raises:
            NotFoundError: there is no such pool.

        """
        ground = self._ground
        with ground.turn():
            record = ground.records.get(pool_id)
            return ground.recalled(record, ground.members(record))

    def unmount(self, pool_id: str) -> None:
        """Unmount a pool, with all that is mounted in it; its loop devices go with that.

        Raises:
            NotFoundError: there is no such pool.
            ZosError: it is in use.

        """
        ground = self._ground
        with ground.turn():
            record = ground.records.get(pool_id)
            _mounting.unmount(record)
            ground.tell(record, PoolState.GONE, "is not mounted")

    def pools(self) -> list[PoolInfo]:
        """Return all pools of the node, by id, with what they hold."""
        return [_facts.info_of(self._ground, record) for record in self._ground.records.all()]

    def pool(self, pool_id: str) -> PoolInfo:
        """Return one pool. Raises NotFoundError."""
        return _facts.info_of(self._ground, self._ground.records.get(pool_id))

    def record(self, pool_id: str) -> PoolRecord:
        """Return what is kept about a pool. Raises NotFoundError."""
        return self._ground.records.get(pool_id)

    def records(self) -> Sequence[PoolRecord]:
        """Return what is kept about all pools."""
        return self._ground.records.all()

    def backend(self, pool_id: str) -> Backend:
        """Return how limits are kept on a mounted pool; a probe of it was really refused a write over one.

        Raises:
            NotFoundError: there is no such pool.
            ZosError: it is not mounted.

        """
        record = self._ground.records.get(pool_id)
        if not record.limits or not _mounting.is_mounted(record):
            raise ZosError(f"pool {pool_id} is not mounted")
        return self._ground.backend(record)

    def change_disks(self, pool_id: str, disks: Sequence[str]) -> PoolRecord:
        """Keep that a pool is on other disks now, and how much it holds with them; it is mounted."""
        ground = self._ground
        with ground.turn():
            record = attrs.evolve(ground.records.get(pool_id), disks=tuple(disks))
            size = _mounting.capacity(record, {name: ground.devices[name] for name in disks})
            record = ground.records.put(attrs.evolve(record, size=size))
            ground.tell(record, ground.ledger.pools.get(pool_id).state)
            _identity.sign(record.path, ground.node, record)
        return record

    def mark(self, disk: str, reason: str) -> None:
        """Keep that a disk must not be relied on; its pool takes no reservations. "" takes the mark away.

        Raises:
            NotFoundError: the configuration allows no such disk.

        """
        ground = self._ground
        if disk not in ground.devices:
            raise NotFoundError(f"the configuration allows no disk {disk!r}")
        with ground.turn():
            ground.records.mark(disk, reason)
            for record in ground.records.all():
                if disk in record.disks and record.stage is Stage.READY:
                    ground.judge(record)

    def set_type(self, disk: str, disk_type: DiskType | None) -> None:
        """Say of which type a disk is, instead of measuring; None has it measured again.

        Raises:
            NotFoundError: the configuration allows no such disk.
            RefusedError: it is of a pool, or the configuration says its type.

        """
        ground = self._ground
        if disk not in ground.devices:
            raise NotFoundError(f"the configuration allows no disk {disk!r}")
        if disk in ground.config.types:
            raise RefusedError(f"the type of {disk} is said by the configuration", hint="change it there")
        with ground.turn():
            for record in ground.records.all():
                if disk in record.disks:
                    raise RefusedError(
                        f"{disk} is of pool {record.id}, and keeps its type", hint="wipe it first"
                    )
            ground.records.keep_type(disk, ground.devices[disk].size, disk_type)

    def wipe(self, pool_id: str, *, token: str) -> None:
        """Give the disks of a pool back: all signatures go, and all there was. Finishes one that was begun.

        Raises:
            NotFoundError: there is no such pool.
            RefusedError: something is reserved on it, or the token is not that of `plan` now; nothing was
                changed.
            ZosError: a disk could not be wiped; the others were, and the same again goes on.

        """
        ground = self._ground
        with ground.turn() as held:
            _wiping.wipe(ground, ground.records.get(pool_id), token, held=(held,))

    def stats(self) -> DiskStats:
        """Return exact totals by type, and the resource units that follow from them."""
        return _facts.stats_of(self.pools(), self.scan())

    def _start(self, record: PoolRecord, sights: list[Sight]) -> None:
        try:
            self._ground.mount(record, self._ground.members(record, sights))
        except ZosError:
            return  # the ledger says why

    def _adopt(self, pool: str, sights: list[Sight]) -> None:
        """Take a pool up again that proves to be of this node, and of which the ledger knows nothing."""
        ground = self._ground
        members = {sight.info.name: sight.device for sight in sights if sight.pool == pool}
        record = _adopted(ground, pool, members, sights)
        try:
            _mounting.mount(record, members)
            said = _mounting.verify(record, ground.node)
            limits = ground.probe(record).name
        except ZosError:  # it stays as it is, and `scan` shows it
            with suppress(ZosError):
                _mounting.unmount(record)
            return
        record = attrs.evolve(record, type=said.type, raid=said.raid, size=said.size, limits=limits)
        ground.mount(ground.records.put(record), members)


def _adopted(ground: Ground, pool: str, members: Mapping[str, Device], sights: list[Sight]) -> PoolRecord:
    """Return what is known of a pool before it is mounted; it says the rest itself."""
    (first, *_) = members.values()
    found = {signature for sight in sights if sight.pool == pool for signature in sight.info.found}
    kind = FileSystem.BTRFS if "btrfs" in found else FileSystem.EXT4
    return PoolRecord(
        id=pool,
        uuid=_identity.uuid_of(ground.node, pool),
        type=DiskType.SSD,
        raid=Raid.SINGLE,
        disks=tuple(members),
        file_system=FileSystem.FOLDER if isinstance(first, Folder) else kind,
        path=first.path if isinstance(first, Folder) else ground.path_of(pool),
    )


def _failed(record: PoolRecord, error: ZosError) -> PoolInfo:
    return PoolInfo(
        id=record.id,
        type=record.type,
        raid=record.raid,
        disks=record.disks,
        path=record.path,
        size=0,
        reserved=0,
        used=0,
        free=0,
        spaces=0,
        state=PoolState.FAILING,
        reason=f"was not made: {error}",
    )

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import attrs

from statehold_quota import Backend, QuotaError, backends, choose
from statehold_zos.disks import _identity, _mounting, _superblock
from statehold_zos.disks._devices import Device
from statehold_zos.disks._programs import told
from statehold_zos.disks._records import FileSystem, PoolRecord, Records, Stage
from statehold_zos.disks._scan import Scanner, Sight
from statehold_zos.ledger import Ledger
from statehold_zos.model import Config, PoolState, ZosError

_LIMITS = {
    FileSystem.BTRFS: ("btrfs-simple", "btrfs-qgroup", "loop", "accounting"),
    FileSystem.EXT4: ("loop", "accounting"),
    FileSystem.FOLDER: ("accounting",),
}


@attrs.frozen(kw_only=True)
class Ground:
    """What all that is done with disks stands on."""

    config: Config
    ledger: Ledger
    node: UUID
    devices: Mapping[str, Device]
    records: Records

    @property
    def scanner(self) -> Scanner:
        """Looks at the disks."""
        return Scanner(config=self.config, devices=self.devices, records=self.records, node=self.node)

    @contextmanager
    def turn(self) -> Generator[int]:
        """Wait until nobody else, in any process, changes what is on disks; yield what holds the turn.

        Programs that write disks get it as well: while one of a process that was killed still runs, nobody
        else's turn comes.
        """
        with told(f"lock the disks in {self.config.folder}"):
            held = os.open(self.config.folder / "disks.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield held
        finally:
            os.close(held)

    def path_of(self, pool: str) -> Path:
        """Return where a pool is mounted."""
        return self.config.folder / "pools" / pool

    def members(self, record: PoolRecord, sights: list[Sight] | None = None) -> dict[str, Device]:
        """Return the disks that are there and prove to be of a pool, by name; whatever they were called.

        One that was taken out of the pool while it was away is none of it, though it says so.
        """
        seen = self.scanner.look() if sights is None else sights
        found = {sight.info.name: sight.device for sight in seen if sight.pool == record.id}
        if record.file_system is FileSystem.BTRFS:
            belong, _ = _superblock.members(_said(found))
            return {name: device for name, device in found.items() if name in belong}
        if len(found) > len(record.disks):
            return {name: device for name, device in found.items() if name in record.disks}
        return found

    def recalled(self, record: PoolRecord, members: Mapping[str, Device]) -> PoolRecord:
        """Keep on which disks a pool is, as far as they say so themselves; return the record.

        They may have another name by now; and one may have joined or left the pool, and the machine have
        stopped before that was kept.
        """
        complete = len(members) == len(record.disks)
        if record.file_system is FileSystem.BTRFS:
            _, complete = _superblock.members(_said(members))
        if not complete or set(members) == set(record.disks):
            return record
        kept = [name for name in record.disks if name in members]
        new = [name for name in members if name not in kept]
        return self.records.put(attrs.evolve(record, disks=(*kept, *new)))

    def mount(self, record: PoolRecord, members: Mapping[str, Device]) -> PoolRecord:
        """Mount a pool of ours, prove it, and tell the ledger; where that fails it is `GONE` there."""
        try:
            record = self.recalled(record, members)
            gone = len(record.disks) - len(members)
            was = _mounting.is_mounted(record)
            _mounting.mount(record, members)
            try:
                said = _mounting.verify(record, self.node)
                if not gone and said.disks != len(record.disks):
                    record = self.records.put(attrs.evolve(record, size=_mounting.capacity(record, members)))
                    _identity.sign(record.path, self.node, record)
                if not was or not record.limits:
                    record = self.records.put(attrs.evolve(record, limits=self.probe(record).name))
            except ZosError:
                if not was:
                    _mounting.unmount(record)
                raise
        except ZosError as error:
            self.tell(record, PoolState.GONE, error.message)
            raise
        self.tell(record, *self._state(record, gone))
        return record

    def probe(self, record: PoolRecord) -> Backend:
        """Return how limits are kept on a mounted pool, after a write over one was really refused."""
        try:
            return choose(record.path, names=_LIMITS[record.file_system], enable=True).backend
        except QuotaError as error:
            raise ZosError(f"pool {record.id}: {error.message}", hint=error.hint) from error

    def backend(self, record: PoolRecord) -> Backend:
        """Return what `probe` has returned before."""
        known = backends(record.path, enable=True)
        return next(backend for backend in known if backend.name == record.limits)

    def tell(self, record: PoolRecord, state: PoolState, reason: str = "") -> None:
        """Let the ledger know a pool, and how it is; one that is being wiped stays so."""
        if record.stage is Stage.READY:
            self.ledger.pools.put(
                record.id,
                type=record.type,
                size=record.size,
                over_provision=self.config.over_provision.get(record.type, 1.0),
                state=state,
                reason=reason,
            )

    def judge(self, record: PoolRecord) -> None:
        """Tell the ledger how a pool is whose disks were marked; one that is not mounted stays as it is."""
        if _mounting.is_mounted(record):
            self.tell(record, *self._state(record, len(record.disks) - len(self.members(record))))

    def _state(self, record: PoolRecord, gone: int) -> tuple[PoolState, str]:
        marks = self.records.marks()
        failing = [f"{name}: {marks[name]}" for name in record.disks if name in marks]
        if failing:
            return PoolState.FAILING, "; ".join(failing)
        if gone:
            return PoolState.DEGRADED, f"lacks {gone} of {len(record.disks)} disks"
        return PoolState.READY, ""


def _said(found: Mapping[str, Device]) -> dict[str, _superblock.Superblock]:
    told = {name: _superblock.read(device.find() or device.name) for name, device in found.items()}
    return {name: superblock for name, superblock in told.items() if superblock is not None}

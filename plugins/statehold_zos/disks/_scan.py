from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final
from uuid import UUID

import attrs

from statehold_zos.disks import _identity
from statehold_zos.disks._devices import Device, Folder, ImageFile
from statehold_zos.disks._health import read_health
from statehold_zos.disks._probe import BTRFS_COPY, Found, left_of, probe
from statehold_zos.disks._records import PoolRecord, Records, Stage
from statehold_zos.disks._speed import measured
from statehold_zos.model import Config, DiskInfo, DiskState, DiskType, Health, ZosError

#: The smallest disk that btrfs takes, with some room to spare.
SMALLEST: Final = 128 * 2**20


@attrs.frozen(kw_only=True)
class Sight:
    """What was seen of a disk.

    Attributes:
        info: for those who ask.
        device: the disk.
        pool: the id of the pool of this node that it was proven to be of, "" for none.
        left: whether it is of a pool that was wiped, or never finished, and may be emptied.
        part: the id of this disk alone within its file system, "" for none.

    """

    info: DiskInfo
    device: Device
    pool: str = ""
    left: bool = False
    part: str = ""


@attrs.frozen(kw_only=True)
class Scanner:
    """Looks at all disks that are allowed, and changes nothing."""

    config: Config
    devices: Mapping[str, Device]
    records: Records
    node: UUID

    def look(self, *, closely: bool = False) -> list[Sight]:
        """Return what is seen, in the order of the configuration; *closely* reads and measures free disks."""
        known = self.records.all()
        marks = self.records.marks()
        named = {name for record in known for name in record.disks}
        sights = _once(self._each(known), first=named)
        return [self._finished(sight, marks, closely=closely) for sight in sights]

    def _each(self, known: list[PoolRecord]) -> Iterator[Sight]:
        for device in self.devices.values():
            of = next((record for record in known if device.name in record.disks), None)
            try:
                yield self._folder(device) if isinstance(device, Folder) else self._disk(device, of, known)
            except ZosError as error:
                pool = of.id if of is not None and of.stage is Stage.READY else ""
                reason = error.message
                yield self._sight(device, DiskState.FAILING, reason, pool=pool, good=False)

    def _disk(self, device: Device, of: PoolRecord | None, known: list[PoolRecord]) -> Sight:
        if not device.there:
            return self._absent(device, of)
        path = device.find() or device.name
        found = probe(path)
        pool = self._ours(found)
        if pool:
            return self._own(device, found, pool, of, known)
        if found.empty:
            return self._empty(device, path, of)
        if set(found.signatures) == {BTRFS_COPY} and self._half_wiped(path):
            reason = "of a pool that was wiped halfway; emptied before use"
            return self._sight(device, DiskState.FREE, reason, found, left=True)
        return self._sight(device, DiskState.FOREIGN, _foreign(found), found)

    def _absent(self, device: Device, of: PoolRecord | None) -> Sight:
        if of is not None and of.stage is Stage.READY:
            return self._sight(device, DiskState.GONE, f"pool {of.id} was on it", pool=of.id)
        if of is not None:
            return self._sight(device, DiskState.POOL, "its pool is being made or wiped", pool=of.id)
        if os.path.lexists(device.name):
            return self._sight(device, DiskState.REFUSED, "is there, and is no disk")
        if isinstance(device, ImageFile):
            return self._small(device) or self._sight(device, DiskState.FREE, "is made when it is needed")
        return self._sight(device, DiskState.REFUSED, "is not there")

    def _own(
        self, device: Device, found: Found, pool: str, of: PoolRecord | None, known: list[PoolRecord]
    ) -> Sight:
        record = next((record for record in known if record.id == pool), None)
        if record is not None and record.stage is Stage.READY:
            return self._sight(device, DiskState.POOL, "", found, proven=pool)
        if record is not None and record.stage is Stage.WIPING:
            return self._sight(device, DiskState.POOL, "its pool is being wiped", found, proven=pool)
        if record is not None:
            return self._sight(
                device, DiskState.POOL, "its pool is being made", found, proven=pool, left=True
            )
        if self.records.wiped(found.uuid):
            if of is not None and of.stage is Stage.MAKING:
                reason = "its pool is being made"
                return self._sight(device, DiskState.POOL, reason, found, pool=of.id, left=True)
            reason = f"of pool {pool}, which was wiped; emptied before use"
            return self._sight(device, DiskState.FREE, reason, found, left=True)
        reason = "of a pool of this node that its ledger does not know (yet)"
        return self._sight(device, DiskState.POOL, reason, found, proven=pool)

    def _empty(self, device: Device, path: str, of: PoolRecord | None) -> Sight:
        if of is not None and of.stage is Stage.READY:
            reason = f"pool {of.id} was on it, and now it is empty"
            return self._sight(device, DiskState.REFUSED, reason, pool=of.id)
        if of is not None:
            return self._sight(device, DiskState.POOL, "its pool is being made or wiped", pool=of.id)
        if small := self._small(device):
            return small
        if reason := _in_use(path) or _in_part(device):
            return self._sight(device, DiskState.FOREIGN, reason)
        return self._sight(device, DiskState.FREE)

    def _small(self, device: Device) -> Sight | None:
        if device.size >= SMALLEST:
            return None
        return self._sight(device, DiskState.REFUSED, f"is smaller than {SMALLEST:,} bytes")

    def _folder(self, device: Folder) -> Sight:
        of = next((record for record in self.records.all() if device.name in record.disks), None)
        if not device.there:
            if of is not None and of.stage is Stage.READY:
                return self._sight(device, DiskState.GONE, f"pool {of.id} was in it", pool=of.id)
            if of is not None:
                return self._sight(device, DiskState.POOL, "its pool is being made or wiped", pool=of.id)
            return self._sight(device, DiskState.FREE, "is made when it is needed")
        try:
            said = _identity.read(device.path)
            others = any(not path.name.startswith(_identity.DRAFT) for path in device.path.iterdir())
        except OSError as error:
            raise ZosError(f"cannot be read: {error.strerror}") from error
        if said is not None and said.node == str(self.node):
            return self._own_folder(device, said.pool, of)
        if said is not None:
            return self._sight(device, DiskState.FOREIGN, f"is pool {said.pool} of another node")
        if of is not None and of.stage is Stage.READY:
            return self._sight(
                device, DiskState.REFUSED, f"does not say that pool {of.id} is in it", pool=of.id
            )
        if others:
            return self._sight(device, DiskState.FOREIGN, "holds files, and is no pool")
        if of is not None:
            return self._sight(device, DiskState.POOL, "its pool is being made or wiped", pool=of.id)
        return self._sight(device, DiskState.FREE)

    def _own_folder(self, device: Folder, pool: str, of: PoolRecord | None) -> Sight:
        if of is not None and of.stage is Stage.MAKING:
            return self._sight(device, DiskState.POOL, "its pool is being made", pool=of.id, left=True)
        if self.records.wiped(_identity.uuid_of(self.node, pool)):
            reason = f"of pool {pool}, which was wiped; emptied before use"
            return self._sight(device, DiskState.FREE, reason, left=True)
        return self._sight(device, DiskState.POOL, proven=pool)

    def _finished(self, sight: Sight, marks: Mapping[str, str], *, closely: bool) -> Sight:
        """Add the type, and the health of a disk that is not mounted."""
        info, device = sight.info, sight.device
        if reason := marks.get(info.name):
            health = Health(good=False, reason=reason)
            state = info.state if info.state is DiskState.GONE else DiskState.FAILING
            info = attrs.evolve(info, state=state, reason=reason, health=health)
        elif closely and info.state is DiskState.FREE and device.there and not isinstance(device, Folder):
            health = read_health(device.find() or device.name)
            info = attrs.evolve(info, health=health)
            if not health.good:
                info = attrs.evolve(info, state=DiskState.FAILING, reason=health.reason)
        return attrs.evolve(sight, info=attrs.evolve(info, type=self._type(info, device, closely=closely)))

    def _type(self, info: DiskInfo, device: Device, *, closely: bool) -> DiskType | None:
        if info.name in self.config.types:
            return self.config.types[info.name]
        if info.pool:
            return next((record.type for record in self.records.all() if record.id == info.pool), None)
        kept = self.records.measured(info.name, info.size)
        if kept is not None or not closely or info.state is not DiskState.FREE:
            return kept
        try:
            found = measured(_to_measure(device))
        except OSError:
            return DiskType.SSD  # a folder or a new image, of which nothing can be known
        self.records.keep_measured(info.name, info.size, found)
        return found

    def _ours(self, found: Found) -> str:
        """Return the id of the pool of this node that a file system proves to be, "" for any other."""
        named = _identity.is_id(found.label)
        ours = named and found.uuid == _identity.uuid_of(self.node, found.label)
        return found.label if ours and found.kind in {"btrfs", "ext4"} else ""

    def _half_wiped(self, path: str) -> bool:
        ids = left_of(path)
        known = {record.uuid for record in self.records.all() if record.stage is not Stage.READY}
        return bool(ids) and all(uuid in known or self.records.wiped(uuid) for uuid in ids)

    def _sight(
        self,
        device: Device,
        state: DiskState,
        reason: str = "",
        found: Found | None = None,
        *,
        pool: str = "",
        proven: str = "",
        left: bool = False,
        good: bool = True,
    ) -> Sight:
        info = DiskInfo(
            name=device.name,
            device=device.find() if good else "",
            type=None,
            size=device.size,
            state=state,
            reason=reason,
            found=() if found is None else found.signatures,
            pool=pool or proven,
            health=Health(good=good, reason="" if good else reason),
        )
        return Sight(
            info=info,
            device=device,
            pool=proven,
            left=left,
            part="" if found is None else found.part or found.uuid,
        )


def _foreign(found: Found) -> str:
    what = ", ".join(found.signatures)
    if found.label.startswith(_identity.PREFIX):
        return f"holds {what}: pool {found.label} of another node"
    return f"holds {what}" + (f" named {found.label!r}" if found.label else "")


def _in_use(path: str) -> str:
    """Return why a disk with nothing on it cannot be had by us, "" for no reason."""
    if not path.startswith("/dev/"):
        return "" if os.access(path, os.W_OK) else "must not be written"
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
        number = Path(path).stat().st_rdev
        kept = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}/ro").read_text(encoding="ascii")
    except OSError as error:
        return f"cannot be had for us alone: {error.strerror}"
    return "must not be written" if kept.strip() == "1" else ""


def _in_part(device: Device) -> str:
    part = device.find_part() if isinstance(device, ImageFile) else ""
    return f"a part of it is in use at {part}" if part else ""


def _to_measure(device: Device) -> str:
    """Return what to read: the disk, or for what is not made yet the one it will be on."""
    if device.there and not isinstance(device, Folder):
        return device.find() or device.name
    above = Path(device.name)
    while not above.exists():
        above = above.parent
    number = above.stat().st_dev
    return f"/dev/block/{os.major(number)}:{os.minor(number)}"


def _once(sights: Iterable[Sight], *, first: Container[str]) -> list[Sight]:
    """Refuse disks that were allowed under two names, or are copies of another one; *first* come first."""
    seen: dict[object, str] = {}
    found = list(sights)
    for place, sight in sorted(enumerate(found), key=lambda item: item[1].info.name not in first):
        keys = _keys(sight)
        others = [seen[key] for key in keys if key in seen]
        seen |= dict.fromkeys(keys, sight.info.name)
        if others:
            reason = f"is the same disk as {others[0]}, or a copy of it"
            info = attrs.evolve(sight.info, state=DiskState.REFUSED, reason=reason, pool="")
            found[place] = attrs.evolve(sight, info=info, pool="", left=False)
    return found


def _keys(sight: Sight) -> list[object]:
    try:
        status = Path(sight.info.name).stat()
    except OSError:
        return []
    where = status.st_rdev or (status.st_dev, status.st_ino)
    return [key for key in (where, sight.info.device, sight.part) if key]

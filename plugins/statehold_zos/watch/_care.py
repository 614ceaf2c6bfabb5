"""What is done about a pool whose disks are away, back, or failing."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

from statehold_zos.disks import DiskModule, FileSystem, PoolRecord
from statehold_zos.ledger import Ledger
from statehold_zos.model import DiskInfo, DiskState, NotFoundError, PoolState, ZosError
from statehold_zos.watch._btrfs import Btrfs
from statehold_zos.watch._evacuation import choose
from statehold_zos.watch._judging import Judge
from statehold_zos.watch._layout import Layout, layout
from statehold_zos.watch._looks import failing, gone, is_mounted, is_read_only, is_there, why_failing
from statehold_zos.watch._moves import Move, MoveKind, Moving, Order, Running

_LOG: Final = logging.getLogger(__name__)
_AWAY: Final = "watch.away"

_STEPS: Final = 5

Verdict = tuple[PoolState, str]


@attrs.frozen
class _Pool:
    """A pool of btrfs that is mounted, at one look."""

    record: PoolRecord
    there: frozenset[str]
    away: tuple[str, ...]
    infos: Mapping[str, DiskInfo]

    @property
    def btrfs(self) -> Btrfs:
        return Btrfs(self.record.path)

    @property
    def id(self) -> str:
        return self.record.id


class Care:
    """Looks after pools: a step at each look, found anew from what is there, so that any may be the last."""

    def __init__(self, disks: DiskModule, ledger: Ledger, folder: Path, *, every: float) -> None:
        self._disks = disks
        self._ledger = ledger
        self._every = every
        self._judge = Judge(disks, every=every)
        self._moving = Moving(ledger, folder)
        self._running: dict[str, Running] = {}
        self._tried: dict[tuple[str, str], dict[MoveKind, float]] = {}
        self._told: dict[str, str] = {}

    @property
    def busy(self) -> bool:
        """Whether a move that this process began is not done."""
        return bool(self._running)

    def let_go(self) -> None:
        """Leave moves that run to themselves."""
        for running in self._running.values():
            running.let_go()
        self._running.clear()

    def tend(self, pool: str, infos: Mapping[str, DiskInfo]) -> Mapping[str, DiskInfo]:
        """Do what is next for a pool, and keep how it is; return how disks are then, who were as given."""
        for _ in range(_STEPS):
            try:
                record = self._disks.record(pool)
            except NotFoundError:
                break
            marked = [name for name in record.disks if name in infos and self._judge.by_reading(infos[name])]
            verdict = None if marked else self._tend(record, infos)
            if verdict is not None:
                self._keep(pool, *verdict)
                break
            infos = {info.name: info for info in self._disks.scan()}
        return infos

    def _keep(self, pool: str, state: PoolState, reason: str) -> None:
        row = self._ledger.pools.find(pool)
        if row is None or row.state is PoolState.WIPING or (row.state, row.reason) == (state, reason):
            return
        self._ledger.pools.set_state(pool, state, reason)

    def _tend(self, record: PoolRecord, infos: Mapping[str, DiskInfo]) -> Verdict | None:
        """Do a step; return how the pool is then, None where it is to be looked at anew."""
        there = frozenset(name for name in record.disks if is_there(infos.get(name), record))
        away = tuple(name for name in record.disks if name not in there)
        marked = [name for name in record.disks if why_failing(infos.get(name))]
        if record.file_system is FileSystem.FOLDER:
            return gone(away) if away else failing(marked, infos) if marked else (PoolState.READY, "")
        for name in away:
            self._ledger.notes.put(_AWAY, name, record.id)
        lost = len(away) > record.raid.survives
        if record.file_system is FileSystem.BTRFS and is_mounted(record):
            return self._tend_btrfs(_Pool(record, there, away, infos))
        if lost:  # unless one of them left, and the machine stopped before that was kept
            return gone(away) if self._disks.recall(record.id) == record else None
        if not is_mounted(record):
            try:
                self._mount(record)
            except ZosError as error:
                return PoolState.GONE, error.message
            return None
        if is_read_only(record.path) and (told := self._mount_anew(record)):
            return PoolState.GONE, told
        for name in there:
            self._ledger.notes.remove(_AWAY, name)
        return failing(marked, infos) if marked else (PoolState.READY, "")

    def _tend_btrfs(self, pool: _Pool) -> Verdict | None:
        running = self._running.get(pool.id)
        if running is not None:  # what was seen is older than its end
            return None if self._ended(pool, running) else self._verdict(pool)
        if self._moving.is_at_work(pool.id, pool.btrfs):
            return self._verdict(pool)
        if self._cleared(pool.id):  # of a process that was killed: what was seen is older than its end
            return None
        found = self._layout(pool)
        if self._changed(pool, found):
            return None
        for name in found.stale:  # the kernel had it, and has it at another device now: no look saw it go
            self._ledger.notes.put(_AWAY, name, pool.id)
        back = self._back(pool)
        if len(pool.away) > pool.record.raid.survives:
            return gone(pool.away)
        if told := self._renewed(pool, found, back):
            return told
        found = self._layout(pool)
        if self._judge.by_errors(pool.record, found, pool.there, back):
            return None
        marked = [name for name in found.members if why_failing(pool.infos.get(name))]
        if marked:
            self._evacuate(pool, found, marked[0])
        elif not pool.away:
            self._mend(pool, found, back)
        return self._verdict(pool)

    def _verdict(self, pool: _Pool) -> Verdict:
        """Say how a pool is that can be read."""
        infos = pool.infos
        marked = [name for name in pool.record.disks if why_failing(infos.get(name))]
        move = self._moving.now(pool.id, pool.record.path)
        now = f"; {move.kind.value}, {move.done:.0%} done" if move and marked else ""
        now += f"; {told}" if (told := self._told.get(pool.id)) else ""
        if marked:
            state, reason = failing(marked, infos)
            return state, reason + now
        if pool.away:
            return PoolState.DEGRADED, f"without {', '.join(pool.away)}{now}"
        running = self._running.get(pool.id)
        doing = running.order.move.kind if running else move.kind if move else None
        if self._back(pool) or doing is MoveKind.SPREAD:
            return PoolState.DEGRADED, f"what was written while a disk was away is copied to it{now}"
        return PoolState.READY, now.removeprefix("; ")

    def _mend(self, pool: _Pool, found: Layout, back: list[str]) -> None:
        """Mend copies that are not what they should be."""
        copies = pool.record.raid.survives
        if copies and (back or any(member.errors.any for member in found.members.values())):
            pool.btrfs.commit()
            self._begin(pool, self._order(pool, found, MoveKind.HEAL))
        elif copies and pool.btrfs.is_mixed(pool.record.raid):
            self._begin(pool, self._order(pool, found, MoveKind.SPREAD))
        else:
            for name in back:
                self._ledger.notes.remove(_AWAY, name)

    def _evacuate(self, pool: _Pool, found: Layout, disk: str) -> None:
        """Begin to move contents from a disk that must not be relied on."""
        tried = self._tried.setdefault((pool.id, disk), {})
        now = time.monotonic()
        for kind in [kind for kind, at in tried.items() if now - at > 20 * self._every]:
            del tried[kind]
        chosen = choose(
            self._disks.pool(pool.id), found, disk, pool.infos, there=disk in pool.there, tried=tried
        )
        if isinstance(chosen, str):
            self._told.setdefault(pool.id, chosen)
            return
        kind, target = chosen
        tried[kind] = now
        if not target:
            self._begin(pool, self._order(pool, found, kind, disk=disk))
            return
        try:
            self._onto(pool, found, kind, disk, target)
        except ZosError as error:
            self._told[pool.id] = f"{kind.value} failed: {error.message}"
            _LOG.warning("pool %s: %s", pool.id, self._told[pool.id])

    def _onto(self, pool: _Pool, found: Layout, kind: MoveKind, disk: str, target: str) -> None:
        """Begin to move contents onto a disk that is still free, and let nobody have it before the kernel."""
        with self._disks.turn():
            if not any(info.name == target and info.state is DiskState.FREE for info in self._disks.scan()):
                raise ZosError(f"the disk {target} is not free any more")
            self._disks.devices[target].make()
            device = self._disks.devices[target].attach()
            self._begin(pool, self._order(pool, found, kind, disk=disk, target=target, device=device))
            self._running[pool.id].wait_until_at_work(pool.btrfs)

    def _order(
        self,
        pool: _Pool,
        found: Layout,
        kind: MoveKind,
        *,
        disk: str = "",
        target: str = "",
        device: str = "",
    ) -> Order:
        return Order(
            move=Move(pool=pool.id, kind=kind, disk=disk, target=target),
            root=pool.record.path,
            raid=pool.record.raid,
            number=found.members[disk].number if disk else 0,
            held=found.members[disk].held if disk else 0,
            device=device,
            errors={member.number: member.errors for member in found.members.values()},
        )

    def _begin(self, pool: _Pool, order: Order) -> None:
        self._running[pool.id] = self._moving.begin(order)
        self._told.pop(pool.id, None)
        _LOG.info("pool %s: %s of %s begins", pool.id, order.move.kind.value, order.move.disk or "all disks")

    def _ended(self, pool: _Pool, running: Running) -> bool:
        told = running.outcome()
        if told is None:
            return False
        del self._running[pool.id]
        self._cleared(pool.id)
        order = running.order
        if told:
            self._told[pool.id] = f"{order.move.kind.value} failed: {told}"
            _LOG.warning("pool %s: %s", pool.id, self._told[pool.id])
        if order.move.kind is MoveKind.HEAL:
            self._healed(pool, order, told)
        return True

    def _cleared(self, pool: str) -> bool:
        """Let go what a move that has ended held; return whether there was one."""
        move = self._moving.last(pool)
        if move is None:
            return False
        if move.target in self._disks.devices:
            self._disks.devices[move.target].detach()
        self._moving.remove(pool)
        return True

    def _healed(self, pool: _Pool, order: Order, told: str) -> None:
        for member in pool.btrfs.members:
            if not member.errors.failed_since(order.errors.get(member.number)):
                pool.btrfs.reset(member)  # else the next look takes it for what it is
        back = self._back(pool)
        if not told:
            for name in back:
                self._ledger.notes.remove(_AWAY, name)
        if not back:
            self._judge.repaired(pool.id)

    def _mount(self, record: PoolRecord) -> None:
        move = self._moving.last(record.id)
        target = self._disks.devices.get(move.target) if move else None
        if target is not None and target.there:
            target.attach()  # what was being copied onto it goes on with the mount, where both are there
        self._disks.mount(record.id)

    def _mount_anew(self, record: PoolRecord) -> str:
        """Mount a pool again; return why that is impossible now, "" if it is done."""
        try:
            self._disks.unmount(record.id)
        except ZosError as error:
            return f"it is to be mounted anew, as soon as nothing on it is open: {error.message}"
        try:
            self._mount(record)
        except ZosError as error:
            return error.message
        return ""

    def _renewed(self, pool: _Pool, found: Layout, back: list[str]) -> Verdict | None:
        """Mount a pool again whose disks the kernel has given up; None if there is no need, or it is done."""
        copies = pool.record.raid.survives
        lost = [found.members[name].errors for name in back if name in found.members]
        read_only = is_read_only(pool.record.path)
        if not (found.stale or read_only or (not copies and any(errors.lost for errors in lost))):
            return None
        told = self._mount_anew(pool.record)
        if not told or (not read_only and not copies and is_mounted(pool.record)):
            return None
        if read_only or not is_mounted(pool.record):
            return PoolState.GONE, told
        return PoolState.DEGRADED, told

    def _changed(self, pool: _Pool, found: Layout) -> bool:
        """Keep that a pool is on other disks than before, after a move."""
        record = pool.record
        if not found.complete or set(found.members) == set(record.disks):
            return False
        kept = [name for name in record.disks if name in found.members]
        new = sorted(set(found.members) - set(kept))
        for name in new:  # a disk that takes a place over takes the errors over that were counted for it
            pool.btrfs.reset(found.members[name])
        self._disks.change_disks(record.id, [*kept, *new])
        for name in set(record.disks) - set(kept):
            self._ledger.notes.remove(_AWAY, name)
        return True

    def _layout(self, pool: _Pool) -> Layout:
        ours = frozenset(name for name, info in pool.infos.items() if is_there(info, pool.record))
        return layout(pool.record, pool.btrfs.members, self._disks.devices, ours)

    def _back(self, pool: _Pool) -> list[str]:
        """Return the disks that were away, and whose contents may lack what was written meanwhile."""
        noted = self._ledger.notes.all(_AWAY)
        return [name for name in pool.record.disks if name in pool.there and noted.get(name) == pool.id]

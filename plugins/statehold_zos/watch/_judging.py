from __future__ import annotations

import time
from typing import Final

from statehold_zos.disks import DiskModule, PoolRecord, read_health
from statehold_zos.model import DiskInfo, DiskState, Health
from statehold_zos.watch._btrfs import Btrfs, Member
from statehold_zos.watch._layout import Layout

#: After how many repairs of wrong contents in a pool the disk that gives them again is a failing one.
_REPAIRS: Final = 3
#: After how many looks a disk is read again.
_READ_EVERY: Final = 10


class Judge:
    """Says which disks must not be relied on, and keeps that."""

    def __init__(self, disks: DiskModule, *, every: float) -> None:
        self._disks = disks
        self._every = every
        self._read: dict[str, float] = {}
        self._unreadable: dict[str, float] = {}
        self._marked: set[str] = set()
        self._repairs: dict[str, int] = {}

    def by_reading(self, info: DiskInfo) -> bool:
        """Mark a disk that is there, and cannot be read in two looks, the kernel's memory left aside.

        Return whether it was marked.
        """
        now = time.monotonic()
        if info.state is DiskState.POOL and info.device:
            if now < self._read.get(info.name, 0.0):
                return False
            health = read_health(info.device)
            if health.good:
                self._read[info.name] = now + _READ_EVERY * self._every
        else:  # marked already, away, or not read even by who looks for what is on it
            health = Health(good=info.state is not DiskState.FAILING or bool(info.found), reason=info.reason)
        if health.good:
            self._unreadable.pop(info.name, None)
            self._marked.discard(info.name)
            return False
        since = self._unreadable.setdefault(info.name, now)
        if info.name in self._marked or now - since < self._every:
            return False
        self._marked.add(info.name)
        self._disks.mark(info.name, health.reason)
        return True

    def by_errors(self, record: PoolRecord, found: Layout, there: frozenset[str], back: list[str]) -> bool:
        """Mark disks that do not do what they are told; return whether there is one.

        What happened to a disk while it was away is not held against it. That it was away is known if a look
        saw it, or the kernel has it at another device since. One that fails at the device where it was all
        the time is failing, however short that was: nothing tells a loose plug from a disk that dies.
        """
        marked = False
        for name, member in found.members.items():
            if name not in there or not member.writeable or not member.errors.any:
                continue
            if name in back:
                if not record.raid.survives:
                    Btrfs(record.path).reset(member)
            elif member.errors.lost or not record.raid.survives:
                marked = self._mark(record, name, member, str(member.errors))
            elif self._repairs.get(record.id, 0) >= _REPAIRS:
                reason = f"{member.errors}, again after {_REPAIRS} repairs"
                marked = self._mark(record, name, member, reason)
        return marked

    def repaired(self, pool: str) -> None:
        """Count that contents of a pool were mended which no absence explains."""
        self._repairs[pool] = self._repairs.get(pool, 0) + 1

    def _mark(self, record: PoolRecord, name: str, member: Member, reason: str) -> bool:
        self._disks.mark(name, reason)
        Btrfs(record.path).reset(member)  # so that who takes the mark away has the last word
        return True

"""How disks and pools were seen, and what happened between two looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from statehold_zos.model import EventKind, PoolEvent, PoolState

#: How far below the mark a pool has to get before it is told again to be filling.
_EASE: Final = 0.05


@attrs.frozen(kw_only=True)
class DiskSight:
    """How a disk was seen.

    Attributes:
        there: whether it was there, and what it should be.
        pool: the id of its pool, "" for none.
        failing: why it must not be relied on, "" where it may.

    """

    there: bool
    pool: str = ""
    failing: str = ""


@attrs.frozen(kw_only=True)
class PoolSight:
    """How a pool was seen.

    Attributes:
        state: see `PoolState`.
        reason: why it is not ready, in words.
        filled: the part of it that is in use.
        told: whether that it is filling was told, and it has not eased since.

    """

    state: PoolState
    reason: str = ""
    filled: float = 0.0
    told: bool = False


@attrs.frozen(kw_only=True)
class Sight:
    """How everything was seen at a look; never changed afterwards."""

    disks: Mapping[str, DiskSight] = attrs.field(factory=dict)
    pools: Mapping[str, PoolSight] = attrs.field(factory=dict)


def compare(
    before: Sight | None, after: Sight, *, filling: float, at: float
) -> tuple[Sight, list[PoolEvent]]:
    """Return what happened between two looks, and the later one with what was told.

    Without an earlier look, what is wrong now is told, and nothing that is as it should be.

    Args:
        before: the earlier look, None for the first one.
        after: the later look.
        filling: the part of a pool from which on it is told to be filling.
        at: when, seconds since 1970.

    """
    pools: dict[str, PoolSight] = {}
    events: list[PoolEvent] = []
    for name, disk in after.disks.items():
        old = None if before is None else before.disks.get(name)
        for kind, message in _of_disk(name, old, disk, first=before is None):
            pool = disk.pool or (old.pool if old else "")
            events.append(PoolEvent(kind=kind, disk=name, pool=pool, message=message, at=at))
    for pool, sight in after.pools.items():
        was = None if before is None else before.pools.get(pool)
        told = was is not None and was.told and sight.filled >= filling - _EASE
        if sight.filled >= filling and not told:
            told = True
            message = f"pool {pool} is {sight.filled:.0%} full"
            events.append(PoolEvent(kind=EventKind.FILLING, disk="", pool=pool, message=message, at=at))
        pools[pool] = attrs.evolve(sight, told=told)
        for kind, message in _of_pool(pool, was, sight, first=before is None):
            events.append(PoolEvent(kind=kind, disk="", pool=pool, message=message, at=at))
    for pool in (before.pools.keys() - after.pools.keys()) if before else ():
        message = f"pool {pool} is no pool of this node any more"
        events.append(PoolEvent(kind=EventKind.REMOVED, disk="", pool=pool, message=message, at=at))
    return attrs.evolve(after, pools=pools), events


def _of_disk(
    name: str, old: DiskSight | None, new: DiskSight, *, first: bool
) -> Iterator[tuple[EventKind, str]]:
    was_there = old.there if old else first and bool(new.pool)
    if was_there and not new.there:
        yield EventKind.REMOVED, f"disk {name} is gone"
    elif new.there and not was_there and not first:
        if old and old.pool and old.pool == new.pool:
            yield EventKind.BACK, f"disk {name} of pool {new.pool} is back"
        else:
            yield EventKind.ADDED, f"disk {name} is there"
    was_failing = old.failing if old else ""
    if new.failing and not was_failing:
        yield EventKind.FAILING, f"disk {name} must not be relied on: {new.failing}"
    elif was_failing and not new.failing:
        yield EventKind.BACK, f"disk {name} may be relied on again"


def _of_pool(
    pool: str, old: PoolSight | None, new: PoolSight, *, first: bool
) -> Iterator[tuple[EventKind, str]]:
    before = old.state if old else PoolState.READY
    reason = f": {new.reason}" if new.reason else ""
    if old is None and not first and new.state is PoolState.READY:
        yield EventKind.ADDED, f"pool {pool} is there"
    elif new.state is before:
        return
    elif new.state is PoolState.GONE:
        yield EventKind.REMOVED, f"pool {pool} cannot be read now{reason}"
    elif new.state is PoolState.FAILING:
        yield EventKind.FAILING, f"pool {pool} takes no reservations{reason}"
    elif new.state is PoolState.READY or before is PoolState.GONE:
        yield EventKind.BACK, f"pool {pool} is {new.state.value}{reason}"

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import attrs

from statehold_zstor.codec import CodecError
from statehold_zstor.metadata import Entry, Leftover, MetadataConflictError, ObjectMeta
from statehold_zstor.objects._cleaning import delete_all
from statehold_zstor.objects._errors import (
    DamagedError,
    NotStoredError,
    ObjectChangedError,
    ObjectNotFoundError,
)
from statehold_zstor.objects._fetching import Fetcher
from statehold_zstor.objects._improving import Improved, IsLost, improve
from statehold_zstor.objects._info import BadShard, Repair, Verdict
from statehold_zstor.objects._pieces import LONGEST, block_count, edition_of, info_of, is_stale
from statehold_zstor.objects._world import World

_TRIES: Final = 10


def current(world: World, key: str) -> tuple[Entry, ObjectMeta]:
    """Return the metadata of an object; ObjectNotFoundError where there is none."""
    entry = world.metadata.read(key)
    if entry is None or entry.meta is None:
        raise ObjectNotFoundError(f"there is no object {key!r}", hint="`statehold zstor list` shows all")
    return entry, entry.meta


def fetcher_of(world: World, meta: ObjectMeta) -> Fetcher:
    """Return what gets the pieces of an object."""
    return Fetcher(world, meta, world.codec(meta).decoder(edition_of(meta)))


def is_same(one: ObjectMeta, other: ObjectMeta) -> bool:
    """Whether two are of the same writing, in the same places."""
    return (one.salt, one.places, one.moved) == (other.salt, other.places, other.moved)


@attrs.frozen(eq=False, kw_only=True)
class Rebuilt:
    """What `rebuild` did.

    Attributes:
        entry: the metadata, then.
        repair: what is told of it.
        lost: the shards that are lost still.
        problems: what could not be done.

    """

    entry: Entry
    repair: Repair
    lost: tuple[int, ...]
    problems: tuple[str, ...]


def rebuild(
    world: World,
    key: str,
    *,
    is_lost: IsLost,
    deep: bool,
    patient: bool,
    progress: Callable[[int], None],
) -> Rebuilt:
    """Make an object whole again, as far as that can be done; see `Zstor.rebuild`."""
    for _ in range(_TRIES):
        entry, meta = current(world, key)
        try:
            improved = improve(world, meta, is_lost=is_lost, deep=deep, patient=patient, progress=progress)
        except DamagedError:
            if is_same(current(world, key)[1], meta):
                raise
            continue  # It was replaced meanwhile, and its shards were deleted.
        if improved.meta == meta:
            if entry.missing and world.metadata.refresh(key):
                entry, meta = current(world, key)
            return _rebuilt(world, entry, improved, is_lost)
        if any(is_stale(improved.meta.moved[shard], now=time.time()) for shard in improved.made):
            delete_all(world, _made(improved), patient=False)
            raise NotStoredError(
                f"{key!r} is not repaired: it took more than {LONGEST:,.0f} s",
                hint="What it had is there still. Try again when the backends are faster",
            )
        try:
            after = world.metadata.write(improved.meta, expected=entry.version)
        except MetadataConflictError:
            # Somebody else has repaired or replaced it: what was made here is nobody's.
            delete_all(world, _made(improved), patient=False)
            continue
        return _rebuilt(world, after, improved, is_lost)
    raise ObjectChangedError(f"{key!r} cannot be repaired: others change it all the time")


def verify(world: World, key: str, progress: Callable[[int], None]) -> Verdict:
    """Read every piece of an object; see `Zstor.verify`."""
    entry, meta = current(world, key)
    fetcher = fetcher_of(world, meta)
    count: dict[int, int] = {}
    first: dict[int, str] = {}
    readable = True
    for position in range(block_count(meta)):
        found = fetcher.all_of(position)
        try:
            with fetcher.decoder.decode(found.pieces, position=position) as plain:
                found.unsound(plain.bad)
                done = len(plain.data)
        except CodecError:
            readable = False
            done = min(meta.block_size, meta.size - position * meta.block_size)
        for shard, reason in found.lost.items():
            count[shard] = count.get(shard, 0) + 1
            first.setdefault(shard, reason)
        progress(done)
    return Verdict(
        info=info_of(entry),
        bad=tuple(
            BadShard(shard=shard, backend=meta.places[shard], blocks=count[shard], reason=first[shard])
            for shard in sorted(count)
        ),
        readable=readable,
    )


def check_whole(rebuilt: Rebuilt) -> None:
    """Raise NotStoredError if shards are missing still."""
    info = rebuilt.repair.info
    if rebuilt.lost or rebuilt.problems:
        told = "; ".join(dict.fromkeys(rebuilt.problems))
        raise NotStoredError(
            f"{info.key!r} has {info.shards - len(rebuilt.lost)} of its {info.shards} shards"
            f"{': ' if told else ', and no backend takes the rest'}{told}",
            hint="Another backend is needed; `statehold zstor status` shows those that there are",
        )


def _rebuilt(world: World, entry: Entry, improved: Improved, is_lost: IsLost) -> Rebuilt:
    remade = improved.remade
    return Rebuilt(
        entry=entry,
        repair=Repair(
            info=info_of(entry),
            repaired={**{s: b for s, b in improved.made.items() if s in remade}, **improved.mended},
            moved={shard: place for shard, place in improved.made.items() if shard not in remade},
        ),
        lost=tuple(
            shard
            for shard, place in enumerate(improved.meta.places)
            if place not in world.lanes or is_lost(world.lanes[place])
        ),
        problems=tuple(improved.problems),
    )


def _made(improved: Improved) -> list[Leftover]:
    """Return what was written for the shards that are elsewhere now."""
    after = improved.meta
    values = block_count(after)
    made = [
        Leftover(backend=after.places[shard], keys=after.moved[shard], values=values)
        for shard in improved.made
    ]
    return [*made, *improved.wasted]

"""How the shards of an object are made whole again: lost ones anew, misplaced ones elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing

import attrs
import msgspec

from statehold_zstor.codec import CodecError
from statehold_zstor.metadata import Leftover, ObjectMeta
from statehold_zstor.objects._crew import ahead
from statehold_zstor.objects._fetching import Fetcher, Found
from statehold_zstor.objects._lanes import Lane
from statehold_zstor.objects._pieces import block_count, edition_of, new_keys, piece_key, shard_keys
from statehold_zstor.objects._world import World, shard_size
from statehold_zstor.objects._writing import put_all
from statehold_zstor.placement import PlacementError, Spot, place_some

_ROUNDS = 3

#: Whether what a backend has is given up.
IsLost = Callable[[Lane], bool]


@attrs.define(eq=False, kw_only=True)
class Improved:
    """What became of the shards of an object.

    Attributes:
        meta: the object as it is then; where it differs, the metadata are still to be written.
        made: where shards are that were made anew or moved, by number.
        remade: those of them that were lost.
        mended: where shards are of which damaged pieces were written again, by number.
        wasted: what was written in vain.
        problems: what could not be done.

    """

    meta: ObjectMeta
    made: dict[int, str] = attrs.field(factory=dict)
    remade: set[int] = attrs.field(factory=set)
    mended: dict[int, str] = attrs.field(factory=dict)
    wasted: list[Leftover] = attrs.field(factory=list)
    problems: list[str] = attrs.field(factory=list)


def improve(
    world: World,
    meta: ObjectMeta,
    *,
    is_lost: IsLost,
    deep: bool = False,
    patient: bool = True,
    progress: Callable[[int], None] = lambda _: None,
) -> Improved:
    """Make anew what is lost, and bring elsewhere what may not stay where it is.

    Args:
        world: the backends.
        meta: the object.
        is_lost: which backends are given up.
        deep: whether every piece is read, and damaged ones are written again.
        patient: whether backends that failed lately are asked again.
        progress: gets the bytes of the object that are done.

    Raises:
        DamagedError: too few shards are left.

    """
    improved = Improved(meta=meta)
    avoided: set[str] = set()
    given_up: set[int] = set()
    for _ in range(_ROUNDS):
        kept = {
            shard: place
            for shard, place in enumerate(improved.meta.places)
            if place in world.groups and shard not in given_up and not is_lost(world.lanes[place])
        }
        targets = _targets(world, improved.meta, kept, is_lost, frozenset(avoided), patient=patient)
        if not targets and not deep:
            break
        keys = new_keys(world.config.meta.prefix, now=time.time())
        job = _Job(world, improved.meta, {s: (b, f"{keys}.{s}") for s, b in targets.items()}, deep=deep)
        job.run(progress)
        improved.mended.update(job.mended)
        improved.problems = list(job.failed.values())
        improved.remade |= {
            shard
            for shard in targets.keys() - job.failed.keys()
            if shard in given_up or _was_lost(world, improved.meta.places[shard], is_lost)
        }
        _settle(improved, job)
        deep = False
        # What cannot be written again where it is is made anew elsewhere.
        given_up |= {shard for shard in job.failed if shard not in targets}
        avoided |= {targets.get(shard) or improved.meta.places[shard] for shard in job.failed}
        if not job.failed:
            break
    return improved


def mend(world: World, meta: ObjectMeta, position: int) -> dict[int, str]:
    """Write damaged pieces of one block again where they are, and return of which shards, and where."""
    job = _Job(world, meta, {}, deep=True)
    job.block(position)
    return job.mended


def _targets(
    world: World,
    meta: ObjectMeta,
    kept: Mapping[int, str],
    is_lost: IsLost,
    avoided: frozenset[str],
    *,
    patient: bool,
) -> dict[int, str]:
    """Return which shards are to be made, and where."""
    spots = [
        spot for spot in world.spots(without=avoided, patient=patient) if not is_lost(world.lanes[spot.name])
    ]
    there = {spot.name for spot in spots}
    # What cannot be written to keeps what it has.
    spots += [
        Spot(name=place, group=world.groups[place], free=0) for place in kept.values() if place not in there
    ]
    size = shard_size(world, meta.size, meta)
    try:
        wanted = place_some(world.rules_for(meta), spots, minimum=1, kept=kept, size=size)
    except PlacementError:
        return {}
    return {shard: place for shard, place in wanted.items() if meta.places[shard] != place}


def _was_lost(world: World, place: str, is_lost: IsLost) -> bool:
    return place not in world.lanes or is_lost(world.lanes[place])


def _settle(improved: Improved, job: _Job) -> None:
    """Put into the metadata what was made."""
    meta = improved.meta
    places, moved = list(meta.places), dict(meta.moved)
    values = block_count(meta)
    leftovers = list(meta.leftovers)
    for shard, (place, keys) in job.targets.items():
        if shard in job.failed:
            wasted = Leftover(backend=place, keys=keys, values=values)
            improved.wasted.append(wasted)
            leftovers.append(wasted)
            continue
        if before := places[shard]:
            leftovers.append(Leftover(backend=before, keys=shard_keys(meta, shard), values=values))
        places[shard], moved[shard] = place, keys
        improved.made[shard] = place
    improved.meta = msgspec.structs.replace(
        meta, places=tuple(places), moved=moved, leftovers=tuple(leftovers)
    )


@attrs.define(eq=False)
class _Job:
    """One pass over the blocks of an object."""

    _world: World
    _meta: ObjectMeta
    targets: Mapping[int, tuple[str, str]]
    _deep: bool = attrs.field(kw_only=True)
    failed: dict[int, str] = attrs.field(factory=dict, init=False)
    mended: dict[int, str] = attrs.field(factory=dict, init=False)
    _fetcher: Fetcher = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        meta = self._meta
        decoder = self._world.codec(meta).decoder(edition_of(meta))
        self._fetcher = Fetcher(self._world, meta, decoder)

    def run(self, progress: Callable[[int], None]) -> None:
        """Look at all blocks."""
        count = block_count(self._meta)
        work = ahead(range(count), self.block, size=self._meta.block_size, single=count == 1)
        with closing(work):
            for done in work:
                progress(done)

    def block(self, position: int) -> int:
        """Look at one block, and return how many bytes of the object it has."""
        meta = self._meta
        done = min(meta.block_size, meta.size - position * meta.block_size)
        targets = {shard: to for shard, to in self.targets.items() if shard not in self.failed}
        damaged: dict[int, str] = {}
        if self._deep:
            found = self._sound(position)
            damaged = {shard: why for shard, why in found.damaged.items() if shard not in targets}
            if not targets and not damaged:
                return done
        block, _ = self._fetcher.shards(position)
        with block:
            puts = {
                shard: (place, piece_key(keys, position), block.shards[shard])
                for shard, (place, keys) in targets.items()
            }
            puts |= {
                shard: (meta.places[shard], piece_key(shard_keys(meta, shard), position), block.shards[shard])
                for shard in damaged
            }
            failed = put_all(self._world, puts)
        self.failed.update(failed)
        self.mended.update({shard: meta.places[shard] for shard in damaged if shard not in failed})
        return done

    def _sound(self, position: int) -> Found:
        """Read every piece of a block, those made by somebody else are not sound either."""
        found = self._fetcher.all_of(position)
        try:
            with self._fetcher.decoder.decode(found.pieces, position=position) as plain:
                found.unsound(plain.bad)
        except CodecError:
            pass  # That too little is left is told by who makes the shards.
        return found

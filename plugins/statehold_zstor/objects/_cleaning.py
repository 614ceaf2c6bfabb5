"""How what nobody needs any more is deleted from backends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Final

import msgspec

from statehold_zstor.backends import Backend, BackendError
from statehold_zstor.metadata import Entry, Leftover, MetadataConflictError
from statehold_zstor.objects._lanes import Lane
from statehold_zstor.objects._pieces import batch_of, data_prefix, leftovers_of, moment_of, piece_key
from statehold_zstor.objects._world import World

_TRIES: Final = 5
_AT_ONCE: Final = 64


def delete_all(world: World, leftovers: Iterable[Leftover], *, patient: bool = True) -> list[Leftover]:
    """Delete what lies on backends, and return what is still there: on those that do not answer.

    What lies on a backend that is in no configuration any more is nobody's.
    """
    wanted = [leftover for leftover in leftovers if leftover.backend in world.lanes]
    left: dict[Leftover, None] = {}
    futures = []
    for leftover in wanted:
        lane = world.lanes[leftover.backend]
        if lane.resting and not patient:
            left[leftover] = None
            continue
        futures.append((leftover, lane.submit(partial(_delete, leftover))))
    for leftover, future in futures:
        try:
            future.result()
        except BackendError:
            left[leftover] = None
    return list(left)


def clean(world: World, entry: Entry, *, patient: bool = True) -> Entry | None:
    """Delete the leftovers of an object, and note in its metadata which are gone.

    Return the metadata as they are then; None where nothing is left of the object.
    """
    left = set(delete_all(world, entry.leftovers, patient=patient))
    gone = set(entry.leftovers) - left
    found: Entry | None = entry
    for _ in range(_TRIES):
        if found is None or not gone.intersection(found.leftovers):
            break
        rest = [leftover for leftover in found.leftovers if leftover not in gone]
        try:
            return note(world, found, rest)
        except MetadataConflictError:
            # Whoever was first has the same leftovers in what he wrote, or has cleaned up, too.
            found = world.metadata.read(entry.key)
    return found


def note(world: World, entry: Entry, leftovers: Sequence[Leftover]) -> Entry:
    """Put *leftovers* in the place of those of an object that is there or was deleted."""
    if entry.meta is None:
        return world.metadata.forget(entry.key, expected=entry.version, leftovers=leftovers)
    meta = msgspec.structs.replace(entry.meta, leftovers=tuple(leftovers))
    return world.metadata.write(meta, expected=entry.version)


def sweep(world: World, seen: dict[str, float], *, age: float) -> int:
    """Delete pieces of no object, of writings begun more than *age* seconds ago, and return how many.

    *seen* are the writings that sweeps of this process have seen, and when. What was not seen *age* seconds
    before is noted there and stays: by the clock of a writer that is behind it may have begun long ago.

    Where nothing is known of any object none is deleted: the metadata are elsewhere, on a disk that is not
    mounted perhaps. A backend that fails is told of (BackendError) when the others are done.
    """
    now, begun = time.time(), time.monotonic()
    live: set[str] = set()
    for entry in world.metadata.scan(deleted=True):
        shards = (*entry.leftovers, *(leftovers_of(entry.meta) if entry.meta is not None else ()))
        live.update(batch_of(piece_key(shard.keys, 0)) for shard in shards)
    if not live:
        return 0
    there: set[str] = set()

    def is_done(batch: str) -> bool:
        there.add(batch)
        return begun - seen.setdefault(batch, time.monotonic()) >= age or age <= 0

    count, all_answer = 0, True
    failed: BackendError | None = None
    for lane in world.lanes.values():
        try:
            if lane.look()().reachable:
                count += _delete_keys(lane, _orphans(world, lane, live, is_done, older=now - age))
            else:
                all_answer = False
        except BackendError as error:
            failed = error
    if failed is not None:
        raise failed
    if all_answer:
        for batch in seen.keys() - there:
            seen.pop(batch, None)
    return count


def _orphans(
    world: World, lane: Lane, live: set[str], is_done: Callable[[str], bool], *, older: float
) -> Iterator[str]:
    for key in lane.backend.keys(data_prefix(world.config.meta.prefix)):
        batch = batch_of(key)
        if batch not in live and moment_of(batch) < older and is_done(batch):
            yield key


def _delete_keys(lane: Lane, keys: Iterator[str]) -> int:
    """Delete keys, some at once, and return how many."""
    count = 0
    while some := list(islice(keys, _AT_ONCE)):
        for future in [lane.submit(partial(_delete_key, key)) for key in some]:
            future.result()
        count += len(some)
    return count


def _delete(leftover: Leftover, backend: Backend) -> None:
    for block in range(leftover.values):
        backend.delete(piece_key(leftover.keys, block))


def _delete_key(key: str, backend: Backend) -> None:
    backend.delete(key)

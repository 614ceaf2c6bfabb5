from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Final

import attrs
import msgspec

from statehold_zstor.metadata import (
    Entry,
    MetadataConflictError,
    MetadataError,
    MetadataUnavailableError,
    ObjectMeta,
)
from statehold_zstor.objects._cleaning import delete_all
from statehold_zstor.objects._errors import (
    DamagedError,
    MaybeStoredError,
    NotStoredError,
    ObjectChangedError,
)
from statehold_zstor.objects._improving import improve
from statehold_zstor.objects._pieces import LONGEST, is_stale, leftovers_of, new_keys
from statehold_zstor.objects._sources import Source, size_of
from statehold_zstor.objects._world import World, shard_size
from statehold_zstor.objects._writing import Writing
from statehold_zstor.placement import PlacementError, place, place_some

_TRIES: Final = 20
_AGAIN: Final = 3
_PAUSE: Final = 0.05
_KEEPS: Final = "What was there before is there still"


@attrs.frozen(eq=False, kw_only=True)
class Order:
    """What is to be stored.

    Attributes:
        key: the name.
        source: the bytes.
        texts: what is kept with them.
        expected: the generation that must be there, 0 for none; None for any.
        progress: gets the bytes that are done.

    """

    key: str
    source: Source
    texts: Mapping[str, str]
    expected: int | None
    progress: Callable[[int], None]


def store(world: World, order: Order) -> Entry:
    """Store, again if nobody knows whether it has happened, and that can be done; see `Zstor.store`."""
    left = 0 if order.expected is not None or size_of(order.source) is None else _AGAIN
    maybe = False
    while True:
        try:
            return _store(world, order)
        except MaybeStoredError:
            if not left:
                raise
        except NotStoredError as error:
            if not maybe:
                raise
            # What an attempt before has written may be found still.
            raise _maybe(order, error.message.removeprefix(f"{order.key!r} is not stored: ")) from error
        left, maybe = left - 1, True


def _store(world: World, order: Order) -> Entry:
    """Write shards, then the metadata that make them the object."""
    entry = _current(world, order)
    config = world.config
    keys = new_keys(config.meta.prefix, now=time.time())
    writing = Writing(world, order.key, keys, _placed(world, order))
    try:
        size = size_of(order.source)
        single = size is not None and size <= config.block_size
        draft = writing.run(order.source, order.progress, single=single)
    except BaseException:
        delete_all(world, writing.written(), patient=False)
        raise
    draft = msgspec.structs.replace(_whole(world, draft, writing.failed), texts=dict(order.texts))
    return _commit(world, order, draft, entry)


def _current(world: World, order: Order) -> Entry | None:
    try:
        entry = world.metadata.read(order.key)
    except MetadataError as error:
        raise NotStoredError(f"{order.key!r} is not stored: {error.message}", hint=error.hint) from error
    _check_expected(order, entry)
    return entry


def _check_expected(order: Order, entry: Entry | None) -> None:
    there = entry.meta.generation if entry is not None and entry.meta is not None else 0
    if order.expected is not None and there != order.expected:
        raise ObjectChangedError(
            f"{order.key!r} is not stored: expected generation {order.expected}, there is {there}",
            hint="Look at it again: somebody else has written it",
        )


def _placed(world: World, order: Order) -> dict[int, str]:
    """Return where the shards of a new object go."""
    size = shard_size(world, size_of(order.source) or 0)
    # Where those that answer suffice, those that failed lately are not waited for.
    for patient in (False, True):
        spots = world.spots(patient=patient)
        try:
            return place(world.rules, spots, size=size, random=random.Random())  # noqa: S311
        except PlacementError as found:
            error = found
    minimum = world.config.acknowledge.minimum
    try:
        if minimum < world.rules.expected:
            return place_some(world.rules, spots, minimum=minimum, size=size, random=random.Random())  # noqa: S311
    except PlacementError as found:
        error = found
    told = world.problems()
    raise NotStoredError(
        f"{order.key!r} is not stored: {error.message}{': ' if told else ''}{told}",
        hint=f"{_KEEPS}. `statehold zstor status` shows the backends",
    ) from error


def _whole(world: World, draft: ObjectMeta, failed: Mapping[int, str]) -> ObjectMeta:
    """Bring shards that could not be written elsewhere, as far as that is needed to acknowledge."""
    if _suffices(world, draft):
        return draft
    try:
        improved = improve(world, draft, is_lost=lambda _: False)
    except DamagedError as error:
        _drop(world, draft)
        raise NotStoredError(f"{draft.key!r} is not stored: {error.message}", hint=_KEEPS) from error
    except BaseException:
        _drop(world, draft)
        raise
    draft = improved.meta
    if _suffices(world, draft):
        return draft
    _drop(world, draft)
    told = "; ".join(dict.fromkeys([*failed.values(), *improved.problems]))
    raise NotStoredError(
        f"{draft.key!r} is not stored: {_present(draft)} of its {draft.expected} shards are written, "
        f"{world.config.acknowledge.minimum} are needed{': ' if told else ''}{told}",
        hint=f"{_KEEPS}. Another backend is needed, or a smaller `minimum` in [acknowledge]",
    )


def _suffices(world: World, draft: ObjectMeta) -> bool:
    """Whether it may be acknowledged: all shards are spread by the rules, or the minimum is there."""
    minimum = world.config.acknowledge.minimum
    return world.holds(draft) or (minimum < draft.expected and _present(draft) >= minimum)


def _commit(world: World, order: Order, draft: ObjectMeta, entry: Entry | None) -> Entry:
    """Make shards the object of a key; who comes last wins, unless he expected something else."""
    for _ in range(_TRIES):
        if is_stale(draft.keys, now=time.time()):
            break
        before = entry.meta if entry is not None else None
        if entry is not None and before is not None and before.keys == draft.keys:
            return entry  # It is there already: to replace it would be to delete it.
        meta = msgspec.structs.replace(
            draft,
            generation=1 + (before.generation if before is not None else 0),
            stored=time.time(),
            leftovers=(
                *draft.leftovers,
                *(entry.leftovers if entry is not None else ()),
                *(leftovers_of(before) if before is not None else ()),
            ),
        )
        try:
            return world.metadata.write(
                meta,
                expected=entry.version if entry is not None else None,
            )
        except MetadataConflictError:
            time.sleep(random.uniform(0, _PAUSE))  # noqa: S311
            try:
                entry = _current(world, order)
            except ObjectChangedError:
                _drop(world, draft)
                raise
        except MetadataUnavailableError as error:
            if not error.maybe:
                _drop(world, draft)
                raise NotStoredError(
                    f"{order.key!r} is not stored: {error.message}", hint=f"{_KEEPS}. {error.hint}"
                ) from error
            return _found(world, order, draft, error)
    _drop(world, draft)
    raise NotStoredError(
        f"{order.key!r} is not stored: others write it all the time, or it took more than {LONGEST:,.0f} s",
        hint=_KEEPS,
    )


def _found(world: World, order: Order, draft: ObjectMeta, error: MetadataUnavailableError) -> Entry:
    """Return the metadata of what was stored, if it is seen to be: who reads next may find it.

    Nothing of it may be deleted, nor be stored under another generation: if it was replaced meanwhile, those
    who did that delete its shards.
    """
    try:
        entry = world.metadata.read(order.key)
        if entry is not None and entry.meta is not None and entry.meta.keys == draft.keys:
            world.metadata.refresh(order.key)
            return entry
    except MetadataError as again:
        error = MetadataUnavailableError(again.message, maybe=True, hint=again.hint)
    raise _maybe(order, error.message) from error


def _maybe(order: Order, why: str) -> MaybeStoredError:
    return MaybeStoredError(
        f"{order.key!r} may be stored or not: {why}",
        hint="Who reads it gets what was there before or all that was to be stored. Store it again",
    )


def _present(meta: ObjectMeta) -> int:
    return sum(map(bool, meta.places))


def _drop(world: World, draft: ObjectMeta) -> None:
    delete_all(world, [*leftovers_of(draft), *draft.leftovers], patient=False)

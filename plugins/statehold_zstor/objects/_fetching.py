from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final, TypeVar

import attrs

from statehold_zstor.backends import (
    Backend,
    BackendDamagedError,
    BackendError,
    ValueMissingError,
)
from statehold_zstor.codec import Block, CodecError, Decoder, ForgedBlockError, Plain, TooFewShardsError
from statehold_zstor.metadata import ObjectMeta
from statehold_zstor.objects._errors import DamagedError
from statehold_zstor.objects._lanes import Lane
from statehold_zstor.objects._pieces import piece_key, shard_keys
from statehold_zstor.objects._world import World

T = TypeVar("T")

#: How long one waits, as a multiple of what is usual, until another shard is asked for as well.
_PATIENCE: Final = 3.0
_LEAST_PATIENCE, _MOST_PATIENCE = 0.05, 2.0


@attrs.define(eq=False)
class Found:
    """What was found of one block.

    Attributes:
        pieces: those that came, by shard.
        damaged: what is wrong with those that are lost or damaged where they should be.
        away: what is wrong with the backends of others.

    """

    pieces: dict[int, bytes] = attrs.field(factory=dict)
    damaged: dict[int, str] = attrs.field(factory=dict)
    away: dict[int, str] = attrs.field(factory=dict)

    def failed(self, shard: int, error: BackendError) -> None:
        """Note why a piece did not come."""
        if isinstance(error, ValueMissingError):
            self.damaged[shard] = "it is not there"
        elif isinstance(error, BackendDamagedError):
            self.damaged[shard] = error.message
        else:
            self.away[shard] = error.message

    def unsound(self, bad: Mapping[int, str]) -> None:
        """Note pieces that came and are not sound."""
        for shard, reason in bad.items():
            self.pieces.pop(shard, None)
            self.damaged[shard] = reason

    @property
    def lost(self) -> dict[int, str]:
        """All that is wrong, by shard."""
        return {**self.damaged, **self.away}


@attrs.frozen(eq=False)
class Fetcher:
    """Gets the pieces of one object from the backends that have them."""

    _world: World
    meta: ObjectMeta
    decoder: Decoder

    def block(self, position: int) -> tuple[Plain, Found]:
        """Return a block from the first sound shards that come, and what was found to be wrong meanwhile.

        Raises:
            DamagedError: too few are there.

        """
        plain, found = self.gather(position, lambda pieces: self.decoder.decode(pieces, position=position))
        found.unsound(plain.bad)
        return plain, found

    def shards(self, position: int) -> tuple[Block, Found]:
        """Return all shards of a block, made of the first sound ones that come; raises as `block`."""
        return self.gather(position, lambda pieces: self.decoder.repair(pieces, position=position))

    def gather(self, position: int, use: Callable[[Mapping[int, bytes]], T]) -> tuple[T, Found]:
        """Return what *use* makes of the first pieces that suffice."""
        found = Found()
        answers: SimpleQueue[tuple[int, Future[bytes]]] = SimpleQueue()
        waiting = self._ranked(found)
        running: dict[int, Future[bytes]] = {}

        def start(count: int) -> None:
            for _ in range(min(count, len(waiting))):
                shard, lane = waiting.pop(0)
                future = running[shard] = self._get(shard, lane, position)
                future.add_done_callback(lambda done, shard=shard: answers.put((shard, done)))  # type: ignore[misc]

        needed = self.meta.minimal
        start(needed)
        patience = self._patience(running)
        while True:
            if len(found.pieces) >= needed:
                try:
                    used = use(found.pieces)
                except TooFewShardsError as error:
                    found.unsound(error.bad)
                except ForgedBlockError as error:
                    # One more may bring the combination that is right.
                    if not running and not waiting:
                        raise self._damaged(position, found, error) from error
                    needed = len(found.pieces) + 1
                else:
                    for future in running.values():
                        future.cancel()
                    return used, found
            start(needed - len(found.pieces) - len(running))
            if not running:
                raise self._damaged(position, found, None)
            try:
                shard, future = answers.get(timeout=patience if waiting else None)
            except Empty:
                start(1)
                continue
            del running[shard]
            try:
                found.pieces[shard] = future.result()
            except BackendError as error:
                found.failed(shard, error)

    def all_of(self, position: int, *, without: frozenset[int] = frozenset()) -> Found:
        """Return every piece of a block that can be had and is sound, those of *without* left out."""
        found = Found()
        asked = {
            shard: self._get(shard, lane, position)
            for shard, lane in self._ranked(found)
            if shard not in without
        }
        for shard, future in asked.items():
            try:
                piece = future.result()
                self.decoder.check(piece, index=shard, position=position)
            except BackendError as error:
                found.failed(shard, error)
            except CodecError as error:
                found.damaged[shard] = error.message
            else:
                found.pieces[shard] = piece
        return found

    def _get(self, shard: int, lane: Lane, position: int) -> Future[bytes]:
        key = piece_key(shard_keys(self.meta, shard), position)
        return lane.submit(partial(_get, key))

    def _ranked(self, found: Found) -> list[tuple[int, Lane]]:
        """Return the shards that there are, those first that come soonest; data before parity."""
        lanes = self._world.lanes
        there = []
        for shard, place in enumerate(self.meta.places):
            if not place:
                found.away[shard] = "it was not written yet"
            elif (lane := lanes.get(place)) is None:
                found.away[shard] = f"its backend {place} is not in the configuration"
            else:
                there.append((shard, lane))
        times = sorted(lane.seconds for _, lane in there)
        slow = 4 * times[len(times) // 2] if times else 0.0
        there.sort(key=lambda one: (one[1].resting, one[1].seconds > max(slow, _LEAST_PATIENCE), one[0]))
        return there

    def _patience(self, running: Mapping[int, Future[bytes]]) -> float:
        lanes = self._world.lanes
        usual = max((lanes[self.meta.places[shard]].seconds for shard in running), default=0.0)
        return min(max(_PATIENCE * usual, _LEAST_PATIENCE), _MOST_PATIENCE)

    def _damaged(self, position: int, found: Found, error: CodecError | None) -> DamagedError:
        lost = found.lost
        wrong = "; ".join(
            f"shard {shard} on {self.meta.places[shard] or 'no backend'}: {lost[shard]}"
            for shard in itertools.islice(sorted(lost), 10)
        )
        if error is not None:
            wrong = f"{error.message}{'; ' if wrong else ''}{wrong}"
        return DamagedError(
            f"{self.meta.key!r} cannot be read: block {position} has {len(found.pieces)} sound shards, "
            f"{self.meta.minimal} are needed: {wrong}",
            key=self.meta.key,
            block=position,
            lost=lost,
            hint="Bring back a backend that has another one of them",
        )


def _get(key: str, backend: Backend) -> bytes:
    return backend.get(key)

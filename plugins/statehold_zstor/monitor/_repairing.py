from __future__ import annotations

import heapq
import logging
import time
from collections.abc import Callable
from typing import Final

import attrs

from statehold.sdk import StateholdError
from statehold_zstor.metadata import Entry, MetadataError, ObjectMeta
from statehold_zstor.monitor._figures import Figures
from statehold_zstor.monitor._pace import Pace, StoppedError
from statehold_zstor.objects import Lane, ObjectNotFoundError, Zstor

#: How many objects are kept in mind that wait for a repair; the rest is found when all are looked at again.
_MOST: Final = 10_000
_FIRST_REST, _LONGEST_REST = 1.0, 600.0


@attrs.define(eq=False)
class Repairs:
    """Brings back the redundancy that objects have lost, those first that have least left."""

    _zstor: Zstor
    _figures: Figures
    _log: logging.Logger
    _resting: dict[str, tuple[int, float]] = attrs.field(factory=dict, init=False)

    def run(self, pace: Pace) -> bool:
        """Look at all metadata, and repair what lacks something; return whether all went well.

        Raises:
            MetadataUnavailableError: too few backends of the metadata answer.
            StoppedError: the monitor is to end.

        """
        due: list[tuple[float, str]] = []
        objects = size = tickets = leftovers = 0
        oldest = 0.0
        unread: list[str] = []
        used: set[str] = set()

        def failed(name: str, error: MetadataError) -> None:
            self._log.error("the metadata under %s: %s", name, error)
            unread.append(name)

        for entry in self._zstor.world.metadata.scan(deleted=True, failed=failed):
            pace(0)
            leftovers += len(entry.leftovers)
            if entry.leftovers:
                self._tried(entry.key, lambda entry=entry: self._zstor.clean(entry))  # type: ignore[misc]
            used.update(leftover.backend for leftover in entry.leftovers if self._answers(leftover.backend))
            if entry.meta is None:
                continue
            used.update(entry.meta.places)
            objects += 1
            size += entry.meta.size
            if (urgency := self._urgency(entry, entry.meta)) is None:
                continue
            if urgency < 1:
                tickets += 1
                oldest = min(oldest or entry.meta.stored, entry.meta.stored)
            heapq.heappush(due, (-urgency, entry.key))
            if len(due) > _MOST:
                heapq.heappop(due)
        figures = self._figures
        figures.unread = len(unread)
        figures.objects, figures.bytes, figures.leftovers = objects, size, leftovers
        figures.tickets, figures.oldest_ticket, figures.looked = tickets, oldest, time.time()
        leaving = self._zstor.world.lanes.keys() - self._zstor.world.groups.keys() - used
        if leaving and not unread:
            self._zstor.forget(leaving)
            self._log.info("%s: nothing is there any more", ", ".join(sorted(leaving)))
        well = not unread
        for _, key in sorted(due, reverse=True):
            well &= self._repair(key, pace)
        return well

    def is_lost(self, lane: Lane) -> bool:
        """Whether what a backend has is given up: it has not answered for as long as repairs are apart."""
        return lane.down_for >= self._zstor.world.config.monitor.repair

    def _answers(self, name: str) -> bool:
        lane = self._zstor.world.lanes.get(name)
        return lane is not None and not self.is_lost(lane)

    def _urgency(self, entry: Entry, meta: ObjectMeta) -> float | None:
        """Return the part of its spare shards that an object has; None where nothing is to be done."""
        world = self._zstor.world
        left = sum(
            place in world.lanes and not self.is_lost(world.lanes[place]) for place in meta.places if place
        )
        if left < meta.expected:
            return (left - meta.minimal) / max(1, meta.expected - meta.minimal)
        # Those that lack nothing, and are where they should not be.
        return 1.0 if entry.missing or not world.holds(meta) else None

    def _repair(self, key: str, pace: Pace) -> bool:
        failures, until = self._resting.get(key, (0, 0.0))
        if time.monotonic() < until:
            return False
        if self._tried(key, lambda: self._improve(key, pace)):
            self._resting.pop(key, None)
            return True
        self._figures.add(failed=1)
        if len(self._resting) < _MOST:
            rest = min(_FIRST_REST * 2 ** min(failures, 20), _LONGEST_REST)
            self._resting[key] = (failures + 1, time.monotonic() + rest)
        return False

    def _improve(self, key: str, pace: Pace) -> bool:
        rebuilt = self._zstor.improve(key, is_lost=self.is_lost, deep=False, patient=False, progress=pace)
        repair = rebuilt.repair
        self._figures.add(
            repaired=bool(repair.repaired or repair.moved),
            remade=len(repair.repaired),
            moved=len(repair.moved),
        )
        for word, shards in (("repaired", repair.repaired), ("moved", repair.moved)):
            for shard, backend in shards.items():
                self._log.info("%r: shard %d %s: it is on %s", key, shard, word, backend)
        for problem in rebuilt.problems:
            self._log.warning("%r: %s", key, problem)
        return not rebuilt.lost and not rebuilt.problems

    def _tried(self, key: str, work: Callable[[], object]) -> bool:
        """Do something for one object; what fails there keeps nothing from the others."""
        try:
            return work() is not False
        except (StoppedError, ObjectNotFoundError) as error:
            if isinstance(error, StoppedError):
                raise
            return True
        except StateholdError as error:
            self._log.warning("%r cannot be repaired now: %s", key, error)
            return False
        except Exception:  # noqa: BLE001  a defect in one object's way must not end the repair of all others
            self._log.exception("%r cannot be repaired: this is a defect", key)
            return False

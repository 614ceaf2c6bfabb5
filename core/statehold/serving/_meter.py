from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final, TypeAlias

#: Upper bounds of the buckets of times, in seconds.
BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

Labels: TypeAlias = tuple[str, ...]
_Place: TypeAlias = tuple[str | int, ...]


class Times:
    """How often something took how long."""

    __slots__ = ("buckets", "more", "seconds")

    def __init__(self) -> None:
        #: How many fell into each bucket, and in the end those beyond.
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0
        #: What was counted beside the times, such as results.
        self.more = 0

    def add(self, seconds: float, more: int = 0) -> None:
        """Count one that took so long."""
        self.buckets[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds
        self.more += more

    def merge(self, other: Times) -> None:
        """Add what another one has."""
        self.buckets = [mine + theirs for mine, theirs in zip(self.buckets, other.buckets, strict=True)]
        self.seconds += other.seconds
        self.more += other.more

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.buckets)


_Cells: TypeAlias = dict[_Place, Times]


class Counting:
    """Counts what a runtime does: a `Meter` whose figures are gathered when they are asked for.

    Every thread counts for itself, so that no count is lost and none waits for another.
    """

    def __init__(self) -> None:
        self._local = threading.local()
        self._all: list[_Cells] = []

    def command(self, app: str, name: str, status: int, seconds: float) -> None:
        """Count a command that was answered."""
        self._times(("command", app, name, status)).add(seconds)

    def query(self, app: str, name: str, status: int, seconds: float, results: int) -> None:
        """Count a query and its results."""
        self._times(("query", app, name, status)).add(seconds, results)

    def denied(self, app: str, name: str, reason: str) -> None:
        """Count a refusal."""
        self._times(("denied", app, name, reason)).add(0.0)

    def batch(self, app: str, partition: int, commands: int, seconds: float) -> None:
        """Count a commit and the commands in it."""
        self._times(("batch", app, partition)).add(seconds, commands)

    def projector(
        self, app: str, partition: int, name: str, events: int, seconds: float, *, ok: bool
    ) -> None:
        """Count the events that a projector has dealt with."""
        self._times(("projector", app, partition, name, _word(ok=ok))).add(seconds, events)

    def job(self, app: str, name: str, workspace: int, seconds: float, *, ok: bool) -> None:
        """Count a run of a job."""
        self._times(("job", app, name, workspace, _word(ok=ok))).add(seconds)

    def missed(self, app: str, name: str, workspace: int, runs: int) -> None:
        """Count the runs of a job that were missed."""
        self._times(("missed", app, name, workspace)).add(0.0, runs)

    def read(self, what: str) -> Iterator[tuple[Labels, Times]]:
        """Yield what was counted of one kind, such as `command`, by its labels."""
        merged: dict[Labels, Times] = {}
        for cells in list(self._all):
            for (kind, *labels), times in list(cells.items()):
                if kind == what:
                    merged.setdefault(tuple(map(str, labels)), Times()).merge(times)
        yield from sorted(merged.items(), key=lambda item: item[0])

    def _times(self, place: _Place) -> Times:
        try:
            cells: _Cells = self._local.cells
        except AttributeError:
            cells = self._local.cells = {}
            self._all.append(cells)
        found = cells.get(place)
        if found is None:
            found = cells[place] = Times()
        return found


def _word(*, ok: bool) -> str:
    return "ok" if ok else "failed"

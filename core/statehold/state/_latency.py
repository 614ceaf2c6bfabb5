from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, Final

from statehold.sdk import Intent, Operation

#: Upper bounds of the buckets, in seconds: from what a dict costs to what the other end of the world does.
LATENCIES: Final = (1e-6, 5e-6, 25e-6, 1e-4, 5e-4, 0.0025, 0.01, 0.05, 0.25, 1.0, 5.0)

#: Times that are kept as they are until they are sorted into buckets: many at once cost a fifth.
_MANY: Final = 500


class Latency:
    """How long calls of one operation of a storage took."""

    __slots__ = ("_buckets", "_lock", "_seconds", "_taken")

    def __init__(self) -> None:
        self._taken: list[float] = []
        self._buckets = [0] * (len(LATENCIES) + 1)
        self._seconds = 0.0
        self._lock = threading.Lock()

    @property
    def buckets(self) -> list[int]:
        """How many fell into each bucket of `LATENCIES`, and in the end those beyond."""
        self._sort()
        return list(self._buckets)

    @property
    def seconds(self) -> float:
        """How long they took together."""
        self._sort()
        return self._seconds

    def add(self, seconds: float) -> None:
        """Count one that took so long."""
        taken = self._taken
        taken.append(seconds)
        if len(taken) >= _MANY:
            self._sort()

    def _sort(self) -> None:
        with self._lock:
            # What other threads add meanwhile stands behind these, and waits for the next time.
            count = len(self._taken)
            taken = sorted(self._taken[:count])
            del self._taken[:count]
            self._seconds += sum(taken)
            before = 0
            for place, bound in enumerate(LATENCIES):
                upto = bisect_right(taken, bound)
                self._buckets[place] += upto - before
                before = upto
            self._buckets[-1] += count - before


def timed(operation: Operation, function: Callable[..., Any], latency: Latency) -> Callable[..., Any]:
    """Return *function* with its time taken; of a READ that which the storage takes for its rows."""
    now, add = time.perf_counter, latency.add

    def call(impl: Any, what: Any) -> Any:
        began = now()
        try:
            return function(impl, what)
        finally:
            add(now() - began)

    def read(impl: Any, key: Any) -> Any:
        began = now()
        rows = iter(function(impl, key))
        return _timed_rows(rows, now() - began, latency)

    return read if operation is Operation.READ else call


def timed_apply(inserts: Latency, updates: Latency) -> Callable[[Any, Sequence[Intent]], None]:
    """Return `apply(impl, items)` with its time taken; a batch with both kinds of changes counts for both."""
    now = time.perf_counter

    def apply(impl: Any, items: Sequence[Intent]) -> None:
        began = now()
        try:
            impl.apply_batch(items)
        finally:
            took = now() - began
            if len(items) == 1:
                (inserts if items[0].is_new else updates).add(took)
            else:
                for is_new in {item.is_new for item in items}:
                    (inserts if is_new else updates).add(took)

    return apply


def _timed_rows(rows: Iterator[Any], took: float, latency: Latency) -> Generator[Any, None, None]:
    now = time.perf_counter
    began = now()
    try:
        for row in rows:
            took += now() - began
            yield row
            began = now()
        took += now() - began
    finally:
        latency.add(took)
        # Who stops in the middle lets go of what the storage holds for the rest.
        if isinstance(rows, Generator):
            rows.close()

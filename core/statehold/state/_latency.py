from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Generator, Iterator
from typing import Any, Final

from statehold.sdk import Operation

#: Upper bounds of the buckets, in seconds: from what a dict costs to what the other end of the world does.
LATENCIES: Final = (1e-6, 5e-6, 25e-6, 1e-4, 5e-4, 0.0025, 0.01, 0.05, 0.25, 1.0, 5.0)


class Latency:
    """How long calls of one operation of a storage took.

    Attributes:
        buckets: how many fell into each bucket of `LATENCIES`, and in the end those beyond.
        seconds: how long they took together.

    """

    __slots__ = ("_lock", "buckets", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(LATENCIES) + 1)
        self.seconds = 0.0
        self._lock = threading.Lock()

    def add(self, seconds: float) -> None:
        """Count one that took so long."""
        with self._lock:
            self.buckets[bisect_left(LATENCIES, seconds)] += 1
            self.seconds += seconds


def timed(operation: Operation, function: Callable[..., Any], latency: Latency) -> Callable[..., Any]:
    """Return *function* with its time taken; of a READ that which the storage takes for its rows."""
    now = time.perf_counter

    def call(impl: Any, what: Any) -> Any:
        began = now()
        try:
            return function(impl, what)
        finally:
            latency.add(now() - began)

    def read(impl: Any, key: Any) -> Any:
        began = now()
        rows = iter(function(impl, key))
        return _timed_rows(rows, now() - began, latency)

    return read if operation is Operation.READ else call


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

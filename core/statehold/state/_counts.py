from __future__ import annotations

from collections.abc import Callable

import attrs

from statehold.sdk import Operation
from statehold.state._latency import Latency


@attrs.define(eq=False)
class CallCounts:
    """How often each operation of a storage was called by one user, and how often one was refused.

    Args:
        timed: of which operations it is measured, too, how long they take: of INSERT and UPDATE, how long the
            batch takes in which they are applied.

    """

    timed: frozenset[Operation] = frozenset()
    _latencies: dict[Operation, Latency] = attrs.field(factory=dict, init=False)
    _denied: dict[Operation | None, int] = attrs.field(factory=dict, init=False)
    _watched: list[tuple[Operation, Callable[[], int]]] = attrs.field(factory=list, init=False)

    def calls(self, operation: Operation) -> int:
        """Return how many calls of *operation* reached the storage."""
        return sum(count() for watched, count in self._watched if watched is operation)

    def denied(self, operation: Operation | None) -> int:
        """Return how many calls of *operation* were refused; None for any, because it is not named at all."""
        return self._denied.get(operation, 0)

    def latency(self, operation: Operation) -> Latency:
        """Return how long the calls of *operation* took, or their batches, if that is measured."""
        return self._latencies.setdefault(operation, Latency())

    def watch(self, operation: Operation, count: Callable[[], int]) -> None:
        """Add what *count* returns to `calls(operation)` from now on."""
        self._watched.append((operation, count))

    def deny(self, operation: Operation | None) -> None:
        """Count one refusal: of *operation*, or, with None, of the storage before it came to that."""
        self._denied[operation] = self._denied.get(operation, 0) + 1

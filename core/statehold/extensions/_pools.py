from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Generic, TypeVar

from statehold.extensions._errors import NoEngineError
from statehold.sdk import Scope

T = TypeVar("T")


class Pool(Generic[T]):
    """So many engines as may run at once, made when they are first needed; each has one user at a time.

    Args:
        make: makes one more.
        size: how many there may be.
        patience: how many seconds `take` waits.
        busy: makes the error when none got free.

    """

    def __init__(
        self, make: Callable[[], T], size: int, *, patience: float, busy: Callable[[], NoEngineError]
    ) -> None:
        self.size = size
        self._make = make
        self._patience = patience
        self._busy = busy
        self._idle: deque[T] = deque()
        self._made = 0
        self._waiting = 0
        self._changed = threading.Condition(threading.Lock())

    @property
    def in_use(self) -> int:
        """How many are taken at this moment."""
        return self._made - len(self._idle)

    @property
    def waiting(self) -> int:
        """How many calls wait for one at this moment."""
        return self._waiting

    def take(self) -> T:
        """Return one that is free, the last one used first, or wait for it.

        Raises:
            NoEngineError: none got free in time, or there is none, which is said at once.

        """
        # Reading and popping are atomic, and who comes later does not overtake those that wait.
        if not self._waiting:
            try:
                return self._idle.pop()
            except IndexError:
                pass
        return self._wait()

    def give(self, item: T) -> None:
        """Take back what `take` returned."""
        self._idle.append(item)
        if self._waiting:
            with self._changed:
                self._changed.notify()

    def drop(self) -> None:
        """Count one less: what `take` returned is broken, and a new one is made when it is needed."""
        with self._changed:
            self._made -= 1
            self._changed.notify()

    def close(self) -> list[T]:
        """Return all that are idle, for whoever has to free them."""
        idle = list(self._idle)
        self._idle.clear()
        return idle

    def _wait(self) -> T:
        if not self.size:
            raise self._busy()
        deadline = time.monotonic() + self._patience
        with self._changed:
            self._waiting += 1
            try:
                while True:
                    try:
                        return self._idle.pop()
                    except IndexError:
                        pass
                    if self._made < self.size:
                        self._made += 1
                        break
                    left = deadline - time.monotonic()
                    if left <= 0:
                        raise self._busy()
                    self._changed.wait(left)
            finally:
                self._waiting -= 1
        try:
            return self._make()
        except BaseException:
            self.drop()
            raise


class Pools(Generic[T]):
    """The pools of one engine: one per partition and kind.

    Args:
        make: makes one more for a partition and a kind.
        what: what is in them, for messages: `PYTHON engines of acme.bills 1.2`.
        partitions: how many partitions there are.
        sizes: how many of each kind in one partition.
        patience: how many seconds to wait for one.

    """

    def __init__(
        self,
        make: Callable[[int, Scope], T],
        *,
        what: str,
        partitions: int,
        sizes: Mapping[Scope, int],
        patience: float,
    ) -> None:
        self._pools = {
            (partition, kind): Pool(
                partial(make, partition, kind),
                size,
                patience=patience,
                busy=partial(_busy, what, partition, kind, size, patience),
            )
            for partition in range(partitions)
            for kind, size in sizes.items()
        }

    def __getitem__(self, place: tuple[int, Scope]) -> Pool[T]:
        """Return the pool of a partition and a kind."""
        return self._pools[place]

    def items(self) -> Iterable[tuple[tuple[int, Scope], Pool[T]]]:
        """Return every pool with its partition and kind."""
        return self._pools.items()

    def close(self) -> list[T]:
        """Return all engines that are idle, for whoever has to free them."""
        return [item for pool in self._pools.values() for item in pool.close()]


def _busy(what: str, partition: int, kind: Scope, size: int, patience: float) -> NoEngineError:
    if not size:
        return NoEngineError(
            f"{what}: EnginePoolSize has none for {kind}",
            partition=partition,
            kind=kind,
            hint="Raise EnginePoolSize in descriptor.json: [commands, queries, projectors, jobs]",
        )
    return NoEngineError(
        f"{what}: all {size} for {kind} in partition {partition} were busy for {patience:g} s",
        partition=partition,
        kind=kind,
        hint="Try again later, or raise EnginePoolSize in descriptor.json",
    )

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Final, Self

from statehold_zos.model import PoolEvent

KEPT: Final = 10_000


class Subscription:
    """The events from now on, for one reader, who may be as slow as it likes: nobody waits for it.

    Attributes:
        missed: how many events were dropped, the oldest first, because so many were not read yet.

    """

    def __init__(self, broker: Broker, kept: int) -> None:
        self._broker = broker
        self._kept = kept
        self._events: deque[PoolEvent] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self.missed = 0

    def get(self, timeout: float | None = None) -> PoolEvent | None:
        """Return the next event; None when *timeout* seconds have gone by without one, or it is closed."""
        end = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not self._events and not self._closed:
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    return None
                self._changed.wait(left)
            return self._events.popleft() if self._events else None

    def close(self) -> None:
        """End it: what came before can still be read. May be called twice, and from another thread."""
        self._broker.drop(self)
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def put(self, events: Iterable[PoolEvent]) -> None:
        """Add events; never waits."""
        with self._changed:
            for event in events:
                if len(self._events) == self._kept:
                    self._events.popleft()
                    self.missed += 1
                self._events.append(event)
            self._changed.notify_all()

    def __iter__(self) -> Iterator[PoolEvent]:
        """Yield events as they come, until it is closed."""
        while (event := self.get()) is not None:
            yield event

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Broker:
    """Tells every subscription what happens."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscriptions: tuple[Subscription, ...] = ()

    def subscribe(self, kept: int = KEPT) -> Subscription:
        """Return a subscription that keeps up to *kept* events for its reader."""
        made = Subscription(self, kept)
        with self._lock:
            self._subscriptions = (*self._subscriptions, made)
        return made

    def drop(self, subscription: Subscription) -> None:
        """Tell a subscription nothing any more."""
        with self._lock:
            self._subscriptions = tuple(one for one in self._subscriptions if one is not subscription)

    def publish(self, events: Iterable[PoolEvent]) -> None:
        """Tell all subscriptions; never waits for a reader."""
        told = tuple(events)
        with self._lock:
            current = self._subscriptions
        for one in current:
            one.put(told)

    def close(self) -> None:
        """Close all subscriptions."""
        with self._lock:
            current = self._subscriptions
        for one in current:
            one.close()

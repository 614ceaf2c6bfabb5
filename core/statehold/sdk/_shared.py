from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import attrs

T = TypeVar("T")


@attrs.define(eq=False)
class _Held(Generic[T]):
    value: T
    users: int = 0


@attrs.define(eq=False)
class Shared(Generic[T]):
    """Things that are open once, by name, however many partitions and versions of an app use each.

    Any number of threads may use it; they wait for one another while something is opened or closed.

    Attributes:
        close: called with what nobody uses any more.

    """

    close: Callable[[T], None]
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _held: dict[Hashable, _Held[T]] = attrs.field(factory=dict, init=False)

    def take(self, name: Hashable, make: Callable[[], T]) -> T:
        """Return what is called *name*, made if nobody has it; who takes it gives it back."""
        with self._lock:
            held = self._held.get(name)
            if held is None:
                held = self._held[name] = _Held(make())
            held.users += 1
            return held.value

    def give_back(self, name: Hashable) -> None:
        """Close what is called *name*, if nobody else has it."""
        with self._lock:
            held = self._held[name]
            held.users -= 1
            if held.users:
                return
            del self._held[name]
            self.close(held.value)

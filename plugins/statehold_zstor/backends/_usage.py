from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import attrs

from statehold_zstor.backends._errors import BackendFullError

#: A count is made anew after so many seconds, or so many times as long as it took.
_FRESH: Final = 60.0
_REST: Final = 20.0
#: How long one call counts; a later one goes on from there.
_SLICE: Final = 1.0


@attrs.define(eq=False)
class Usage:
    """How many values a backend has that does not count them itself, and their bytes.

    They are gone through now and then, a second at a time; between two counts what is written and deleted
    from here is added.

    Args:
        name: of the backend.
        sizes: yields the bytes of each value.
        limit: the most bytes that there may be; None for no limit.

    """

    _name: str
    _sizes: Callable[[], Iterable[int]]
    limit: int | None = None
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _known: tuple[int, int] | None = attrs.field(default=None, init=False)
    _due: float = attrs.field(default=0.0, init=False)
    _counting: Iterator[int] | None = attrs.field(default=None, init=False)
    _so_far: tuple[int, int] = attrs.field(default=(0, 0), init=False)
    _took: float = attrs.field(default=0.0, init=False)

    def get(self, *, anew: bool = False) -> tuple[int, int] | None:
        """Return the values and their bytes; None while they have never been counted to the end."""
        with self._lock:
            if self._counting is None:
                if not anew and self._known is not None and time.monotonic() < self._due:
                    return self._known
                self._counting, self._so_far, self._took = iter(self._sizes()), (0, 0), 0.0
            self._go_on(self._counting)
            return self._known

    def add(self, objects: int, size: int) -> None:
        """Note what was written, or with negative numbers deleted."""
        with self._lock:
            if self._known is not None:
                self._known = max(0, self._known[0] + objects), max(0, self._known[1] + size)

    def check_room(self, size: int) -> None:
        """Raise BackendFullError if so many bytes more would be too many."""
        if self.limit is None:
            return
        used = 0
        for anew in (False, True):
            _, used = self.get(anew=anew) or (0, 0)
            if used + size <= self.limit:
                return
        raise BackendFullError(
            f"{self._name}: {used + size:,} bytes would be there, its limit is {self.limit:,}",
            backend=self._name,
        )

    def left(self, used: int | None) -> int | None:
        """Return the bytes that still fit; None where nobody knows."""
        return None if self.limit is None or used is None else max(0, self.limit - used)

    def _go_on(self, counting: Iterator[int]) -> None:
        start = time.monotonic()
        objects, used = self._so_far
        try:
            for size in counting:
                objects, used = objects + 1, used + size
                if time.monotonic() - start > _SLICE:
                    self._so_far = objects, used
                    self._took += time.monotonic() - start
                    return
        except BaseException:
            self._counting = None
            raise
        self._counting = None
        self._known = objects, used
        self._took += time.monotonic() - start
        self._due = time.monotonic() + max(_FRESH, _REST * self._took)

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from statehold.sdk import StateholdError

#: So many failures in so many seconds, and calls fail at once until a trial start works.
_MOST: Final = 5
_WINDOW: Final = 60.0
_FIRST: Final = 0.1
_LONGEST: Final = 30.0


class Breaker:
    """Says when a sidecar that failed is started again, and whether callers are to wait for that.

    Attributes:
        open: whether they are not to.
        trouble: what went wrong last, None before anything did.

    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures: deque[float] = deque(maxlen=64)
        self.open = False
        self.trouble: StateholdError | None = None

    def failed(self) -> float:
        """Take note of a failure, and return in how many seconds the next start may be."""
        now = self._clock()
        self._failures.append(now)
        while self._failures[0] < now - _WINDOW:
            self._failures.popleft()
        count = len(self._failures)
        self.open = count >= _MOST
        return 0.0 if count == 1 else min(_FIRST * 2.0 ** (count - 2), _LONGEST)

    def works(self) -> None:
        """Let callers wait again: a start has worked."""
        self.open = False

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Final

from statehold_aos.gateway import ClaimId


class Schedule:
    """When something is to be done about claims, in seconds of a clock that does not jump."""

    def __init__(self) -> None:
        self._looks: Final[dict[ClaimId, float]] = {}
        self._timers: Final[list[tuple[float, ClaimId]]] = []

    def look(self, one: ClaimId, at: float) -> None:
        """Take note of when the file of a claim is looked at."""
        self._looks[one] = at

    def looked(self, one: ClaimId) -> None:
        """Take note that it was looked at, or need not be any more."""
        self._looks.pop(one, None)

    def is_to_look(self, one: ClaimId, now: float) -> bool:
        """Say whether the file of a claim is to be looked at."""
        at = self._looks.get(one)
        return at is not None and at <= now

    def wake(self, one: ClaimId, resend: float | None) -> None:
        """See to it that `due` tells of a claim, when it is looked at or something is sent again."""
        look = self._looks.get(one)
        if look is not None and (resend is None or look < resend):
            heapq.heappush(self._timers, (look, one))
        elif resend is not None:
            heapq.heappush(self._timers, (resend, one))

    def due(self, now: float) -> Iterable[ClaimId]:
        """Return the claims whose time has come, each once; who is not done with one wakes it again."""
        found: dict[ClaimId, None] = {}
        while self._timers and self._timers[0][0] <= now:
            found[heapq.heappop(self._timers)[1]] = None
        return found

    def wait(self, now: float, longest: float) -> float:
        """Return after how many seconds a claim will be due; *longest* where none will."""
        return self._timers[0][0] - now if self._timers else longest

from __future__ import annotations

import heapq
from typing import Final

from statehold_aos.gateway import ClaimId


class Schedule:
    """When something is to be done about claims, in seconds of a clock that does not jump."""

    def __init__(self) -> None:
        self._looks: Final[dict[ClaimId, float]] = {}
        self._look_timers: Final = _Timers()
        self._send_timers: Final = _Timers()

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
        if look is not None:
            self._look_timers.set(one, look)
        if resend is not None:
            self._send_timers.set(one, resend)

    def due(self, now: float) -> list[ClaimId]:
        """Return the claims whose time has come, each once; who is not done with one wakes it again."""
        found = self._look_timers.due(now)
        found.update(self._send_timers.due(now))
        return list(found)

    def wait(self, now: float, longest: float) -> float:
        """Return after how many seconds a claim will be due; *longest* where none will."""
        times = [one.first for one in (self._look_timers, self._send_timers) if one.first is not None]
        return min(times) - now if times else longest


class _Timers:
    """A time for each claim: one that is put off comes up too early, and once for all the times it was."""

    def __init__(self) -> None:
        self._heap: Final[list[tuple[float, ClaimId]]] = []
        self._times: Final[dict[ClaimId, float]] = {}

    def set(self, one: ClaimId, at: float) -> None:
        known = self._times.get(one)
        if known is None or at < known:
            self._times[one] = at
            heapq.heappush(self._heap, (at, one))

    def due(self, now: float) -> dict[ClaimId, None]:
        found: dict[ClaimId, None] = {}
        while self._heap and self._heap[0][0] <= now:
            at, one = heapq.heappop(self._heap)
            if self._times.get(one) == at:
                del self._times[one]
                found[one] = None
        return found

    @property
    def first(self) -> float | None:
        return self._heap[0][0] if self._heap else None

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from statehold.sdk import Clock
from statehold_aos._state._facts import Disk, Facts, Step
from statehold_aos._state._protocol import Now
from statehold_aos._state._round import Claim, Take
from statehold_aos._state._schedule import Schedule
from statehold_aos._state._settings import Settings
from statehold_aos.gateway import ClaimId

#: Seconds after which a file is looked at again, should the database fail.
_RETRY: Final = 10.0


class Timing:
    """Sees to it that files are looked at after their quiet time, and what has no answer is sent again.

    Args:
        clock: the time.
        claims: whose states are looked after.
        settings: how, at the moment.
        is_connected: whether anything can be sent.
        take: takes steps.

    """

    def __init__(
        self,
        *,
        clock: Clock,
        claims: Mapping[ClaimId, Claim],
        settings: Callable[[], Settings],
        is_connected: Callable[[], bool],
        take: Take,
    ) -> None:
        self._clock: Final = clock
        self._claims: Final = claims
        self._settings: Final = settings
        self._take: Final = take
        self._is_connected: Final = is_connected
        self._times: Final = Schedule()

    def touch(self, claim: Claim) -> None:
        """Take note that the file of a claim may have changed."""
        one = claim.facts.id
        self._times.look(one, self._settings().quiet.touched(one, self._clock.monotonic()))
        self.schedule(claim)

    def look_now(self, one: ClaimId) -> None:
        """Look at the file of a claim without waiting for a quiet time."""
        self._look_at([one])

    def forget(self, one: ClaimId) -> None:
        """Look at the file of a claim no more."""
        self._times.looked(one)
        self._settings().quiet.done(one)

    def do(self) -> float:
        """Do what is due, and return after how many seconds there will be more."""
        now = self._clock.monotonic()
        due = [one for one in self._times.due(now) if one in self._claims]
        if due:
            try:
                self._do(due, now)
            finally:
                for one in due:
                    if one in self._claims:
                        self.schedule(self._claims[one])
        return self._times.wait(self._clock.monotonic(), _RETRY)

    def schedule(self, claim: Claim) -> None:
        """See to it that something is done about a claim in time."""
        due = claim.facts.due
        resend = due / 1000 if due is not None and self._is_connected() else None
        self._times.wake(claim.facts.id, resend)

    def now(self) -> Now:
        """Return the time as protocols have it."""
        return Now(int(self._clock.now() * 1000), int(self._clock.monotonic() * 1000))

    def _do(self, due: Iterable[ClaimId], now: float) -> None:
        self._look_at([one for one in due if self._times.is_to_look(one, now)])
        if self._is_connected():
            again = [claim for one in due if (claim := self._claims[one]).is_due(now)]
            self._take([(claim, self._resend) for claim in again])

    def _look_at(self, looked: list[ClaimId]) -> None:
        for one in looked:
            self._times.look(one, self._clock.monotonic() + _RETRY)  # should the database fail
        self._take([(self._claims[one], self._changes) for one in looked])
        for one in looked:
            self.forget(one)

    def _changes(self, facts: Facts, disk: Callable[[], Disk]) -> Step | None:
        return self._settings().protocol.changed(facts, disk(), self.now())

    def _resend(self, facts: Facts, disk: Callable[[], Disk]) -> Step | None:  # noqa: ARG002 - a work's form
        return self._settings().protocol.due(facts, self.now())

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from statehold.sdk import StorageLogger
from statehold_aos._state._facts import Disk, Facts, Step
from statehold_aos._state._inbox import Link
from statehold_aos._state._protocol import Protocol
from statehold_aos._state._round import Claim, Take, Work
from statehold_aos._state._timing import Timing
from statehold_aos._state._uplink import Uplink
from statehold_aos.gateway import ClaimId, StateAcceptance, StateStatus, ToUnit, UpdateState

#: Claims of one message about all of them.
_STATUS: Final = 1000


class Incoming:
    """Takes what the cloud says, and what becomes of the connection to it.

    Args:
        name: the storage's, for the log.
        claims: whose states are looked after.
        uplink: where it comes from.
        timing: has the time.
        protocol: what is done about it, at the moment.
        take: takes steps.
        logger: hears of messages for nobody.

    """

    def __init__(
        self,
        *,
        name: str,
        claims: Mapping[ClaimId, Claim],
        uplink: Uplink,
        timing: Timing,
        protocol: Callable[[], Protocol],
        take: Take,
        logger: StorageLogger,
    ) -> None:
        self._name: Final = name
        self._claims: Final = claims
        self._uplink: Final = uplink
        self._timing: Final = timing
        self._protocol: Final = protocol
        self._take: Final = take
        self._logger: Final = logger

    def do(self) -> None:
        """Take what has come in its order, what is for different claims together."""
        works: dict[ClaimId, tuple[Claim, Work]] = {}
        for message in self._uplink.take():
            if isinstance(message, Link) or message.claim in works:
                self._take(list(works.values()))
                works.clear()
            if isinstance(message, Link):
                self._link(message)
                continue
            claim = self._claims.get(message.claim)
            if claim is None:
                self._logger.warning("%s: the cloud means nobody here: %s", self._name, message.claim)
            else:
                works[message.claim] = claim, self._work_of(message)
        if works:
            self._take(list(works.values()))

    def _link(self, link: Link) -> None:
        self._uplink.is_connected = link is Link.UP
        if link is Link.DOWN:
            return
        claims = [claim for claim in self._claims.values() if claim.facts.limit]
        self._take([(claim, self._again) for claim in claims])
        known = [(claim.facts.id, claim.facts.accepted) for claim in claims]
        said = (known[at : at + _STATUS] for at in range(0, len(known), _STATUS))
        self._uplink.send([StateStatus(states=tuple(states)) for states in said])

    def _work_of(self, message: ToUnit) -> Work:
        protocol, now = self._protocol(), self._timing.now
        match message:
            case StateAcceptance():
                return lambda facts, _: protocol.answered(facts, message, now())
            case UpdateState():
                return lambda facts, disk: protocol.updated(facts, message, disk(), now())

    def _again(self, facts: Facts, disk: Callable[[], Disk]) -> Step | None:  # noqa: ARG002 - a work's form
        return self._protocol().connected(facts, self._timing.now())

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import attrs

from statehold_aos.gateway._cloud import Cloud, Judge
from statehold_aos.gateway._cloud_book import CloudBook
from statehold_aos.gateway._messages import (
    ClaimId,
    NewState,
    StateAcceptance,
    StateRequest,
    StateStatus,
    ToCloud,
    ToUnit,
    UpdateState,
)

#: Sends a message to a unit; False where it cannot be taken now.
Send: TypeAlias = Callable[[ToUnit], object]


@attrs.frozen(kw_only=True)
class Happened:
    """Something that has happened in the cloud, to be shown.

    Attributes:
        at: seconds since 1970.
        system: the unit.
        what: `connected`, `disconnected`, `new`, `accepted`, `rejected`, `requested`, `sent` or `known`.
        claim: whose state.
        checksum: of the state.
        size: bytes of it.
        detail: more, for people.

    """

    at: float
    system: str
    what: str
    claim: ClaimId | None = None
    checksum: bytes = b""
    size: int = 0
    detail: str = ""


def _silent(_: Happened) -> None:
    """Show nothing."""


class CloudHub:
    """A cloud for any number of units, whichever way each of them is connected.

    Args:
        book: where what is known is kept; None: in memory.
        judge: says why a new state is not accepted.
        default: what a claim has that has no state yet.
        told: hears of all that happens.

    """

    def __init__(
        self,
        *,
        book: CloudBook | None = None,
        judge: Judge | None = None,
        default: bytes | None = None,
        told: Callable[[Happened], None] = _silent,
    ) -> None:
        self._book: Final = book
        self._judge: Judge = judge or (lambda _: "")
        self._default: Final = default
        self._told: Final = told
        self._lock: Final = threading.RLock()
        self._clouds: Final[dict[str, Cloud]] = {}
        self._links: Final[dict[str, list[Send]]] = {}

    def judge(self, judge: Judge) -> None:
        """Let *judge* say from now on which states are accepted."""
        with self._lock:
            self._judge = judge

    def systems(self) -> list[str]:
        """Return the units that anything is known of, or that are connected."""
        with self._lock:
            known = self._book.systems() if self._book is not None else []
            return sorted({*known, *self._clouds, *self._links})

    def is_connected(self, system: str) -> bool:
        """Say whether a unit is connected."""
        with self._lock:
            return bool(self._links.get(system))

    def cloud(self, system: str) -> Cloud:
        """Return what is known of a unit."""
        with self._lock:
            found = self._clouds.get(system)
            if found is None:
                book = self._book
                found = self._clouds[system] = Cloud(
                    judge=self._judged,
                    default=self._default,
                    records=book.load(system) if book is not None else None,
                    save=None if book is None else lambda records: book.save(system, records),
                )
            return found

    def attach(self, system: str, send: Send) -> None:
        """Take note that a unit is connected, and send it what it may not have yet."""
        with self._lock:
            self._links.setdefault(system, []).append(send)
        self._tell(system, "connected")
        self.remind(system)

    def detach(self, system: str, send: Send) -> None:
        """Take note that a connection has ended."""
        with self._lock:
            links = self._links.get(system, [])
            links[:] = [one for one in links if one != send]
        self._tell(system, "disconnected")

    def received(self, system: str, messages: Sequence[ToCloud]) -> list[ToUnit]:
        """Take messages of a unit, and return the answers; what they say is kept by then."""
        for message in messages:
            self._show(system, message)
        answers = self.cloud(system).received_all(messages)
        for answer in answers:
            self._show(system, answer)
        return answers

    def push(self, system: str, claim: ClaimId, state: bytes) -> None:
        """Give a claim a state; it is sent until the unit has it."""
        self._send(system, [self.cloud(system).push(claim, state)])

    def remind(self, system: str) -> None:
        """Send again what was pushed and has not come through, as far as is known."""
        self._send(system, self.cloud(system).unconfirmed())

    def _judged(self, message: NewState) -> str:
        return self._judge(message)  # which may be another one by now

    def _send(self, system: str, messages: Sequence[ToUnit]) -> None:
        with self._lock:
            links = list(self._links.get(system, []))
        for message in messages:
            if links:
                self._show(system, message)
            for send in links:
                send(message)

    def _show(self, system: str, message: ToCloud | ToUnit) -> None:
        if self._told is _silent:
            return
        match message:
            case NewState():
                self._state(system, "new", message)
            case UpdateState():
                self._state(system, "sent", message)
            case StateRequest():
                self._tell(system, "requested", claim=message.claim)
            case StateStatus():
                self._tell(system, "known", detail=f"{len(message.states)} states")
            case StateAcceptance():
                self._tell(
                    system,
                    "accepted" if message.accepted else "rejected",
                    claim=message.claim,
                    checksum=message.checksum,
                    detail=message.reason,
                )

    def _state(self, system: str, what: str, message: NewState | UpdateState) -> None:
        size = len(message.state)
        self._tell(system, what, claim=message.claim, checksum=message.checksum, size=size)

    def _tell(self, system: str, what: str, **more: Any) -> None:
        self._told(Happened(at=time.time(), system=system, what=what, **more))

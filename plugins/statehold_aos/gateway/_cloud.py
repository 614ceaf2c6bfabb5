from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

import attrs

from statehold_aos.gateway._checksum import checksum_of
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

#: Says why a new state is not accepted; nothing where it is.
Judge = Callable[[NewState], str]


def _accept(message: NewState) -> str:  # noqa: ARG001 - a judge's form
    return ""


@attrs.define
class _Record:
    state: bytes | None = None
    checksum: bytes | None = None
    stamp: int = 0
    changed: int = 0
    #: The stamp of the newest state that did not come from the unit, and whether the unit has it.
    pushed: int = 0
    confirmed: bool = True
    sequence: int = 0
    answer: StateAcceptance | None = None


class Cloud:
    """The cloud's side of states, in memory: to develop against, and for who has no cloud.

    It accepts and rejects new states, answers requests, and pushes states of its own until the unit has
    them. A message that comes twice is answered twice and counts once; one that comes late does not undo
    what came after it.

    Args:
        judge: says why a new state is not accepted.
        default: what a claim has that has no state yet; without it, requests for such a one get no answer.
        now: milliseconds since 1970.

    """

    def __init__(
        self, *, judge: Judge = _accept, default: bytes | None = None, now: Callable[[], int] | None = None
    ) -> None:
        self._judge = judge
        self._default: Final = default
        self._now: Final = now or (lambda: time.time_ns() // 1_000_000)
        self._records: Final[dict[ClaimId, _Record]] = {}
        self._lock: Final = threading.RLock()

    def judge(self, judge: Judge) -> None:
        """Let *judge* say from now on which states are accepted."""
        with self._lock:
            self._judge = judge

    def state(self, claim: ClaimId) -> bytes | None:
        """Return the state of a claim; None where there is none yet."""
        with self._lock:
            record = self._records.get(claim)
            return None if record is None else record.state

    def claims(self) -> list[ClaimId]:
        """Return the claims that have a state."""
        with self._lock:
            return [claim for claim, record in self._records.items() if record.state is not None]

    def push(self, claim: ClaimId, state: bytes) -> UpdateState:
        """Give a claim a state, and return what tells the unit."""
        with self._lock:
            record = self._records.setdefault(claim, _Record())
            self._put(record, state)
            record.pushed, record.confirmed = record.stamp, False
            return self._update(claim, record)

    def unconfirmed(self) -> list[UpdateState]:
        """Return what was pushed and has not come through, as far as is known: send it again."""
        with self._lock:
            return [self._update(claim, one) for claim, one in self._records.items() if not one.confirmed]

    def received(self, message: ToCloud) -> list[ToUnit]:
        """Take a message of the unit, and return the answers."""
        with self._lock:
            match message:
                case NewState():
                    answer = self._new(message)
                    return [] if answer is None else [answer]
                case StateRequest():
                    return self._requested(message)
                case StateStatus():
                    return list(self._status(message.states))

    def _new(self, message: NewState) -> StateAcceptance | None:
        record = self._records.setdefault(message.claim, _Record())
        before = record.answer
        if before is not None and before.correlation == message.correlation:
            return before
        if message.sequence and message.sequence <= record.sequence:
            return None  # The unit has sent a newer one since, and waits for the answer to that.
        record.sequence = max(record.sequence, message.sequence)
        wrong = checksum_of(message.state) != message.checksum
        same = message.checksum == record.checksum
        conflict = not same and record.pushed > message.base
        reason = "the checksum is wrong" if wrong else "there is a newer state" if conflict else ""
        reason = reason or ("" if same else self._judge(message))
        if not reason:
            if not same:
                self._put(record, message.state)
            record.confirmed = True
        record.answer = StateAcceptance(
            claim=message.claim,
            correlation=message.correlation,
            checksum=message.checksum,
            accepted=not reason,
            reason=reason,
            stamp=record.stamp,
            conflict=conflict and not wrong,
        )
        return record.answer

    def _requested(self, message: StateRequest) -> list[ToUnit]:
        record = self._records.setdefault(message.claim, _Record())
        if self._default is not None and (message.default or record.state is None):
            self._put(record, self._default)
        if record.state is None:
            return []
        return [attrs.evolve(self._update(message.claim, record), correlation=message.correlation)]

    def _status(self, states: Iterable[tuple[ClaimId, bytes | None]]) -> Iterable[UpdateState]:
        for claim, checksum in states:
            record = self._records.get(claim)
            if record is not None and record.state is not None:
                if checksum == record.checksum:
                    record.confirmed = True
                else:
                    yield self._update(claim, record)

    def _put(self, record: _Record, state: bytes) -> None:
        record.changed = self._now()
        # Greater than that of a cloud that has forgotten everything, too.
        record.stamp = max(record.stamp + 1, record.changed)
        record.state, record.checksum = state, checksum_of(state)

    @staticmethod
    def _update(claim: ClaimId, record: _Record) -> UpdateState:
        state = record.state or b""
        return UpdateState(
            claim=claim,
            checksum=checksum_of(state),
            state=state,
            stamp=record.stamp,
            changed=record.changed,
        )

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from statehold_aos.gateway._checksum import checksum_of
from statehold_aos.gateway._cloud_record import Record
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


#: Writes what has become of some claims; durable when it returns.
Save = Callable[[Sequence[tuple[ClaimId, Record]]], None]


class Cloud:
    """The cloud's side of states: to develop against, and for who has no cloud.

    It accepts and rejects new states, answers requests, and pushes states of its own until the unit has
    them. A message that comes twice is answered twice and counts once; one that comes late does not undo
    what came after it.

    Args:
        judge: says why a new state is not accepted.
        default: what a claim has that has no state yet; without it, requests for such a one get no answer.
        now: milliseconds since 1970.
        records: what it knew before.
        save: keeps what it knows; nothing is answered before that. Without it, all is in memory.

    """

    def __init__(
        self,
        *,
        judge: Judge = _accept,
        default: bytes | None = None,
        now: Callable[[], int] | None = None,
        records: Mapping[ClaimId, Record] | None = None,
        save: Save | None = None,
    ) -> None:
        self._judge = judge
        self._default: Final = default
        self._now: Final = now or (lambda: time.time_ns() // 1_000_000)
        self._records: Final[dict[ClaimId, Record]] = dict(records or {})
        self._save: Final = save
        self._unsaved: Final[dict[ClaimId, Record]] = {}
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
            record = self._records.setdefault(claim, Record())
            self._put(record, state)
            record.pushed, record.confirmed = record.stamp, False
            self._keep(claim, record)
            self._saved()
            return self._update(claim, record)

    def unconfirmed(self) -> list[UpdateState]:
        """Return what was pushed and has not come through, as far as is known: send it again."""
        with self._lock:
            return [self._update(claim, one) for claim, one in self._records.items() if not one.confirmed]

    def received(self, message: ToCloud) -> list[ToUnit]:
        """Take a message of the unit, and return the answers."""
        return self.received_all([message])

    def received_all(self, messages: Iterable[ToCloud]) -> list[ToUnit]:
        """Take messages of the unit in their order, keep what they say together, and return the answers."""
        with self._lock:
            answers = [answer for message in messages for answer in self._answers(message)]
            self._saved()
            return answers

    def _answers(self, message: ToCloud) -> Iterable[ToUnit]:
        match message:
            case NewState():
                answer = self._new(message)
                return [] if answer is None else [answer]
            case StateRequest():
                return self._requested(message)
            case StateStatus():
                return self._status(message.states)

    def _new(self, message: NewState) -> StateAcceptance | None:
        record = self._records.setdefault(message.claim, Record())
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
        self._keep(message.claim, record)
        return record.answer

    def _requested(self, message: StateRequest) -> list[ToUnit]:
        record = self._records.setdefault(message.claim, Record())
        if self._default is not None and (message.default or record.state is None):
            self._put(record, self._default)
            self._keep(message.claim, record)
        if record.state is None:
            return []
        return [msgspec.structs.replace(self._update(message.claim, record), correlation=message.correlation)]

    def _status(self, states: Iterable[tuple[ClaimId, bytes | None]]) -> Iterable[UpdateState]:
        for claim, checksum in states:
            record = self._records.get(claim)
            if record is not None and record.state is not None:
                if checksum == record.checksum:
                    if not record.confirmed:
                        record.confirmed = True
                        self._keep(claim, record)
                else:
                    yield self._update(claim, record)

    def _keep(self, claim: ClaimId, record: Record) -> None:
        if self._save is not None:
            self._unsaved[claim] = record

    def _saved(self) -> None:
        """Save what has changed; what could not be saved is unanswered, and saved the next time."""
        if self._unsaved and self._save is not None:
            self._save(list(self._unsaved.items()))
            self._unsaved.clear()

    def _put(self, record: Record, state: bytes) -> None:
        record.changed = self._now()
        # Greater than that of a cloud that has forgotten everything, too.
        record.stamp = max(record.stamp + 1, record.changed)
        record.state, record.checksum = state, checksum_of(state)

    @staticmethod
    def _update(claim: ClaimId, record: Record) -> UpdateState:
        state = record.state or b""
        return UpdateState(
            claim=claim,
            checksum=checksum_of(state),
            state=state,
            stamp=record.stamp,
            changed=record.changed,
        )

"""One object's metadata, on several backends: who reads and who writes.

It is CASPaxos, with pieces of an erasure code instead of copies. A backend has a state for each object, which
is only ever replaced as a whole, by a swap: the attempt that was announced there last (`promised`), the
newest writing (`accepted`, with the `ballot` of the attempt that brought it), and the writing before that
(`former`).

- A writer announces a ballot that is higher than all that it sees, to a quorum at least. Of what those have,
  the accepted writing with the highest ballot is the current one, if its pieces suffice to read it. If not,
  it has not reached a quorum, for any two quorums have as many backends in common as suffice; and the one
  before it is looked for. The writer has the current one accepted where it is not, and then has each backend
  accept its piece of the new writing, and keep one of the current as `former`. A swap fails where somebody
  else has announced or written meanwhile: it is all done again.
- A reader returns what a quorum has accepted with one ballot. If there is no such thing, somebody writes, or
  died while writing: after a moment the reader does as a writer does, and has all accept the current writing.
- Where fewer than a quorum answer, a reader takes the newest writing that can be read, unless a newer one may
  have been acknowledged. With every step of a writer that dies all backends have a piece of the writing
  before, or of the new one, and most of both.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs

from statehold_zstor.backends import (
    Backend,
    BackendDamagedError,
    BackendError,
    ValueChangedError,
    ValueMissingError,
)
from statehold_zstor.metadata._answers import Answer, newest, next_ballot, problems_of, settled
from statehold_zstor.metadata._coding import LINEAGE, Coding, Written, mark_of
from statehold_zstor.metadata._errors import MetadataError, MetadataUnavailableError
from statehold_zstor.metadata._fan import Fan
from statehold_zstor.metadata._state import Ballot, Piece, State

#: How often a reader looks again before it ends what somebody else has begun.
_LOOKS: Final = 4
_ATTEMPTS: Final = 40
_SHORTEST, _LONGEST_PAUSE = 0.002, 2.0
#: How long those who are not needed may take to answer a writer, in seconds.
_PATIENCE: Final = 1.0

#: Returns what is to be written in the place of what is there; that itself, to have all backends accept it.
Change = Callable[[Written | None], Written | None]


@attrs.frozen(kw_only=True)
class Outcome:
    """What was read or written.

    Attributes:
        written: None where there is nothing.
        raws: what each backend has now, as far as is known, by its number.
        missing: the backends that answered, and do not have it.

    """

    written: Written | None
    raws: Mapping[int, bytes] = {}
    missing: frozenset[int] = frozenset()


@attrs.frozen
class _Round:
    """What a writer found when it had announced itself.

    Attributes:
        ballot: that it announced.
        current: the current writing; None for none.
        states: of the backends that have promised.

    """

    ballot: Ballot
    current: Written | None
    states: Mapping[int, State]


@attrs.frozen
class Register:
    """The metadata of objects, each by its id, on *count* backends.

    Attributes:
        fan: the backends.
        coding: makes pieces.
        path: what keys on the backends begin with.
        count: how many backends there are.
        quorum: how many have to take a write.
        acknowledged: how many have to, that it counts.

    """

    fan: Fan
    coding: Coding
    path: str
    count: int
    quorum: int
    acknowledged: int

    def read(self, id_: str) -> Outcome:
        """Return the current writing."""
        start = time.monotonic()
        for look in range(_LOOKS):
            if look:
                start = _pause(look, since=start)
            results = self._ask(id_, lambda answers: self._suffices(id_, answers))
            answers = _sound(results)
            outcome = self._settled(id_, answers)
            if outcome is not None:
                return outcome
            if len(answers) < self.quorum:
                break
        else:
            try:
                return self.propose(id_, lambda current: current, needed=self.quorum, purge=True)
            except MetadataUnavailableError:
                pass
        try:
            written = newest(
                self.coding, id_, answers, count=self.count, reached=min(self.acknowledged, self.count)
            )
        except MetadataUnavailableError as error:
            raise MetadataUnavailableError(error.message + problems_of(results), hint=error.hint) from error
        return Outcome(written=written, missing=_without(written, answers))

    def look(self, id_: str) -> dict[int, Answer | BackendError]:
        """Return what each backend has, or why it does not answer."""
        return self._ask(id_, lambda _: None)

    def propose(self, id_: str, change: Change, *, needed: int, purge: bool = False) -> Outcome:
        """Write what *change* makes of the current writing, on *needed* backends at least.

        Args:
            id_: of the object.
            change: is called again where somebody else was first; what it raises ends the attempt.
            needed: at least a quorum.
            purge: whether states are deleted where there is nothing to be written.

        Raises:
            MetadataUnavailableError: fewer took it, or others write all the time.
            MetadataError: what *change* raised.

        """
        # Whoever comes after an attempt that failed in the middle may have taken it up.
        mine: list[Written] = []
        start = time.monotonic()
        for attempt in range(_ATTEMPTS):
            if attempt:
                start = _pause(attempt, since=start)
            round_ = self._announced(id_, needed, maybe=bool(mine))
            if round_ is None:
                continue
            current, states = round_.current, round_.states
            done_before = _is_after(current, mine)
            known = [each for each in mine if current is not None and each.version == current.version]
            settling = False
            if known:
                wanted: Written | None = known[0]
            elif done_before is not None:
                wanted = current
            else:
                wanted = self._changed(id_, change, round_, maybe=bool(mine))
                settling = wanted is not current and self._lags(round_)
                if settling:
                    wanted = current
            if wanted is not None and wanted is current and not self.coding.fits(wanted):
                wanted = self.coding.write(id_, wanted.record, current=current)
            if wanted is None:
                if purge and len(states) == self.count:
                    self.remove(id_, {number: state.pack() for number, state in states.items()})
                return Outcome(written=None)
            if done_before is None and not settling:
                mine = [*(each for each in mine if each is not wanted), wanted]
            done, refused = self._accept(id_, wanted, round_)
            if len(done) >= needed and settling:
                continue
            if len(done) >= needed and done_before is not None:
                return Outcome(written=done_before)
            if len(done) >= needed:
                missing = frozenset(range(self.count)).difference(done)
                return Outcome(written=wanted, raws=done, missing=missing)
            if not any(isinstance(error, ValueChangedError) for error in refused.values()):
                raise self._unavailable(len(done), needed, refused, maybe=bool(mine))
        raise MetadataUnavailableError(
            f"the metadata of an object: others were first {_ATTEMPTS} times",
            maybe=bool(mine),
            hint="Try again later",
        )

    def remove(self, id_: str, raws: Mapping[int, bytes]) -> None:
        """Delete states that are still *raws*."""
        self._swap(id_, {number: (raw, None) for number, raw in raws.items()})

    def _announced(self, id_: str, needed: int, *, maybe: bool) -> _Round | None:
        """Announce a new ballot, and return what there is; None where somebody else did meanwhile."""
        results = self._ask(id_, lambda answers: _PATIENCE if len(answers) >= needed else None, damaged=True)
        answers = {n: answer for n, answer in results.items() if isinstance(answer, Answer)}
        if len(answers) < needed:
            raise self._unavailable(len(answers), needed, results, maybe=maybe)
        ballot = next_ballot(answers)
        promised = {number: _promised(answer, ballot) for number, answer in answers.items()}
        taken, refused = self._swap(id_, {n: (answers[n].raw, state.pack()) for n, state in promised.items()})
        if any(isinstance(error, ValueChangedError) for error in refused.values()):
            return None
        if len(taken) < needed:
            raise self._unavailable(len(taken), needed, refused, maybe=maybe)
        sound = {n: answers[n] for n in taken if answers[n].sound}
        try:
            current = newest(self.coding, id_, sound, count=self.count, reached=self.quorum)
        except MetadataUnavailableError as error:
            raise MetadataUnavailableError(error.message, maybe=maybe, hint=error.hint) from error
        return _Round(ballot, current, {n: promised[n] for n in taken})

    def _changed(self, id_: str, change: Change, round_: _Round, *, maybe: bool) -> Written | None:
        current = round_.current
        try:
            return change(current)
        except MetadataError as error:
            # Who is told that somebody else was first finds that one's writing there, whatever happens; and
            # nothing comes back of what was begun here and reached too few.
            settled = False
            if current is not None and self.coding.fits(current):
                settled = len(self._accept(id_, current, round_)[0]) >= self.quorum
            if maybe and not settled:
                raise MetadataUnavailableError(error.message, maybe=True, hint=error.hint) from error
            raise

    def _accept(
        self, id_: str, wanted: Written, round_: _Round
    ) -> tuple[dict[int, bytes], dict[int, BackendError]]:
        """Have the backends of a round accept *wanted*; return what those have that did, and the errors."""
        before = {number: state.pack() for number, state in round_.states.items()}
        after = {number: state.pack() for number, state in _accepting(wanted, round_).items()}
        done, refused = self._swap(id_, {n: (before[n], after[n]) for n in before})
        return {n: after[n] for n in done}, refused

    def _lags(self, round_: _Round) -> bool:
        """Whether a backend does not have the current writing.

        It is brought there first. Otherwise, if whoever writes next died, one backend could have the next
        and the current writing, and another one the current and that before, and none of them be on enough.
        """
        current = round_.current
        return (
            current is not None
            and self.coding.fits(current)
            and any(
                state.accepted is None or state.accepted.version != current.version
                for state in round_.states.values()
            )
        )

    def _suffices(self, id_: str, answers: Mapping[int, Answer]) -> float | None:
        outcome = self._settled(id_, answers)
        if outcome is None:
            return None
        # A quorum that has nothing is believed, unless somebody who is late has something.
        return _PATIENCE if outcome.written is None else 0.0

    def _settled(self, id_: str, answers: Mapping[int, Answer]) -> Outcome | None:
        version = settled(answers, quorum=self.quorum, count=self.count)
        if version is True:
            return None
        if version is False:
            return Outcome(written=None)
        pieces = [
            piece
            for answer in answers.values()
            if answer.state is not None
            for piece in (answer.state.accepted,)
            if piece is not None and piece.version == version
        ]
        written = self.coding.read(id_, pieces)
        return None if written is None else Outcome(written=written, missing=_without(written, answers))

    def _ask(
        self,
        id_: str,
        enough: Callable[[Mapping[int, Answer]], float | None],
        *,
        damaged: bool = False,
    ) -> dict[int, Answer | BackendError]:
        key = self.path + id_

        def get(backend: Backend) -> Answer:
            try:
                raw = backend.get(key)
            except ValueMissingError:
                return Answer(None, None)
            except BackendDamagedError:
                if not damaged:
                    raise
                backend.delete(key)
                return Answer(None, None, sound=False)
            state = State.unpack(raw)
            return Answer(raw, state, sound=state is not None and not state.damaged)

        def suffices(results: Mapping[int, Answer | BackendError]) -> float | None:
            answers = {n: each for n, each in results.items() if isinstance(each, Answer)}
            return enough(answers if damaged else _sound(answers))

        return self.fan.call(dict.fromkeys(range(self.count), get), suffices)

    def _swap(
        self, id_: str, changes: Mapping[int, tuple[bytes | None, bytes | None]]
    ) -> tuple[frozenset[int], dict[int, BackendError]]:
        key = self.path + id_

        def swapping(before: bytes | None, after: bytes | None) -> Callable[[Backend], None]:
            return lambda backend: backend.swap(key, before, after)

        results = self.fan.call({number: swapping(*change) for number, change in changes.items()})
        refused = {n: error for n, error in results.items() if isinstance(error, BackendError)}
        return frozenset(results) - frozenset(refused), refused

    def _unavailable(
        self, got: int, needed: int, results: Mapping[int, object], *, maybe: bool
    ) -> MetadataUnavailableError:
        return MetadataUnavailableError(
            f"metadata: {needed} of {self.count} backends must take a write, {got} did{problems_of(results)}",
            maybe=maybe,
            hint="Bring backends of the metadata back, or lower [acknowledge] metadata",
        )


def _promised(answer: Answer, ballot: Ballot) -> State:
    """Return the state of *answer* with a promise."""
    state = answer.state
    if state is None:
        return State(ballot, damaged=not answer.sound)
    return State(ballot, state.ballot, state.accepted, state.former, state.damaged)


def _accepting(wanted: Written, round_: _Round) -> dict[int, State]:
    """Return what each backend has once it accepts *wanted*."""
    current, found = round_.current, {}
    for number, state in round_.states.items():
        former: Piece | None
        if current is None:
            former = None
        elif wanted.version != current.version:
            former = current.pieces[number] if number < len(current.pieces) else None
        else:
            # Only what came before it; what did not reach enough backends to be current is dropped.
            known = [piece for piece in (state.accepted, state.former) if piece is not None]
            former = next((piece for piece in known if mark_of(piece.version) == wanted.before), None)
        found[number] = State(round_.ballot, round_.ballot, wanted.pieces[number], former)
    return found


def _is_after(current: Written | None, mine: Sequence[Written]) -> Written | None:
    """Return that of *mine* after which *current* was written: it was current before.

    Raises:
        MetadataUnavailableError: so much was written meanwhile that nobody knows.

    """
    if current is None or any(each.version == current.version for each in mine):
        return None
    if any(current.version.number - each.version.number > LINEAGE for each in mine):
        raise MetadataUnavailableError(
            "the metadata of an object: others have written it many times meanwhile", maybe=True
        )
    return next((each for each in mine if mark_of(each.version) in current.record.lineage), None)


def _sound(results: Mapping[int, Answer | BackendError]) -> dict[int, Answer]:
    return {n: each for n, each in results.items() if isinstance(each, Answer) and each.sound}


def _without(written: Written | None, answers: Mapping[int, Answer]) -> frozenset[int]:
    """Return those that answered, and do not have *written*."""
    if written is None:
        return frozenset()
    return frozenset(
        number
        for number, answer in answers.items()
        if answer.state is None
        or answer.state.accepted is None
        or answer.state.accepted.version != written.version
    )


def _pause(attempt: int, *, since: float) -> float:
    """Wait, longer each time, and where attempts take long; *since* is when the last began. Return now."""
    took = max(_SHORTEST, time.monotonic() - since)
    time.sleep(random.uniform(0, min(_LONGEST_PAUSE, took * 2**attempt)))  # noqa: S311 - no secret
    return time.monotonic()

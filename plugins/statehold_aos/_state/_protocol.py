from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Final, NamedTuple

import attrs

from statehold_aos._state._facts import Asked, Disk, Facts, Keep, Kind, Pending, Rule, Step, Why
from statehold_aos.gateway import StateAcceptance, UpdateState, checksum_of

#: States of this side that were sent and replaced before there was an answer.
_REMEMBERED: Final = 16


class Now(NamedTuple):
    """A moment: milliseconds since 1970, and those of a clock that never jumps."""

    wall: int
    steady: int


class _Local(NamedTuple):
    """A change on this side that the cloud does not have."""

    state: bytes
    checksum: bytes
    changed: int


def _new_id() -> str:
    return str(uuid.uuid4())


@attrs.frozen(kw_only=True)
class Protocol:
    """What is done about the state of a claim when something happens: functions of facts, without I/O.

    Each returns a `Step`, or None where nothing is to be done.

    Attributes:
        rule: whose state stands where both sides have changed it.
        first: milliseconds after which what got no answer is sent again; twice as many each further time,
        longest: up to these.

    """

    rule: Rule = Rule.CLOUD
    first: int = 100
    longest: int = 60_000
    new_id: Callable[[], str] = _new_id

    # -- On this side ------------------------------------------------------------------------------------

    def changed(self, facts: Facts, disk: Disk, now: Now) -> Step | None:
        """Look at the file: a change is to be sent, in place of what still waits for an answer."""
        if not facts.limit:
            return None
        if disk.size > facts.limit:
            return self._tell(facts, _too_big("state", disk.size, facts.limit, "sent"))
        if disk.state is None or disk.checksum is None:
            if facts.pending or facts.asked or facts.accepted is None:
                return None
            return self._ask(attrs.evolve(facts, message="the state file is gone"), Why.MISSING, now)
        known = facts.accepted if facts.pending is None else facts.pending.checksum
        if disk.checksum == known:
            return self._tell(facts, "") if facts.message and facts.asked is None else None
        if disk.checksum == facts.suspect:
            return None
        return self._submit(facts, _Local(disk.state, disk.checksum, disk.changed), now)

    def opened(self, facts: Facts, disk: Disk, now: Now) -> Step | None:
        """Begin with the host: what changed meanwhile is a change, what was to be written is written."""
        pending = facts.pending
        if pending is None or not pending.unwritten:
            return self.changed(facts, disk, now)
        return Step(
            facts=self.written(facts),
            keep=self._keep_unknown(facts, disk),
            write=pending.state,
            told="a state that was set before the host ended is written",
        )

    def starting(self, facts: Facts, disk: Disk, now: Now) -> tuple[Step | None, bool]:
        """Say whether a service that is about to start has the state it is to have; else ask the cloud."""
        if not facts.limit:
            return None, True
        pending = facts.pending
        if pending is not None:
            if disk.checksum == pending.checksum:
                return self._again(facts, now), True
            step = Step(
                facts=self.written(facts),
                keep=self._keep_unknown(facts, disk),
                write=pending.state,
                send=tuple(facts.outgoing()),
                told="the state was changed while its service did not run: the one before is back",
            )
            return step, True
        if facts.accepted is not None and disk.checksum == facts.accepted:
            return None, True
        if facts.asked is not None:
            return None, False
        found = "no state" if disk.checksum is None else "a state that nobody knows"
        asking = attrs.evolve(
            facts, suspect=disk.checksum, message=f"at the start, there was {found}: the cloud is asked"
        )
        return self._ask(asking, Why.START, now, keep=self._keep_unknown(facts, disk)), False

    def set(self, facts: Facts, state: bytes, disk: Disk, now: Now) -> Step | None:
        """Change the state from the host's side: it is yet to be written to the disk."""
        checksum = checksum_of(state)
        pending = facts.pending
        if checksum == disk.checksum and checksum == (pending.checksum if pending else facts.accepted):
            return None
        step = self._submit(facts, _Local(state, checksum, now.wall), now, unwritten=True)
        return attrs.evolve(step, keep=self._keep_unknown(facts, disk), write=state)

    def limited(self, facts: Facts, limit: int) -> Step:
        """Change the limit; what waits and is too big now is not sent any more."""
        pending = facts.pending
        less = attrs.evolve(facts, limit=limit)
        if pending is None or not limit or len(pending.state) <= limit:
            return Step(facts=less)
        message = _too_big("state", len(pending.state), limit, "sent")
        dropped = attrs.evolve(less, pending=None, suspect=pending.checksum, message=message, due=None)
        return Step(facts=dropped, keep=(Keep(Kind.LOCAL, pending.state),))

    @staticmethod
    def written(facts: Facts) -> Facts:
        """Return *facts* once what was to be written is written."""
        if facts.pending is None:
            return facts
        return attrs.evolve(facts, pending=attrs.evolve(facts.pending, unwritten=False))

    # -- From the cloud ----------------------------------------------------------------------------------

    def answered(self, facts: Facts, answer: StateAcceptance, now: Now) -> Step | None:
        """Take an answer; one to anything but what waits is stale and changes no state."""
        pending = facts.pending
        mine = None if pending is None else (pending.correlation, pending.checksum)
        if (answer.correlation, answer.checksum) != mine or pending is None:
            return self._outdated(facts, answer, now)
        if answer.accepted:
            return Step(
                facts=_settled(facts, pending.checksum, answer.stamp),
                keep=(Keep(Kind.ACCEPTED, pending.state),),
            )
        rejected = attrs.evolve(
            facts,
            pending=None,
            suspect=pending.checksum,
            message=f"the cloud did not accept the state: {answer.reason or 'it does not say why'}",
        )
        why = Why.CONFLICT if answer.conflict else Why.REJECTED
        return self._ask(rejected, why, now, keep=(Keep(Kind.REJECTED, pending.state),))

    def updated(self, facts: Facts, update: UpdateState, disk: Disk, now: Now) -> Step | None:
        """Take the cloud's state: it is written, unless this side has changed it, too."""
        asked, pending = facts.asked, facts.pending
        # A cloud may say neither what it answers, nor a stamp.
        unsaid = not update.correlation and not update.stamp
        solicited = asked is not None and (unsaid or update.correlation == asked.correlation)
        if not facts.limit:
            return None
        if checksum_of(update.state) != update.checksum:
            return self._tell(facts, "the cloud has sent a state with a wrong checksum: not taken")
        if len(update.state) > facts.limit:
            done = attrs.evolve(facts, asked=None, due=None) if solicited and pending is None else facts
            return self._tell(done, _too_big("cloud's state", len(update.state), facts.limit, "taken"))
        if update.correlation and not solicited and pending is not None:
            return None  # The answer to a request that the newer change has replaced.
        if update.stamp and not solicited and update.stamp <= facts.stamp:
            return self._stale(facts, update, now)
        if pending is not None and update.checksum == pending.checksum:
            step = Step(facts=_settled(facts, pending.checksum, update.stamp), keep=(_accepted(update),))
            return attrs.evolve(step, send=(step.facts.status(),))
        if pending is not None and update.checksum in facts.sent:
            # A state of this side that the cloud had accepted before this one: it stands behind it.
            behind = attrs.evolve(facts, accepted=update.checksum, stamp=update.stamp or facts.stamp)
            return self._submit(behind, _Local(pending.state, pending.checksum, pending.changed), now)
        local = _local(facts, disk)
        if local is None or local.checksum == update.checksum:
            return self._take(facts, update, disk)
        if update.checksum == facts.accepted:
            return self._unchanged(facts, update, disk, local, now)
        if self._local_wins(local, update):
            return self._stand(facts, update, local, now)
        return self._take(facts, update, disk)

    # -- Connection and time -----------------------------------------------------------------------------

    def connected(self, facts: Facts, now: Now) -> Step | None:
        """Send at once what waits for an answer, because there is a connection again."""
        return self._again(attrs.evolve(facts, tries=0), now)

    def due(self, facts: Facts, now: Now) -> Step | None:
        """Send again what got no answer in time."""
        return None if facts.due is None or now.steady < facts.due else self._again(facts, now)

    # -- Parts -------------------------------------------------------------------------------------------

    def _outdated(self, facts: Facts, answer: StateAcceptance, now: Now) -> Step | None:
        """Drop an answer to what does not wait any more; if the cloud took that lately, ask to be sure."""
        newer = answer.stamp > facts.stamp or not answer.stamp
        if not (answer.accepted and newer) or answer.checksum == facts.accepted:
            return None
        if facts.pending is not None or facts.asked is not None:
            return None
        return self._ask(facts, Why.STALE, now)

    def _stale(self, facts: Facts, update: UpdateState, now: Now) -> Step | None:
        """Drop an update that is older than what is known; if it differs from that, ask to be sure.

        So a cloud whose clock was set back, or that lost what it had, is believed in the end.
        """
        same = update.stamp == facts.stamp or update.checksum == facts.accepted
        if same or facts.pending is not None or facts.asked is not None:
            return None
        return self._ask(facts, Why.STALE, now)

    def _unchanged(
        self, facts: Facts, update: UpdateState, disk: Disk, local: _Local, now: Now
    ) -> Step | None:
        """Decide where the cloud has what it had, and this side has changed it."""
        newer = attrs.evolve(facts, stamp=max(facts.stamp, update.stamp))
        if local.checksum != facts.suspect:
            # No conflict. What waits has a new number, for the old one may be refused for its base.
            calm = newer if facts.pending is not None else attrs.evolve(newer, asked=None, due=None)
            if facts.pending is not None and update.stamp > facts.stamp:
                mine = facts.pending
                return self._submit(newer, _Local(mine.state, mine.checksum, mine.changed), now)
            return None if calm == facts else Step(facts=calm)
        rejected = facts.asked is not None and facts.asked.why is Why.REJECTED
        if not rejected and (self.rule is not Rule.CLOUD) and self._local_wins(local, update, same=True):
            return self._submit(newer, local, now)
        return self._take(facts, update, disk)

    def _take(self, facts: Facts, update: UpdateState, disk: Disk) -> Step:
        """Let the cloud's state stand, and keep what this side has besides."""
        keep = [] if update.checksum == disk.checksum else list(self._keep_unknown(facts, disk))
        if facts.pending is not None:
            keep.append(Keep(Kind.LOCAL, facts.pending.state))
        taken = _settled(facts, update.checksum, update.stamp)
        return Step(
            facts=taken,
            keep=(*keep, _accepted(update)),
            write=None if disk.checksum == update.checksum else update.state,
            send=(taken.status(),),
            told="both sides had changed the state: that of the cloud stands, the other one is kept"
            if keep
            else "",
        )

    def _stand(self, facts: Facts, update: UpdateState, local: _Local, now: Now) -> Step:
        """Let the state of this side stand and send it, and keep the cloud's."""
        step = self._submit(_settled(facts, update.checksum, update.stamp), local, now)
        return attrs.evolve(
            step,
            keep=(Keep(Kind.CLOUD, update.state),),
            told="both sides had changed the state: that of the service stands, the other one is kept",
        )

    def _local_wins(self, local: _Local, update: UpdateState, *, same: bool = False) -> bool:
        if self.rule is Rule.NEWEST:
            return local.changed > update.changed if update.changed is not None else same
        return self.rule is Rule.LOCAL

    def _submit(self, facts: Facts, local: _Local, now: Now, *, unwritten: bool = False) -> Step:
        # Greater than that of a host that has lost its database, too.
        sequence = max(facts.sequence + 1, now.wall)
        pending = Pending(
            state=local.state,
            checksum=local.checksum,
            correlation=self.new_id(),
            sequence=sequence,
            base=facts.stamp,
            changed=local.changed,
            unwritten=unwritten,
        )
        replaced = () if facts.pending is None else (facts.pending.checksum,)
        done = attrs.evolve(
            facts,
            pending=pending,
            sent=(*facts.sent, *replaced)[-_REMEMBERED:],
            sequence=sequence,
            asked=None,
            suspect=None,
            message="",
            tries=1,
            due=now.steady + self.first,
        )
        return Step(facts=done, send=tuple(done.outgoing()))

    def _ask(self, facts: Facts, why: Why, now: Now, keep: tuple[Keep, ...] = ()) -> Step:
        asking = attrs.evolve(facts, asked=Asked(self.new_id(), why), tries=1, due=now.steady + self.first)
        return Step(facts=asking, keep=keep, send=tuple(asking.outgoing()), told=facts.message)

    def _again(self, facts: Facts, now: Now) -> Step | None:
        out = tuple(facts.outgoing())
        if not out:
            return None
        wait = min(self.longest, self.first << min(facts.tries, 30))
        return Step(facts=attrs.evolve(facts, tries=facts.tries + 1, due=now.steady + wait), send=out)

    @staticmethod
    def _tell(facts: Facts, message: str) -> Step | None:
        told = attrs.evolve(facts, message=message)
        return None if told == facts else Step(facts=told, told=message)

    @staticmethod
    def _keep_unknown(facts: Facts, disk: Disk) -> tuple[Keep, ...]:
        """Return what is on the disk, if nobody has it and it was not kept before."""
        known = {facts.accepted, facts.suspect, facts.pending.checksum if facts.pending else None}
        if disk.state is None or disk.checksum in known:
            return ()
        return (Keep(Kind.LOCAL, disk.state),)


def _too_big(what: str, size: int, limit: int, done: str) -> str:
    return f"the {what} has {size:,} bytes, {limit:,} are allowed: not {done}"


def _accepted(update: UpdateState) -> Keep:
    return Keep(Kind.ACCEPTED, update.state)


def _settled(facts: Facts, accepted: bytes, stamp: int) -> Facts:
    """Return *facts* once both sides have the state of a checksum, and nothing waits."""
    return attrs.evolve(
        facts,
        accepted=accepted,
        # A cloud that says none, or was asked and says a lower one, is believed.
        stamp=stamp or facts.stamp,
        pending=None,
        asked=None,
        suspect=None,
        sent=(),
        message="",
        tries=0,
        due=None,
    )


def _local(facts: Facts, disk: Disk) -> _Local | None:
    """Return the newest change on this side that the cloud does not have."""
    pending = facts.pending
    known = facts.accepted if pending is None else pending.checksum
    if disk.state is not None and disk.checksum is not None and disk.checksum != known:
        return _Local(disk.state, disk.checksum, disk.changed)
    return None if pending is None else _Local(pending.state, pending.checksum, pending.changed)

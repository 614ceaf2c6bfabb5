from __future__ import annotations

import attrs
from msgspec.structs import replace

from statehold_aos._state._facts import Disk, Facts, Keep, Kind, Rule, Step, Why
from statehold_aos._state._sending import Local, Now, Sending, keep_unknown, settled, too_big
from statehold_aos.gateway import StateAcceptance, UpdateState, checksum_of


@attrs.frozen(kw_only=True)
class CloudSide(Sending):
    """What is done about a state when the cloud says something."""

    def answered(self, facts: Facts, answer: StateAcceptance, now: Now) -> Step | None:
        """Take an answer; one to anything but what waits is stale and changes no state."""
        pending = facts.pending
        mine = None if pending is None else (pending.correlation, pending.checksum)
        if (answer.correlation, answer.checksum) != mine or pending is None:
            return self._outdated(facts, answer, now)
        if answer.accepted:
            return Step(
                facts=settled(facts, pending.checksum, answer.stamp),
                keep=(Keep(Kind.ACCEPTED, pending.state),),
            )
        rejected = replace(
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
            done = replace(facts, asked=None, due=None) if solicited and pending is None else facts
            return self._tell(done, too_big("cloud's state", len(update.state), facts.limit, "taken"))
        if update.correlation and not solicited and pending is not None:
            return None  # The answer to a request that the newer change has replaced.
        if update.stamp and not solicited and update.stamp <= facts.stamp:
            return self._stale(facts, update, now)
        if pending is not None and update.checksum == pending.checksum:
            step = Step(facts=settled(facts, pending.checksum, update.stamp), keep=(_accepted(update),))
            return replace(step, send=(step.facts.status(),))
        if pending is not None and update.checksum in facts.sent:
            # A state of this side that the cloud had accepted before this one: it stands behind it.
            behind = replace(facts, accepted=update.checksum, stamp=update.stamp or facts.stamp)
            return self._submit(behind, Local(pending.state, pending.checksum, pending.changed), now)
        local = _local(facts, disk)
        if local is None or local.checksum == update.checksum:
            return self._take(facts, update, disk)
        if update.checksum == facts.accepted:
            return self._unchanged(facts, update, disk, local, now)
        if self._local_wins(local, update):
            return self._stand(facts, update, local, now)
        return self._take(facts, update, disk)

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
        self, facts: Facts, update: UpdateState, disk: Disk, local: Local, now: Now
    ) -> Step | None:
        """Decide where the cloud has what it had, and this side has changed it."""
        newer = replace(facts, stamp=max(facts.stamp, update.stamp))
        if local.checksum != facts.suspect:
            # No conflict. What waits has a new number, for the old one may be refused for its base.
            calm = newer if facts.pending is not None else replace(newer, asked=None, due=None)
            if facts.pending is not None and update.stamp > facts.stamp:
                mine = facts.pending
                return self._submit(newer, Local(mine.state, mine.checksum, mine.changed), now)
            return None if calm == facts else Step(facts=calm)
        rejected = facts.asked is not None and facts.asked.why is Why.REJECTED
        if not rejected and (self.rule is not Rule.CLOUD) and self._local_wins(local, update, same=True):
            return self._submit(newer, local, now)
        return self._take(facts, update, disk)

    def _take(self, facts: Facts, update: UpdateState, disk: Disk) -> Step:
        """Let the cloud's state stand, and keep what this side has besides."""
        keep = [] if update.checksum == disk.checksum else list(keep_unknown(facts, disk))
        if facts.pending is not None:
            keep.append(Keep(Kind.LOCAL, facts.pending.state))
        taken = settled(facts, update.checksum, update.stamp)
        return Step(
            facts=taken,
            keep=(*keep, _accepted(update)),
            write=None if disk.checksum == update.checksum else update.state,
            send=(taken.status(),),
            told="both sides had changed the state: that of the cloud stands, the other one is kept"
            if keep
            else "",
        )

    def _stand(self, facts: Facts, update: UpdateState, local: Local, now: Now) -> Step:
        """Let the state of this side stand and send it, and keep the cloud's."""
        step = self._submit(settled(facts, update.checksum, update.stamp), local, now)
        return replace(
            step,
            keep=(Keep(Kind.CLOUD, update.state),),
            told="both sides had changed the state: that of the service stands, the other one is kept",
        )

    def _local_wins(self, local: Local, update: UpdateState, *, same: bool = False) -> bool:
        if self.rule is Rule.NEWEST:
            return local.changed > update.changed if update.changed is not None else same
        return self.rule is Rule.LOCAL


def _accepted(update: UpdateState) -> Keep:
    return Keep(Kind.ACCEPTED, update.state)


def _local(facts: Facts, disk: Disk) -> Local | None:
    """Return the newest change on this side that the cloud does not have."""
    pending = facts.pending
    known = facts.accepted if pending is None else pending.checksum
    if disk.state is not None and disk.checksum is not None and disk.checksum != known:
        return Local(disk.state, disk.checksum, disk.changed)
    return None if pending is None else Local(pending.state, pending.checksum, pending.changed)

from __future__ import annotations

import attrs
from msgspec.structs import replace

from statehold_aos._state._facts import Disk, Facts, Keep, Kind, Step, Why
from statehold_aos._state._sending import Local, Now, Sending, keep_unknown, too_big
from statehold_aos.gateway import checksum_of


@attrs.frozen(kw_only=True)
class OwnSide(Sending):
    """What is done about a state when something happens on this side: its file, its service, its host."""

    def changed(self, facts: Facts, disk: Disk, now: Now) -> Step | None:
        """Look at the file: a change is to be sent, in place of what still waits for an answer."""
        if not facts.limit:
            return None
        if disk.size > facts.limit:
            return self._tell(facts, too_big("state", disk.size, facts.limit, "sent"))
        if disk.state is None or disk.checksum is None:
            if facts.pending or facts.asked or facts.accepted is None:
                return None
            return self._ask(replace(facts, message="the state file is gone"), Why.MISSING, now)
        known = facts.accepted if facts.pending is None else facts.pending.checksum
        if disk.checksum == known:
            return self._tell(facts, "") if facts.message and facts.asked is None else None
        if disk.checksum == facts.suspect:
            return None
        return self._submit(facts, Local(disk.state, disk.checksum, disk.changed), now)

    def opened(self, facts: Facts, disk: Disk, now: Now) -> Step | None:
        """Begin with the host: what changed meanwhile is a change, what was to be written is written."""
        pending = facts.pending
        if pending is None or not pending.unwritten:
            return self.changed(facts, disk, now)
        return Step(
            facts=self.written(facts),
            keep=keep_unknown(facts, disk),
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
                keep=keep_unknown(facts, disk),
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
        asking = replace(
            facts, suspect=disk.checksum, message=f"at the start, there was {found}: the cloud is asked"
        )
        return self._ask(asking, Why.START, now, keep=keep_unknown(facts, disk)), False

    def set(self, facts: Facts, state: bytes, disk: Disk, now: Now) -> Step | None:
        """Change the state from the host's side: it is yet to be written to the disk."""
        checksum = checksum_of(state)
        pending = facts.pending
        if checksum == disk.checksum and checksum == (pending.checksum if pending else facts.accepted):
            return None
        step = self._submit(facts, Local(state, checksum, now.wall), now, unwritten=True)
        return replace(step, keep=keep_unknown(facts, disk), write=state)

    def limited(self, facts: Facts, limit: int) -> Step:
        """Change the limit; what waits and is too big now is not sent any more."""
        pending = facts.pending
        less = replace(facts, limit=limit)
        if pending is None or not limit or len(pending.state) <= limit:
            return Step(facts=less)
        message = too_big("state", len(pending.state), limit, "sent")
        dropped = replace(less, pending=None, suspect=pending.checksum, message=message, due=None)
        return Step(facts=dropped, keep=(Keep(Kind.LOCAL, pending.state),))

    @staticmethod
    def written(facts: Facts) -> Facts:
        """Return *facts* once what was to be written is written."""
        if facts.pending is None:
            return facts
        return replace(facts, pending=replace(facts.pending, unwritten=False))

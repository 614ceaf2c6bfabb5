from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import attrs
from msgspec.structs import replace

from statehold_aos._state._facts import Asked, Disk, Facts, Keep, Kind, Pending, Rule, Step, Why
from statehold_aos.gateway import new_id

#: States of this side that were sent and replaced before there was an answer.
_REMEMBERED: Final = 16


class Now(NamedTuple):
    """A moment: milliseconds since 1970, and those of a clock that never jumps."""

    wall: int
    steady: int


class Local(NamedTuple):
    """A change on this side that the cloud does not have."""

    state: bytes
    checksum: bytes
    changed: int


@attrs.frozen(kw_only=True)
class Sending:
    """What goes to the cloud, and goes again until there is an answer.

    Attributes:
        rule: whose state stands where both sides have changed it.
        first: milliseconds after which what got no answer is sent again; twice as many each further time,
        longest: up to these.
        new_id: makes the correlation id of a message.

    """

    rule: Rule = Rule.CLOUD
    first: int = 100
    longest: int = 60_000
    new_id: Callable[[], str] = new_id

    def connected(self, facts: Facts, now: Now) -> Step | None:
        """Send at once what waits for an answer, because there is a connection again."""
        return self._again(replace(facts, tries=0), now)

    def due(self, facts: Facts, now: Now) -> Step | None:
        """Send again what got no answer in time."""
        return None if facts.due is None or now.steady < facts.due else self._again(facts, now)

    def _submit(self, facts: Facts, local: Local, now: Now, *, unwritten: bool = False) -> Step:
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
        # Not evolved, for that takes several times as long, and all states come by here.
        done = Facts(
            id=facts.id,
            limit=facts.limit,
            accepted=facts.accepted,
            stamp=facts.stamp,
            sequence=sequence,
            pending=pending,
            sent=facts.sent
            if facts.pending is None
            else (*facts.sent, facts.pending.checksum)[-_REMEMBERED:],
            tries=1,
            due=now.steady + self.first,
        )
        return Step(facts=done, send=tuple(done.outgoing()))

    def _ask(self, facts: Facts, why: Why, now: Now, keep: tuple[Keep, ...] = ()) -> Step:
        asking = replace(facts, asked=Asked(self.new_id(), why), tries=1, due=now.steady + self.first)
        return Step(facts=asking, keep=keep, send=tuple(asking.outgoing()), told=facts.message)

    def _again(self, facts: Facts, now: Now) -> Step | None:
        out = tuple(facts.outgoing())
        if not out:
            return None
        wait = min(self.longest, self.first << min(facts.tries, 30))
        return Step(facts=replace(facts, tries=facts.tries + 1, due=now.steady + wait), send=out)

    @staticmethod
    def _tell(facts: Facts, message: str) -> Step | None:
        told = replace(facts, message=message)
        return None if told == facts else Step(facts=told, told=message)


def keep_unknown(facts: Facts, disk: Disk) -> tuple[Keep, ...]:
    """Return what is on the disk, if nobody has it and it was not kept before."""
    known = {facts.accepted, facts.suspect, facts.pending.checksum if facts.pending else None}
    if disk.state is None or disk.checksum in known:
        return ()
    return (Keep(Kind.LOCAL, disk.state),)


def too_big(what: str, size: int, limit: int, done: str) -> str:
    return f"the {what} has {size:,} bytes, {limit:,} are allowed: not {done}"


def settled(facts: Facts, accepted: bytes, stamp: int) -> Facts:
    """Return *facts* once both sides have the state of a checksum, and nothing waits."""
    return replace(
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

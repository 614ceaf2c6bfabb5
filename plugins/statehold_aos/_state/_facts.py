from __future__ import annotations

from enum import StrEnum

import attrs
import msgspec

from statehold_aos.gateway import ClaimId, NewState, StateRequest, StateStatus, ToCloud, checksum_of
from statehold_aos.gateway._discreet import Discreet


class Rule(StrEnum):
    """Whose state stands where both sides have changed it; the other one is kept."""

    CLOUD = "cloud"
    LOCAL = "local"
    NEWEST = "newest"


class Why(StrEnum):
    """Why the cloud is asked for the state."""

    REJECTED = "rejected"
    CONFLICT = "conflict"
    START = "start"
    MISSING = "missing"
    STALE = "stale"


class Kind(StrEnum):
    """Why a version is kept."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    LOCAL = "local"
    CLOUD = "cloud"


@attrs.frozen
class Disk:
    """What the state file has; `changed` is its time in milliseconds since 1970.

    Attributes:
        state: what it has; not read where it is larger than allowed.
        size: bytes.
        checksum: of the state.

    """

    state: bytes | None = attrs.field(default=None, repr=False)
    changed: int = 0
    size: int = attrs.field(
        default=attrs.Factory(lambda self: len(self.state or b""), takes_self=True), kw_only=True
    )
    checksum: bytes | None = attrs.field(
        default=attrs.Factory(
            lambda self: None if self.state is None else checksum_of(self.state), takes_self=True
        ),
        kw_only=True,
    )


class Pending(Discreet, frozen=True, kw_only=True):
    """The outbox of a claim: a state that the cloud has not answered yet.

    Attributes:
        unwritten: it is yet to be written to the disk, because it comes from the host's side.

    """

    state: bytes
    checksum: bytes
    correlation: str
    sequence: int
    base: int
    changed: int
    unwritten: bool = False


class Asked(msgspec.Struct, frozen=True):
    """The cloud was asked for the state, and has not answered yet."""

    correlation: str
    why: Why


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known about the state of one claim; all but `tries` and `due` is durable.

    Attributes:
        limit: bytes that the state may have; 0: the claim has no state.
        accepted: checksum of the state that the cloud has, as far as is known.
        stamp: the highest stamp that came with it.
        sequence: of the newest state that was to be sent.
        pending: what waits for an answer.
        asked: whether the cloud's state was asked for.
        suspect: checksum of what is on the disk and is not to be sent: it was rejected, or was there at a
            start without having come there in a known way.
        sent: checksums of what waited and was replaced; the cloud may have accepted it.
        message: what is wrong, for people.
        tries: how often it was sent since the connection is there.
        due: when it is sent again, in milliseconds of a clock that does not jump.

    """

    id: ClaimId
    limit: int
    accepted: bytes | None = None
    stamp: int = 0
    sequence: int = 0
    pending: Pending | None = None
    asked: Asked | None = None
    suspect: bytes | None = None
    sent: tuple[bytes, ...] = ()
    message: str = ""
    tries: int = 0
    due: int | None = None

    def outgoing(self) -> list[ToCloud]:
        """Return what the cloud has not answered."""
        out: list[ToCloud] = []
        if not self.limit:
            return out
        if self.pending is not None:
            out.append(
                NewState(
                    claim=self.id,
                    correlation=self.pending.correlation,
                    checksum=self.pending.checksum,
                    state=self.pending.state,
                    sequence=self.pending.sequence,
                    base=self.pending.base,
                )
            )
        if self.asked is not None:
            out.append(StateRequest(claim=self.id, correlation=self.asked.correlation))
        return out

    def status(self) -> StateStatus:
        """Return what tells the cloud which state the unit has."""
        return StateStatus(states=((self.id, self.accepted),))

    def lasting(self) -> tuple[object, ...]:
        """Return what a restart leaves."""
        return (
            self.id,
            self.limit,
            self.accepted,
            self.stamp,
            self.sequence,
            self.pending,
            self.asked,
            self.suspect,
            self.sent,
            self.message,
        )


class Keep(Discreet, frozen=True):
    """A version to be kept on the disk."""

    kind: Kind
    state: bytes


class Step(Discreet, frozen=True, kw_only=True):
    """What is to be done, in this order: keep, write, save the facts, send.

    Who stops before the facts are saved has not taken the step, and may take it again.

    Attributes:
        facts: as they are afterwards.
        keep: versions to keep, durable before anything is overwritten.
        write: what the state file is to have; None: it stays.
        send: messages, only when all else is durable.
        told: what happened, for the log.

    """

    facts: Facts
    keep: tuple[Keep, ...] = ()
    write: bytes | None = None
    send: tuple[ToCloud, ...] = ()
    told: str = ""

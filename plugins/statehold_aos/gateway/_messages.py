from __future__ import annotations

from typing import NamedTuple, TypeAlias

import msgspec

from statehold_aos.gateway._discreet import Discreet


class ClaimId(NamedTuple):
    """Whose state is meant: that of a service, for a claim (its users, as the database writes them)."""

    workspace: int
    service: str
    users: str


class NewState(Discreet, frozen=True, kw_only=True):
    """Unit to cloud: the service has changed its state.

    Attributes:
        claim: whose state.
        correlation: comes back with the answer; the same whenever this one is sent again.
        checksum: SHA3-224 of `state`.
        state: what the file has.
        sequence: grows with each new state of the claim, so that an older one which arrives late is known.
        base: the `stamp` of the newest state of the cloud that the service had when it changed its own.

    """

    claim: ClaimId
    correlation: str
    checksum: bytes
    state: bytes
    sequence: int = 0
    base: int = 0


class StateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Unit to cloud: send the state that counts.

    Attributes:
        claim: whose state.
        correlation: comes back with the answer.
        default: whether the service's default state is asked for, rather than the last one.

    """

    claim: ClaimId
    correlation: str
    default: bool = False


class StateStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Unit to cloud: the checksums of the states that the unit has from the cloud, or got accepted.

    In AOS they are a part of the unit's status. The cloud sends its state again where it has another one.
    """

    states: tuple[tuple[ClaimId, bytes | None], ...]


class StateAcceptance(msgspec.Struct, frozen=True, kw_only=True):
    """Cloud to unit: what became of a new state.

    Attributes:
        claim: whose state.
        correlation: that of the `NewState`.
        checksum: likewise.
        accepted: whether the cloud's state is this one now.
        reason: why not, for people.
        stamp: grows with each change of the cloud's state of this claim; 0: the cloud does not say.
        conflict: it was not accepted because the cloud has a newer state, which the unit did not know.

    """

    claim: ClaimId
    correlation: str
    checksum: bytes
    accepted: bool
    reason: str = ""
    stamp: int = 0
    conflict: bool = False


class UpdateState(Discreet, frozen=True, kw_only=True):
    """Cloud to unit: this is the state; asked for with a `StateRequest`, or not.

    Attributes:
        claim: whose state.
        checksum: SHA3-224 of `state`.
        state: what the file is to have.
        correlation: that of the `StateRequest`; empty where nobody asked.
        stamp: as in `StateAcceptance`.
        changed: when the cloud's state changed, in milliseconds since 1970; None: the cloud does not say.

    """

    claim: ClaimId
    checksum: bytes
    state: bytes
    correlation: str = ""
    stamp: int = 0
    changed: int | None = None


ToCloud: TypeAlias = NewState | StateRequest | StateStatus
ToUnit: TypeAlias = StateAcceptance | UpdateState

"""What the messages of both protocols say about a state, whatever it is that names its claim."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

from msgspec import UnsetType

from statehold_aos.gateway._messages import ClaimId, NewState, StateAcceptance, StateRequest, UpdateState
from statehold_aos.gateway._text import state_of, text_of
from statehold_aos.gateway._wire import checksum_from

AboutState: TypeAlias = NewState | StateAcceptance | StateRequest | UpdateState


class _State(Protocol):
    state_checksum: str
    state: str
    state_encoding: str


class _NewState(_State, Protocol):
    sequence: int
    base: int


class _StateAcceptance(Protocol):
    checksum: str
    result: str
    reason: str | UnsetType
    stamp: int
    conflict: bool


class _StateRequest(Protocol):
    default: bool | UnsetType


class _UpdateState(_State, Protocol):
    stamp: int
    changed: int | None


def body_of(message: AboutState) -> dict[str, Any]:
    """Return what goes into the JSON of *message* besides its claim and its correlation id, by attribute."""
    match message:
        case NewState():
            return {**_state(message), "sequence": message.sequence, "base": message.base}
        case StateRequest():
            return {"default": message.default}
        case StateAcceptance():
            return {
                "checksum": message.checksum.hex(),
                "result": "accepted" if message.accepted else "rejected",
                "reason": message.reason,
                "stamp": message.stamp,
                "conflict": message.conflict,
            }
        case UpdateState():
            return {**_state(message), "stamp": message.stamp, "changed": message.changed}


def _state(message: NewState | UpdateState) -> dict[str, Any]:
    text, encoding = text_of(message.state)
    return {"state_checksum": message.checksum.hex(), "state": text, "state_encoding": encoding}


def new_state(claim: ClaimId, correlation: str, body: _NewState) -> NewState:
    """Return the message that *body* is of; MessageError if it is damaged, as from the others."""
    return NewState(
        claim=claim,
        correlation=correlation,
        checksum=checksum_from(body.state_checksum, "stateChecksum"),
        state=state_of(body.state, body.state_encoding),
        sequence=body.sequence,
        base=body.base,
    )


def state_request(claim: ClaimId, correlation: str, body: _StateRequest) -> StateRequest:
    """Return the message that *body* is of."""
    return StateRequest(claim=claim, correlation=correlation, default=body.default is True)


def state_acceptance(claim: ClaimId, correlation: str, body: _StateAcceptance) -> StateAcceptance:
    """Return the message that *body* is of."""
    return StateAcceptance(
        claim=claim,
        correlation=correlation,
        checksum=checksum_from(body.checksum, "checksum"),
        # As AOS has it: whatever is not accepted is rejected.
        accepted=body.result.lower() == "accepted",
        reason=body.reason or "",
        stamp=body.stamp,
        conflict=body.conflict,
    )


def update_state(claim: ClaimId, correlation: str, body: _UpdateState) -> UpdateState:
    """Return the message that *body* is of."""
    return UpdateState(
        claim=claim,
        correlation=correlation,
        checksum=checksum_from(body.state_checksum, "stateChecksum"),
        state=state_of(body.state, body.state_encoding),
        stamp=body.stamp,
        changed=body.changed,
    )

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs
import msgspec
from msgspec import UNSET, UnsetType

from statehold_aos.gateway._bodies import body_of, new_state, state_acceptance, state_request, update_state
from statehold_aos.gateway._errors import MessageError
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
from statehold_aos.gateway._wire import (
    LARGEST,
    Count,
    check_size,
    checksum_from,
    claim_of,
    read_json,
    shown,
)

VERSION: Final = 2
_WHAT: Final = "a message of protocol 2"


class _Header(msgspec.Struct, rename="camel"):
    version: int
    message_type: str
    system_id: str = ""


class _Envelope(msgspec.Struct):
    header: _Header
    data: msgspec.Raw


class _Data(msgspec.Struct, omit_defaults=True, rename="camel"):
    """What the messages about one claim have; `users` and `workspace` are ours, as all that AOS lacks."""

    service_id: str
    users: str = ""
    workspace: Count | UnsetType = UNSET


class _NewState(_Data, kw_only=True):
    state_checksum: str
    state: str
    state_encoding: str = ""
    sequence: Count = 0
    base: Count = 0


class _StateAcceptance(_Data, kw_only=True):
    checksum: str
    result: str
    reason: str | UnsetType = UNSET
    stamp: Count = 0
    conflict: bool = False


class _StateRequest(_Data, kw_only=True):
    default: bool | UnsetType = UNSET


class _UpdateState(_Data, kw_only=True):
    state_checksum: str
    state: str
    state_encoding: str = ""
    stamp: Count = 0
    changed: Count | None = None


class _ServiceStatus(msgspec.Struct, omit_defaults=True, rename="camel"):
    id: str
    users: str = ""
    workspace: Count | UnsetType = UNSET
    state_checksum: str = ""


class _UnitStatus(msgspec.Struct):
    services: list[_ServiceStatus] = []


_AnyData = _NewState | _StateAcceptance | _StateRequest | _UpdateState | _UnitStatus


@attrs.frozen(kw_only=True)
class Protocol2:
    """The messages of AOS's protocol 2 in JSON, as they go over AMQP, each with a correlation id beside it.

    The names are those of AOS; besides there are `users`, `workspace` (where it is another one than
    *workspace*), `stateEncoding`, `sequence`, `base`, `stamp`, `conflict` and `changed`, which may be
    missing.

    Attributes:
        system: the unit, in the header; a message for another one cannot be read. Empty: any.
        workspace: that of messages which name none.
        users: the claim of messages which name none, as AOS's do; empty: such ones cannot be read.
        largest: bytes of a message.

    """

    system: str = ""
    workspace: int = 1
    users: str = ""
    largest: int = LARGEST

    def encode(self, message: ToCloud | ToUnit) -> tuple[bytes, str]:
        """Return a message as JSON, and its correlation id.

        Raises:
            MessageError: it is too large.

        """
        kind, data = self._data(message)
        header = _Header(VERSION, kind, self.system)
        body = _ENCODER.encode(_Envelope(header, msgspec.Raw(_ENCODER.encode(data))))
        check_size(len(body), self.largest, _WHAT)
        return body, "" if isinstance(message, StateStatus) else message.correlation

    def decode(self, body: bytes | memoryview, correlation: str) -> ToCloud | ToUnit:
        """Return what a message says.

        Raises:
            MessageError: it is too large, no JSON, of another version or kind, for another unit, or lacks
                something.

        """
        return self.decode_from(body, correlation)[1]

    def decode_from(self, body: bytes | memoryview, correlation: str) -> tuple[str, ToCloud | ToUnit]:
        """Return which unit a message names, and what it says; raise as `decode`."""
        check_size(len(body), self.largest, _WHAT)
        envelope = read_json(_DECODER, body, _WHAT)
        header = envelope.header
        if header.version != VERSION:
            raise MessageError(f"{_WHAT} has version {header.version}, expected {VERSION}")
        if self.system and header.system_id not in ("", self.system):
            raise MessageError(f"{_WHAT} is for unit {shown(header.system_id)}, expected {self.system!r}")
        decoder = _DATA.get(header.message_type)
        if decoder is None:
            expected = ", ".join(_DATA)
            raise MessageError(f"{_WHAT} is {shown(header.message_type)}, expected one of {expected}")
        data = read_json(decoder, memoryview(envelope.data), f"{_WHAT}, {header.message_type},")
        return header.system_id, self._message(data, correlation)

    # -- Writing -----------------------------------------------------------------------------------------

    def _data(self, message: ToCloud | ToUnit) -> tuple[str, _AnyData]:
        if isinstance(message, StateStatus):
            return "unitStatus", _UnitStatus([self._status(*one) for one in message.states])
        claim = message.claim
        given = claim.service, claim.users, self._workspace(claim)
        body = body_of(message)
        match message:
            case NewState():
                return "newState", _NewState(*given, **body)
            case StateRequest():
                return "stateRequest", _StateRequest(*given, **body)
            case StateAcceptance():
                return "stateAcceptance", _StateAcceptance(*given, **body)
            case UpdateState():
                return "updateState", _UpdateState(*given, **body)

    def _status(self, claim: ClaimId, checksum: bytes | None) -> _ServiceStatus:
        text = "" if checksum is None else checksum.hex()
        return _ServiceStatus(claim.service, claim.users, self._workspace(claim), text)

    def _workspace(self, claim: ClaimId) -> int | UnsetType:
        return UNSET if claim.workspace == self.workspace else claim.workspace

    # -- Reading -----------------------------------------------------------------------------------------

    def _message(self, data: _AnyData, correlation: str) -> ToCloud | ToUnit:
        if isinstance(data, _UnitStatus):
            return StateStatus(states=tuple(self._statuses(data.services)))
        claim = self._claim(data.service_id, data.users, data.workspace)
        match data:
            case _NewState():
                return new_state(claim, correlation, data)
            case _StateRequest():
                return state_request(claim, correlation, data)
            case _StateAcceptance():
                return state_acceptance(claim, correlation, data)
            case _UpdateState():
                return update_state(claim, correlation, data)

    def _claim(self, service: str, users: str, workspace: int | UnsetType) -> ClaimId:
        return claim_of(
            self.workspace if isinstance(workspace, UnsetType) else workspace, service, users or self.users
        )

    def _statuses(self, services: Iterable[_ServiceStatus]) -> Iterable[tuple[ClaimId, bytes | None]]:
        for one in services:
            text = one.state_checksum
            checksum = checksum_from(text, "stateChecksum") if text else None
            yield self._claim(one.id, one.users, one.workspace), checksum


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(_Envelope)
_DATA: Final[dict[str, msgspec.json.Decoder[_AnyData]]] = {
    "newState": msgspec.json.Decoder(_NewState),
    "stateAcceptance": msgspec.json.Decoder(_StateAcceptance),
    "stateRequest": msgspec.json.Decoder(_StateRequest),
    "updateState": msgspec.json.Decoder(_UpdateState),
    "unitStatus": msgspec.json.Decoder(_UnitStatus),
}

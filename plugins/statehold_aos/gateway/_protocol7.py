from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

import attrs
import msgspec
from msgspec import UNSET, UnsetType

from statehold_aos.gateway._bodies import body_of, new_state, state_acceptance, state_request, update_state
from statehold_aos.gateway._errors import MessageError
from statehold_aos.gateway._ids import new_id
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
from statehold_aos.gateway._moments import Moments
from statehold_aos.gateway._wire import (
    LARGEST,
    Count,
    check_instance,
    check_size,
    checksum_from,
    claim_of,
    read_json,
    shown,
)

VERSION: Final = 7
#: Where the time goes in an acknowledgement, and what stands around its number.
_HERE: Final = "0000"
_TXN: Final = b'","txn":'
_ACK_TAIL: Final = b'},"data":{"messageType":"ack"}}'
_WHAT: Final = "a message of protocol 7"


class _Named(msgspec.Struct):
    id: str


class _Header(msgspec.Struct, omit_defaults=True, rename="camel"):
    version: int
    system_id: str = ""
    created_at: str = ""
    txn: str = ""


class _Data(msgspec.Struct, tag_field="messageType", omit_defaults=True, rename="camel"):
    """What the messages about one claim have; `workspace` is ours, as all that AOS does not have."""

    item: _Named
    subject: _Named
    instance: int | UnsetType = UNSET
    correlation_id: str = ""
    workspace: Count | UnsetType = UNSET


class _NewState(_Data, tag="newState", kw_only=True):
    state_checksum: str
    state: str
    state_encoding: str = ""
    sequence: Count = 0
    base: Count = 0


class _StateAcceptance(_Data, tag="stateAcceptance", kw_only=True):
    checksum: str
    result: str
    reason: str | UnsetType = UNSET
    stamp: Count = 0
    conflict: bool = False


class _StateRequest(_Data, tag="stateRequest", kw_only=True):
    default: bool | UnsetType = UNSET


class _UpdateState(_Data, tag="updateState", kw_only=True):
    state_checksum: str
    state: str
    state_encoding: str = ""
    stamp: Count = 0
    changed: Count | None = None


class _InstanceStatus(msgspec.Struct, omit_defaults=True, rename="camel"):
    instance: int
    state_checksum: str = ""


class _ItemStatus(msgspec.Struct, omit_defaults=True, rename="camel"):
    item: _Named
    subject: _Named
    instances: list[_InstanceStatus]
    workspace: Count | UnsetType = UNSET


class _UnitStatus(msgspec.Struct, tag_field="messageType", tag="unitStatus", rename="camel"):
    is_delta_info: bool = True
    instances: list[_ItemStatus] = []


class _Ack(msgspec.Struct, tag_field="messageType", tag="ack"):
    pass


class _Nack(msgspec.Struct, tag_field="messageType", tag="nack", rename="camel"):
    retry_after: Count = 0


_AnyData: TypeAlias = _NewState | _StateAcceptance | _StateRequest | _UpdateState | _UnitStatus | _Ack | _Nack


class _Envelope(msgspec.Struct):
    header: _Header
    data: _AnyData


class _Outline(msgspec.Struct):
    """As much of a message as is needed to answer one that cannot be used."""

    header: _Header


class Ack(msgspec.Struct, frozen=True):
    """The message of the same number has arrived."""


class Nack(msgspec.Struct, frozen=True):
    """The message of the same number is to be sent again, after so many milliseconds."""

    retry_after: int = 0


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """A message of protocol 7.

    Attributes:
        system: the unit that it comes from, or is for; empty where it does not say.
        number: its `txn`, which comes back with the answer.
        content: what it says.

    """

    system: str
    number: str
    content: ToCloud | ToUnit | Ack | Nack


@attrs.frozen(kw_only=True)
class Protocol7:
    """The messages of AOS's protocol 7 in JSON, as they go over WebSocket.

    The names are those of AOS; besides there are `workspace` (where it is another one than *workspace*),
    `stateEncoding`, `sequence`, `base`, `stamp`, `conflict` and `changed`, which may be missing. The users
    of a claim are its subject, and its instance is 0.

    Attributes:
        system: the unit, in the header; a message for another one cannot be read. Empty: any.
        workspace: that of messages which name none.
        largest: bytes of a message.

    """

    system: str = ""
    workspace: int = 1
    largest: int = LARGEST
    _moments: Moments = attrs.field(factory=Moments, init=False, eq=False, repr=False)
    #: An acknowledgement, as far as it is always the same; there is one for each message.
    _ack_head: bytes = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        whole = _ENCODER.encode(_Envelope(_Header(VERSION, self.system, _HERE), _Ack()))
        # The last one: a unit may have the same in its name.
        object.__setattr__(self, "_ack_head", whole.rpartition(_HERE.encode())[0])

    def encode(self, content: ToCloud | ToUnit | Ack | Nack, number: str) -> bytes:
        """Return a message as JSON.

        Raises:
            MessageError: it is too large.

        """
        if isinstance(content, Ack) and number:
            body = self._ack(number)
        else:
            header = _Header(VERSION, self.system, self._moments.now(), number)
            body = _ENCODER.encode(_Envelope(header, self._data(content)))
        check_size(len(body), self.largest, _WHAT)
        return body

    def decode(self, body: bytes | memoryview) -> Frame:
        """Return what a message says.

        Raises:
            MessageError: it is too large, no JSON, of another version or kind, for another unit, or lacks
                something; who wants to answer it gets its number from `number_of`.

        """
        check_size(len(body), self.largest, _WHAT)
        envelope = read_json(_DECODER, body, _WHAT)
        header = envelope.header
        if header.version != VERSION:
            raise MessageError(f"{_WHAT} has version {header.version}, expected {VERSION}")
        if self.system and header.system_id not in ("", self.system):
            raise MessageError(f"{_WHAT} is for unit {shown(header.system_id)}, expected {self.system!r}")
        return Frame(system=header.system_id, number=header.txn, content=self._content(envelope.data))

    @staticmethod
    def number_of(body: bytes | memoryview) -> str:
        """Return the number of a message that cannot be read further; empty where it has none."""
        try:
            return _OUTLINES.decode(body).header.txn
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return ""

    # -- Writing -----------------------------------------------------------------------------------------

    def _ack(self, number: str) -> bytes:
        parts = (self._ack_head, self._moments.now().encode(), _TXN, _ENCODER.encode(number), _ACK_TAIL)
        return b"".join(parts)

    def _data(self, content: ToCloud | ToUnit | Ack | Nack) -> _AnyData:
        match content:
            case Ack():
                return _Ack()
            case Nack():
                return _Nack(content.retry_after)
            case StateStatus():
                return _UnitStatus(instances=[self._status(*one) for one in content.states])
        given = (
            _Named(content.claim.service),
            _Named(content.claim.users),
            0,
            content.correlation,
            self._workspace(content.claim),
        )
        body = body_of(content)
        match content:
            case NewState():
                return _NewState(*given, **body)
            case StateRequest():
                return _StateRequest(*given, **body)
            case StateAcceptance():
                return _StateAcceptance(*given, **body)
            case UpdateState():
                return _UpdateState(*given, **body)

    def _status(self, claim: ClaimId, checksum: bytes | None) -> _ItemStatus:
        status = _InstanceStatus(0, "" if checksum is None else checksum.hex())
        workspace = self._workspace(claim)
        return _ItemStatus(_Named(claim.service), _Named(claim.users), [status], workspace)

    def _workspace(self, claim: ClaimId) -> int | UnsetType:
        return UNSET if claim.workspace == self.workspace else claim.workspace

    # -- Reading -----------------------------------------------------------------------------------------

    def _content(self, data: _AnyData) -> ToCloud | ToUnit | Ack | Nack:
        match data:
            case _Ack():
                return Ack()
            case _Nack():
                return Nack(data.retry_after)
            case _UnitStatus():
                return StateStatus(states=tuple(_statuses(data, self.workspace)))
        check_instance(data.instance)
        claim = _claim(data, self.workspace)
        correlation = data.correlation_id
        match data:
            case _NewState():
                return new_state(claim, correlation, data)
            case _StateRequest():
                return state_request(claim, correlation, data)
            case _StateAcceptance():
                return state_acceptance(claim, correlation, data)
            case _UpdateState():
                return update_state(claim, correlation, data)


def new_number() -> str:
    """Return the number of a new message."""
    return new_id()


def _claim(data: _Data | _ItemStatus, workspace: int) -> ClaimId:
    own = workspace if isinstance(data.workspace, UnsetType) else data.workspace
    return claim_of(own, data.item.id, data.subject.id)


def _statuses(data: _UnitStatus, workspace: int) -> Iterable[tuple[ClaimId, bytes | None]]:
    for item in data.instances:
        claim = _claim(item, workspace)
        for one in item.instances:
            check_instance(one.instance)
            text = one.state_checksum
            yield claim, checksum_from(text, "stateChecksum") if text else None


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(_Envelope)
_OUTLINES: Final = msgspec.json.Decoder(_Outline)

"""The contracts of the builtin storages of package `sys`, whether or not this host provides them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from statehold_vsql import Contract, DataType, Field, Operation, Scope

_GET, _GETBATCH, _READ = Operation.GET, Operation.GETBATCH, Operation.READ
_INSERT, _UPDATE = Operation.INSERT, Operation.UPDATE
_C, _Q, _P, _J = Scope.COMMANDS, Scope.QUERIES, Scope.PROJECTORS, Scope.JOBS
_ALL = frozenset(Scope)

_INT32, _INT64, _BOOL = DataType.INT32, DataType.INT64, DataType.BOOL
_TEXT, _BYTES, _QNAME, _REF = DataType.TEXT, DataType.BYTES, DataType.QNAME, DataType.REF
_OBJECT = DataType.OBJECT

# Whom a call to another application is for, and what counts as success
_FEDERATION = (
    Field("Owner", _TEXT),
    Field("AppName", _TEXT),
    Field("Token", _TEXT),
    Field("ExpectedCodes", _TEXT),
)
# What is known of any event
_EVENT = (
    Field("RegisteredAt", _INT64),
    Field("SyncedAt", _INT64),
    Field("DeviceID", _INT64),
    Field("Offset", _INT64),
    Field("Synced", _BOOL),
    Field("QName", _QNAME),
    Field("ArgumentObject", _OBJECT),
    Field("CUDs", _OBJECT, repeated=True),
)


def _contract(
    operations: dict[Operation, frozenset[Scope]],
    *,
    sync_projector: bool = True,
    key: tuple[Field, ...] | None = (),
    value: tuple[Field, ...] | None = None,
) -> Contract:
    return Contract(
        operations=MappingProxyType(operations), sync_projector=sync_projector, key=key, value=value
    )


# Schemas are None where they follow an entity or a type of the application.
CONTRACTS: Mapping[str, Contract] = MappingProxyType(
    {
        "Record": _contract(
            {_GET: _ALL, _GETBATCH: _ALL, _INSERT: frozenset({_C}), _UPDATE: frozenset({_C})}, key=None
        ),
        "View": _contract(
            {
                _GET: _ALL,
                _GETBATCH: _ALL,
                _READ: frozenset({_Q, _P, _J}),
                _INSERT: frozenset({_P, _J}),
                _UPDATE: frozenset({_P, _J}),
            },
            key=None,
        ),
        "Uniq": _contract({_GET: _ALL}, key=None, value=(Field("ID", _INT64),)),
        "WLog": _contract(
            {_GET: _ALL, _READ: frozenset({_Q, _P, _J})},
            key=(Field("Offset", _INT64), Field("Count", _INT64)),
            value=_EVENT,
        ),
        "AppSecret": _contract(
            {_GET: _ALL},
            key=(Field("Secret", _TEXT, required=True),),
            value=(Field("Content", _TEXT),),
        ),
        "RequestSubject": _contract(
            {_GET: frozenset({_C, _Q})},
            value=(
                Field("ProfileWSID", _INT64),
                Field("Kind", _INT32),
                Field("Name", _TEXT),
                Field("Token", _TEXT),
            ),
        ),
        "Http": _contract(
            {_READ: frozenset({_Q, _P, _J})},
            sync_projector=False,
            key=(
                Field("Url", _TEXT, required=True),
                Field("Method", _TEXT),
                Field("Body", _BYTES),
                Field("Header", _TEXT, repeated=True),
                Field("HTTPClientTimeoutMilliseconds", _INT64),
                Field("HandleErrors", _BOOL),
            ),
            value=(
                Field("StatusCode", _INT32),
                Field("Body", _BYTES),
                Field("Header", _TEXT, repeated=True),
                Field("Error", _TEXT),
            ),
        ),
        "FederationCommand": _contract(
            {_GET: frozenset({_Q, _P, _J})},
            sync_projector=False,
            key=(Field("Command", _QNAME, required=True), Field("Body", _TEXT), *_FEDERATION),
            value=(Field("StatusCode", _INT32), Field("NewIDs", _OBJECT), Field("Result", _OBJECT)),
        ),
        "FederationBlob": _contract(
            {_READ: frozenset({_Q, _P, _J})},
            sync_projector=False,
            key=(
                Field("OwnerID", _REF, required=True),
                Field("OwnerRecord", _QNAME, required=True),
                Field("OwnerRecordField", _TEXT, required=True),
                *_FEDERATION,
            ),
            value=(Field("Body", _BYTES),),
        ),
        "SendMail": _contract(
            {_GET: frozenset({_P, _J}), _INSERT: frozenset({_P, _J})},
            sync_projector=False,
            key=(
                Field("Host", _TEXT, required=True),
                Field("Port", _INT32, required=True),
                Field("From", _TEXT, required=True),
                Field("To", _TEXT, required=True, repeated=True),
                Field("CC", _TEXT, repeated=True),
                Field("BCC", _TEXT, repeated=True),
                Field("Subject", _TEXT),
                Field("Body", _TEXT),
                Field("Username", _TEXT),
                Field("Password", _TEXT),
            ),
            value=(Field("Success", _BOOL), Field("ErrorMessage", _TEXT)),
        ),
        "Result": _contract({_INSERT: frozenset({_C, _Q})}),
        "Response": _contract(
            {_INSERT: frozenset({_C, _Q})},
            value=(Field("StatusCode", _INT32), Field("ErrorMessage", _TEXT)),
        ),
        "Event": _contract(
            {_GET: frozenset({_P})},
            sync_projector=False,
            value=(
                Field("WLogOffset", _INT64),
                Field("Workspace", _INT64),
                *_EVENT,
                Field("Error", _OBJECT),
            ),
        ),
        "CommandContext": _contract(
            {_GET: frozenset({_C})},
            value=(
                Field("Workspace", _INT64),
                Field("WLogOffset", _INT64),
                Field("ArgumentObject", _OBJECT),
                Field("ArgumentUnloggedObject", _OBJECT),
                Field("Origin", _TEXT),
            ),
        ),
        "QueryContext": _contract(
            {_GET: frozenset({_Q})}, value=(Field("Workspace", _INT64), Field("ArgumentObject", _OBJECT))
        ),
        "JobContext": _contract(
            {_GET: frozenset({_J})}, value=(Field("Workspace", _INT64), Field("UnixTime", _INT64))
        ),
        "Logger": _contract(
            {_INSERT: _ALL}, key=(Field("LogLevel", _INT32),), value=(Field("Message", _TEXT),)
        ),
    }
)

__all__ = ["CONTRACTS"]

"""Storage `RequestSubject`: GET returns who made the request."""

from __future__ import annotations

from typing import Final

from statehold.sdk import CallContext, Field, Operation, Principal, Provider, Scope, StorageContext, Value
from statehold_sys._bound import PerCall, answered

_NOBODY: Final = Principal()


def _open(ctx: StorageContext) -> PerCall:
    make = ctx.value_class

    def subject(call: CallContext) -> Value:
        who = call.principal or _NOBODY
        return make(ProfileWSID=who.profile, Kind=who.kind, Name=who.name, Token=who.token)

    return answered(subject)


provider: Final = Provider(
    name="RequestSubject",
    open=_open,
    operations={Operation.GET: frozenset({Scope.COMMANDS, Scope.QUERIES})},
    key=[],
    value=[
        Field("ProfileWSID", "int64"),
        Field("Kind", "int32"),
        Field("Name", "text"),
        Field("Token", "text", secret=True),
    ],
    sync_projector=True,
    in_memory=True,
    inprocess_only="it gives the token of the request, which does not leave the host",
    description="Who made the request",
)

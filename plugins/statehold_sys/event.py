"""Storage `Event`: GET returns the event that the projector was called for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from statehold.sdk import CallContext, Field, Operation, Provider, Scope, StorageContext, Value
from statehold_sys._bound import PerCall, answered
from statehold_sys._event_values import EVENT_FIELDS, EventValues

if TYPE_CHECKING:
    from statehold.events import Event


class Failure(Value, frozen=True):
    """What went wrong with a command: nothing where `ErrStr` is empty."""

    ErrStr: str
    ValidEvent: bool
    QNameFromParams: str


def _failure(event: Event) -> Failure:
    error = event.error
    if error is None:
        return Failure(ErrStr="", ValidEvent=True, QNameFromParams=event.name)
    return Failure(ErrStr=error.message, ValidEvent=error.valid, QNameFromParams=error.command)


def _open(ctx: StorageContext) -> PerCall:
    make, values = ctx.value_class, EventValues()

    def told(call: CallContext) -> Value | None:
        event: Event | None = call.event
        if event is None:
            return None
        return make(
            WLogOffset=event.wlog_offset,
            Workspace=event.workspace,
            Error=_failure(event),
            **values.fields(event, offset=event.offset),
        )

    return answered(told)


provider: Final = Provider(
    name="Event",
    open=_open,
    operations={Operation.GET: frozenset({Scope.PROJECTORS})},
    key=[],
    value=[
        Field("WLogOffset", "int64"),
        Field("Workspace", "int64"),
        *EVENT_FIELDS,
        Field("Error", "object"),
    ],
    in_memory=True,
    description="The event that a projector was called for",
)

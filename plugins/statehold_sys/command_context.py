"""Storage `CommandContext`: GET returns the command that is being executed."""

from __future__ import annotations

from typing import Final

from statehold.sdk import Field, Operation, Provider, Scope, StorageContext
from statehold_sys._bound import PerCall, answered


def _open(ctx: StorageContext) -> PerCall:
    make = ctx.value_class
    return answered(
        lambda call: make(
            Workspace=call.workspace,
            WLogOffset=call.offset,
            ArgumentObject=call.argument,
            ArgumentUnloggedObject=call.unlogged,
            Origin=call.origin,
        )
    )


provider: Final = Provider(
    name="CommandContext",
    open=_open,
    operations={Operation.GET: frozenset({Scope.COMMANDS})},
    key=[],
    value=[
        Field("Workspace", "int64"),
        Field("WLogOffset", "int64"),
        Field("ArgumentObject", "object"),
        Field("ArgumentUnloggedObject", "object"),
        Field("Origin", "text"),
    ],
    sync_projector=True,
    in_memory=True,
    description="The command that is being executed",
)

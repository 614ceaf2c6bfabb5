"""Storage `QueryContext`: GET returns the query that is being executed."""

from __future__ import annotations

from typing import Final

from statehold.sdk import Field, Operation, Provider, Scope, StorageContext
from statehold_sys._bound import PerCall, answered


def _open(ctx: StorageContext) -> PerCall:
    make = ctx.value_class
    return answered(lambda call: make(Workspace=call.workspace, ArgumentObject=call.argument))


provider: Final = Provider(
    name="QueryContext",
    open=_open,
    operations={Operation.GET: frozenset({Scope.QUERIES})},
    key=[],
    value=[Field("Workspace", "int64"), Field("ArgumentObject", "object")],
    sync_projector=True,
    in_memory=True,
    description="The query that is being executed",
)

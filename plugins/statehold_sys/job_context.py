"""Storage `JobContext`: GET returns the run of the job."""

from __future__ import annotations

from typing import Final

from statehold.sdk import Field, Operation, Provider, Scope, StorageContext
from statehold_sys._bound import PerCall, answered


def _open(ctx: StorageContext) -> PerCall:
    make = ctx.value_class
    return answered(lambda call: make(Workspace=call.workspace, UnixTime=int(call.time)))


provider: Final = Provider(
    name="JobContext",
    open=_open,
    operations={Operation.GET: frozenset({Scope.JOBS})},
    key=[],
    value=[Field("Workspace", "int64"), Field("UnixTime", "int64")],
    sync_projector=True,
    in_memory=True,
    description="The run of the job",
)

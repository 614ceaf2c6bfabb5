"""Storage `Ephemeral`: rows in memory, the least recently used of which give way to new ones."""

from __future__ import annotations

from typing import Final

from statehold.sdk import Field, IStateStorage, Operation, Provider, Scope, StorageContext
from statehold_sys._ephemeral._config import EphemeralConfig


def _open(ctx: StorageContext) -> IStateStorage:
    from statehold_sys._ephemeral._storage import Ephemeral  # noqa: PLC0415 - brings cachebox

    return Ephemeral.open(ctx)


provider: Final = Provider(
    name="Ephemeral",
    open=_open,
    operations={
        Operation.GET: frozenset(Scope),
        Operation.GETBATCH: frozenset(Scope),
        Operation.READ: frozenset({Scope.QUERIES, Scope.PROJECTORS, Scope.JOBS}),
        Operation.INSERT: frozenset({Scope.PROJECTORS}),
        Operation.UPDATE: frozenset({Scope.PROJECTORS}),
    },
    default_key=[Field("Name", "text", required=True)],
    default_value=[Field("Text", "text"), Field("Number", "int64"), Field("Data", "bytes")],
    config=EphemeralConfig,
    sync_projector=True,
    in_memory=True,
    description="Rows in memory, least recently used first out, lost on restart",
)

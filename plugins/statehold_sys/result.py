"""Storage `Result`: INSERT returns a value from a command or query."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from statehold.sdk import (
    CallContext,
    Intent,
    Operation,
    Provider,
    Rank,
    Scope,
    StorageContext,
)
from statehold_sys._bound import Bound, PerCall, nobody_listens
from statehold_sys._intents import Inserts


class Result(Bound, Inserts):
    """What the command or query of one call returns."""

    __slots__ = ("_call", "_name")

    def __init__(self, name: str, call: CallContext) -> None:
        self._name, self._call = name, call

    def validate(self, items: Sequence[Intent]) -> None:
        """Do nothing: whatever fits the type in RETURNS may be returned."""

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Hand the values to the call, in order."""
        if items:
            tell = self._call.result or nobody_listens(self._name, self._call)
            for item in items:
                tell(item.value)


def _open(ctx: StorageContext) -> PerCall:
    return PerCall(partial(Result, ctx.storage))


provider: Final = Provider(
    name="Result",
    open=_open,
    operations={Operation.INSERT: frozenset({Scope.COMMANDS, Scope.QUERIES})},
    key=[],
    default_value=[],
    sync_projector=True,
    rank=Rank.ROWS,
    inprocess_only="it is a part of the host's own answer",
    description="What the command or query returns",
)

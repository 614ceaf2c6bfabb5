"""Storage `Response`: INSERT says how the request is answered, when not as usual."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from statehold.sdk import (
    CallContext,
    Field,
    Intent,
    Operation,
    Provider,
    Rank,
    Scope,
    StorageContext,
    StorageError,
    Value,
)
from statehold_sys._bound import Bound, PerCall, nobody_listens
from statehold_sys._intents import Inserts

_OK: Final = 200


class Response(Bound, Inserts):
    """The answer to the request of one call."""

    __slots__ = ("_call", "_name")

    def __init__(self, name: str, call: CallContext) -> None:
        self._name, self._call = name, call

    def validate(self, items: Sequence[Intent]) -> None:
        """Raise StorageError for a status that no answer may have."""
        for item in items:
            _status(self._name, item.value)

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Hand status and message to the call; the last of several counts."""
        answers = [(_status(self._name, item.value), str(item.value["ErrorMessage"] or "")) for item in items]
        if answers:
            tell = self._call.response or nobody_listens(self._name, self._call)
            tell(*answers[-1])


def _status(storage: str, value: Value) -> int:
    status = value["StatusCode"]
    if status is None:
        return _OK
    if isinstance(status, int) and 200 <= status <= 599:
        return status
    raise StorageError(
        f"{storage}: expected a StatusCode from 200 to 599, got {status}",
        hint="Use a status of HTTP that ends a request, such as 400 or 409",
    )


def _open(ctx: StorageContext) -> PerCall:
    return PerCall(partial(Response, ctx.storage))


provider: Final = Provider(
    name="Response",
    open=_open,
    operations={Operation.INSERT: frozenset({Scope.COMMANDS, Scope.QUERIES})},
    key=[],
    value=[Field("StatusCode", "int32"), Field("ErrorMessage", "text")],
    sync_projector=True,
    rank=Rank.ROWS,
    inprocess_only="it is a part of the host's own answer",
    description="How the request is answered",
)

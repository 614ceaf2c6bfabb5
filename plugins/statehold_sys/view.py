"""Storage `View`: rows that projectors and jobs compute from events, by their PRIMARY KEY."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from statehold.sdk import (
    CallContext,
    Intent,
    Key,
    Operation,
    Provider,
    Rank,
    Scope,
    StorageContext,
    Value,
)
from statehold_sys._bound import Bound, PerCall
from statehold_sys._intents import Updates

if TYPE_CHECKING:
    from statehold.events import Unit


class View(Bound, Updates):
    """The views of the app as the unit of one call has them."""

    __slots__ = ("_unit",)

    def __init__(self, call: CallContext) -> None:
        self._unit: Unit = call.unit

    def get(self, key: Key) -> Value | None:
        """Return the row under *key*, None if there is none.

        Raises:
            WorkspaceError: the workspace of the key does not exist, or does not have the view; so for all.

        """
        return self._unit.view(key)

    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        """Return one answer per key, of whatever workspaces, in order and of one moment."""
        return self._unit.views(keys)

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Yield the rows under a whole partition key and the clustering columns given, in their order.

        Raises:
            SchemaError: a field of the partition key is missing.

        """
        return self._unit.read_view(key)

    def validate(self, items: Sequence[Intent]) -> None:
        """Raise WorkspaceError for a row of a workspace that does not have the view."""
        for item in items:
            self._unit.check(item.key.WSID, self._unit.schemas.of(item.key).name)

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Put the rows into the call's unit, in order."""
        for item in items:
            self._unit.put_view(item.key, item.value)


def _open(ctx: StorageContext) -> PerCall:  # noqa: ARG001 - all that it needs comes with the call
    return PerCall(View)


_READERS: Final = frozenset({Scope.QUERIES, Scope.PROJECTORS, Scope.JOBS})
_WRITERS: Final = frozenset({Scope.PROJECTORS, Scope.JOBS})

provider: Final = Provider(
    name="View",
    open=_open,
    operations={
        Operation.GET: frozenset(Scope),
        Operation.GETBATCH: frozenset(Scope),
        Operation.READ: _READERS,
        Operation.INSERT: _WRITERS,
        Operation.UPDATE: _WRITERS,
    },
    default_key=[],
    default_value=[],
    sync_projector=True,
    rank=Rank.ROWS,
    inprocess_only="it stands on the views of the app, which the host keeps",
    description="Rows of views",
)

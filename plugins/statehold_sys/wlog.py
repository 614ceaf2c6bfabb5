"""Storage `WLog`: events of a workspace, in the order in which they happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import attrs

from statehold.sdk import (
    UNSET,
    CallContext,
    Field,
    Key,
    Operation,
    Provider,
    Scope,
    StorageContext,
    StorageError,
    Value,
)
from statehold_sys._bound import Bound, PerCall
from statehold_sys._event_values import EVENT_FIELDS, EventValues

if TYPE_CHECKING:
    from statehold.events import Event, Reader


@attrs.frozen(eq=False)
class _Maker:
    name: str
    key: Callable[..., Key]
    value: Callable[..., Value]
    values: EventValues = attrs.field(factory=EventValues, init=False)

    def make(self, event: Event) -> Value:
        return self.value(**self.values.fields(event, offset=event.wlog_offset))

    def number(self, key: Any, field: str, meant: str) -> int:
        """Return a number of a key, 0 where it is not given."""
        number = key[field]
        if number is None or number is UNSET:
            return 0
        if number < 0:
            raise StorageError(f"{self.name}: expected {field} of {meant}, got {number}")
        return int(number)


class WLog(Bound):
    """The logs of workspaces as the unit of one call has them."""

    __slots__ = ("_maker", "_unit")

    def __init__(self, maker: _Maker, call: CallContext) -> None:
        self._maker = maker
        self._unit: Reader = call.unit

    def get(self, key: Key) -> Value | None:
        """Return the event at `Offset`, None if the log does not go so far; `Count` is not looked at."""
        offset = self._maker.number(key, "Offset", "1 or more")
        event = self._unit.event(key.WSID, offset) if offset else None
        return None if event is None else self._maker.make(event)

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Yield `Count` events from `Offset` on: all there are for 0 or none, from the first on likewise.

        The key of each has its own `Offset`, and no `Count`.
        """
        maker = self._maker
        offset = maker.number(key, "Offset", "1 or more, or 0 for the first event")
        count = maker.number(key, "Count", "1 or more, or 0 for all events")
        workspace, whole = key.WSID, maker.key
        events = self._unit.events(workspace, offset or 1, count or None)
        return (
            (whole(WSID=workspace, Offset=event.wlog_offset, Count=None), maker.make(event))
            for event in events
        )


def _open(ctx: StorageContext) -> PerCall:
    return PerCall(partial(WLog, _Maker(ctx.storage, ctx.key_class, ctx.value_class)))


provider: Final = Provider(
    name="WLog",
    open=_open,
    operations={
        Operation.GET: frozenset(Scope),
        Operation.READ: frozenset({Scope.QUERIES, Scope.PROJECTORS, Scope.JOBS}),
    },
    key=[Field("Offset", "int64"), Field("Count", "int64")],
    value=EVENT_FIELDS,
    sync_projector=True,
    inprocess_only="it reads the events of the app, which the host keeps",
    description="Events of a workspace",
)

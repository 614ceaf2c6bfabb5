"""Which rows an event sets beside the logs: its records, and what they are found by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from statehold.events import _layout as layout
from statehold.events._codec import StoredCud, encode_event
from statehold.events._errors import RecordMissingError
from statehold.events._event import Cud, Event
from statehold.events._holding import hold, let_go
from statehold.events._shape import decode, encode
from statehold.events._table import TableShape
from statehold.sdk import Value

if TYPE_CHECKING:
    from statehold.events._unit import Unit

#: The table of a record, and its fields by name before the event, None for a new one, and after it.
_Held: TypeAlias = tuple[TableShape, Mapping[str, object] | None, Mapping[str, object] | Value]


def store_event(unit: Unit, event: Event) -> bytes:
    """Put the rows of an event's records into *unit*, and return the event as it stands in the log."""
    workspace = event.workspace
    records = layout.RECORDS, workspace
    shapes = unit.schemas.by_class
    cuds: list[StoredCud] = []
    held: dict[int, _Held] = {}
    for cud in event.cuds:
        shape: Any = shapes.get(type(cud.value)) or unit.schemas.of(cud.value)
        if cud.is_new:
            data = encode(cud.value)
            unit.put(records, (cud.id,), data)
            if shape.is_listed or not shape.is_root:
                _find_new(unit, workspace, shape, cud)
            cuds.append((cud.table, cud.id, True, msgspec.Raw(data)))
            if shape.uniques:
                held[cud.id] = shape, None, cud.value
        else:
            before, after = _store_changed(unit, workspace, shape, cud)
            cuds.append((cud.table, cud.id, False, cud.changes))
            if shape.uniques:
                first = held[cud.id][1] if cud.id in held else before
                held[cud.id] = shape, first, after
    if held:
        _store_uniques(unit, workspace, held)
    return encode_event(event, cuds)


def _find_new(unit: Unit, workspace: int, shape: TableShape, cud: Cud) -> None:
    """Put the row by which a new record is found among others."""
    value: Any = cud.value
    if shape.is_listed:
        unit.put((layout.DOCS, workspace, shape.name), (cud.id,), b"")
    elif value.sys_ParentID is not None:
        unit.put((layout.KIDS, workspace), (value.sys_ParentID, value.sys_Container, cud.id), b"")


def _store_changed(
    unit: Unit, workspace: int, shape: TableShape, cud: Cud
) -> tuple[dict[str, object], dict[str, object]]:
    """Put the row of a changed record, and return its fields before and after."""
    at = (layout.RECORDS, workspace), (cud.id,)
    row = unit.get(*at)
    if row is None:
        raise RecordMissingError(f"{shape.name}: there is no record {cud.id}", table=shape.name)
    # As a map, so that the fields of a later version of the app stay.
    before: dict[str, object] = decode(row)
    after = {name: value for name, value in {**before, **cud.changes}.items() if value is not None}
    unit.put(*at, encode(after))
    return before, after


def _store_uniques(unit: Unit, workspace: int, held: Mapping[int, _Held]) -> None:
    """Let records have their unique values: as the event leaves them, in whatever order it changed them."""
    new = []
    for record, (shape, before, after) in held.items():
        for unique in shape.uniques:
            was = None if before is None else unique.values_of(before)
            now = unique.values(after) if isinstance(after, Value) else unique.values_of(after)
            if was != now:
                if was is not None:
                    let_go(unit, workspace, unique, was, record=record)
                if now is not None:
                    new.append((unique, now, record))
    for unique, values, record in new:
        hold(unit, workspace, unique, values, record=record)

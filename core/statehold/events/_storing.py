"""Which rows an event sets: itself in both logs, its records, and what they are found by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from statehold.events import _layout as layout
from statehold.events._codec import encode_event, encode_place
from statehold.events._errors import ConflictError, RecordMissingError
from statehold.events._event import Cud, Event
from statehold.events._shape import decode, encode
from statehold.events._table import TableShape
from statehold.events._uniques import Unique
from statehold.rows import Columns

if TYPE_CHECKING:
    from statehold.events._unit import Unit


def store_event(unit: Unit, event: Event) -> None:
    """Put the rows of an event and of its records into *unit*."""
    workspace, number = event.workspace, unit.data.number
    fields: list[object] = []
    for cud in event.cuds:
        shape: TableShape = unit.schemas[cud.table]
        if cud.is_new:
            data = encode(cud.value)
            _store_new(unit, workspace, shape, cud, data)
            fields.append(msgspec.Raw(data))
        else:
            _store_changed(unit, workspace, shape, cud)
            fields.append(cud.changes)
    unit.put((layout.PLOG, number), (event.offset,), encode_event(event, fields))
    unit.put((layout.WLOG, workspace), (event.wlog_offset,), encode_place(number, event.offset))


def _store_new(unit: Unit, workspace: int, shape: TableShape, cud: Cud, data: bytes) -> None:
    value: Any = cud.value
    unit.put((layout.RECORDS, workspace), (cud.id,), data)
    if shape.is_listed:
        unit.put((layout.DOCS, workspace, shape.name), (cud.id,), b"")
    elif value.sys_ParentID is not None:
        unit.put((layout.KIDS, workspace), (value.sys_ParentID, value.sys_Container, cud.id), b"")
    if value.sys_IsActive:
        for unique in shape.uniques:
            if (values := unique.values(value)) is not None:
                _hold(unit, workspace, shape, unique, values, record=cud.id)


def _store_changed(unit: Unit, workspace: int, shape: TableShape, cud: Cud) -> None:
    at = (layout.RECORDS, workspace), (cud.id,)
    row = unit.get(*at)
    if row is None:
        raise RecordMissingError(f"{shape.name}: there is no record {cud.id}", table=shape.name)
    # As a map, so that the fields of a later version of the app stay.
    before: dict[str, object] = decode(row)
    after = {**before, **cud.changes}
    unit.put(*at, encode({name: value for name, value in after.items() if value is not None}))
    for unique in shape.uniques:
        was = unique.values_of(before) if before["sys.IsActive"] else None
        now = unique.values_of(after) if after["sys.IsActive"] else None
        if was != now:
            if was is not None:
                unit.remove(*unique.key(workspace, was))
            if now is not None:
                _hold(unit, workspace, shape, unique, now, record=cud.id)


def _hold(
    unit: Unit, workspace: int, shape: TableShape, unique: Unique, values: Columns, *, record: int
) -> None:
    """Let a record have unique values, unless another has them."""
    partition, clustering = unique.key(workspace, values)
    row = unit.get(partition, clustering)
    if row is not None and decode(row) != record:
        holder: int = decode(row)
        shown = ", ".join(
            f"{name} = {value!r:.60}" for name, value in zip(unique.fields, values, strict=True)
        )
        raise ConflictError(
            f"{shape.name}: workspace {workspace} has a record with {shown} already, record {holder}",
            table=shape.name,
            record=holder,
            fields=unique.fields,
        )
    unit.put(partition, clustering, encode(record))

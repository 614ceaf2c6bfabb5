"""Changes of records that were asked for, and the cuds that they become in an event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, final

import msgspec

from statehold.events import _layout as layout
from statehold.events._codec import changed_cud
from statehold.events._errors import BrokenReferenceError, ConflictError, RecordError
from statehold.events._event import Cud
from statehold.events._table import TableShape
from statehold.sdk import SchemaError, Value
from statehold.sdk import fields as fields_of

if TYPE_CHECKING:
    from statehold.events._unit import Unit


#: What is called otherwise in a row than as an attribute, of what may be changed.
_NAMES: Final = {"sys_IsActive": "sys.IsActive"}


@final
class Insert(msgspec.Struct, gc=False):
    """A record that is to be made, or a document with what is nested in it."""

    workspace: int
    shape: TableShape
    value: Any


@final
class Change(msgspec.Struct, gc=False):
    """Fields of a record that are to be set, by attribute."""

    workspace: int
    shape: TableShape
    record: int
    fields: Mapping[str, object]


def checked_changes(shape: TableShape, existing: Value, changes: Mapping[str, object]) -> dict[str, object]:
    """Return what of *changes* is to be set in a record.

    Raises:
        RecordError: the table's records cannot be changed, or a field that is fixed cannot.
        SchemaError: a field that is NOT NULL is cleared, or does not match its CHECK.

    """
    if shape.is_final:
        raise RecordError(
            f"{shape.name} is an {shape.kind}, whose records are never changed", table=shape.name
        )
    fields = {}
    for name, value in changes.items():
        if name in shape.fixed:
            if value != getattr(existing, name):
                raise RecordError(
                    f"{shape.name}: {name.replace('sys_', 'sys.')} of a record cannot be changed",
                    table=shape.name,
                )
        elif value is None and (name in shape.required or name == "sys_IsActive"):
            raise _required(shape, _NAMES.get(name, name), None)
        else:
            fields[name] = value
    return shape.check_changes(fields)


def _required(shape: TableShape, name: str, got: object) -> SchemaError:
    return SchemaError(
        f"{shape.name}: field {name}: expected a value (the field is NOT NULL), got {got}",
        storage=shape.name,
        field=name,
        expected="a value",
        got=got,
    )


@final
class _New(msgspec.Struct, gc=False):
    """A new record and its real id; `parent` and `container` where it came nested in a document."""

    shape: TableShape
    value: Any
    id: int
    parent: int | None = None
    container: str | None = None


def stored_tree(shape: TableShape, value: Value, cuds: Iterator[Cud]) -> Value:
    """Return a document as a tree of its records, which are the next of *cuds*."""
    record = next(cuds).value
    if shape.tree is shape.rows:
        return record
    nested = {
        name: tuple([stored_tree(inner, child, cuds) for child in getattr(value, name)])  # type: ignore[arg-type]
        for name, inner in shape.containers.items()
    }
    return shape.tree.Value(**fields_of(record), **nested)


class Resolver:
    """Turns what was put down into cuds: raw ids into real ones, references checked.

    Attributes:
        next_id: the id of the next record of the workspace.
        new_ids: the real ids by raw ids.

    """

    __slots__ = ("_tables", "_unit", "_workspace", "new_ids", "next_id")

    def __init__(self, unit: Unit, workspace: int, next_id: int) -> None:
        self.next_id = next_id
        self.new_ids: dict[int, int] = {}
        self._unit = unit
        self._workspace = workspace
        self._tables: dict[int, TableShape] = {}

    def cuds(self, staged: Iterable[Insert | Change]) -> tuple[Cud, ...]:
        """Return the cuds of all changes: new records get their ids first, so that any may refer to any."""
        found: list[_New | Change] = []
        for one in staged:
            if one.workspace != self._workspace:
                raise RecordError(
                    f"{one.shape.name}: expected a record of workspace {self._workspace}, got one of"
                    f" {one.workspace}",
                    table=one.shape.name,
                    hint="a command changes records of the workspace that it runs in",
                )
            if type(one) is Insert:
                self._expand(found, one.shape, one.value, None, None)
            else:
                found.append(one)
        return tuple([self._new(one) if type(one) is _New else self._changed(one) for one in found])

    def _expand(
        self,
        found: list[_New | Change],
        shape: TableShape,
        value: Any,
        parent: int | None,
        container: str | None,
    ) -> None:
        if shape.is_singleton:
            record = self._singleton(shape)
        else:
            record = self.next_id
            self.next_id += 1
        if value.sys_ID is not None:
            self._take_raw_id(shape, value.sys_ID, record)
        self._tables[record] = shape
        found.append(_New(shape, value, record, parent, container))
        if shape.tree is not shape.rows and type(value) is shape.tree.Value:
            for name, nested in shape.containers.items():
                for child in getattr(value, name):
                    self._expand(found, nested, child, record, name)  # type: ignore[arg-type]

    def _singleton(self, shape: TableShape) -> int:
        record = self._unit.data.singletons.take(shape.name)
        if record in self._tables or self._unit.get((layout.RECORDS, self._workspace), (record,)):
            raise ConflictError(
                f"workspace {self._workspace} has its {shape.name} already, record {record}",
                table=shape.name,
                record=record,
                hint="there is one at most: update it",
            )
        return record

    def _take_raw_id(self, shape: TableShape, raw: int, record: int) -> None:
        if not 1 <= raw <= layout.MAX_RAW_ID:
            raise RecordError(
                f"{shape.name}: sys.ID: expected a raw id from 1 to {layout.MAX_RAW_ID} for a new record,"
                f" or none, got {raw}",
                table=shape.name,
                hint="the real id is given when the event is appended",
            )
        if raw in self.new_ids:
            raise RecordError(f"{shape.name}: two new records have the raw id {raw}", table=shape.name)
        self.new_ids[raw] = record

    def _new(self, new: _New) -> Cud:
        shape, value = new.shape, new.value
        parent, container = new.parent, new.container
        if parent is None and not (shape.is_root and value.sys_ParentID is None):
            parent, container = self._placed(shape, value)
        if shape.references:
            real = {
                name: self._reference(shape, name, targets, given)
                for name, targets in shape.references
                if (given := getattr(value, name)) is not None
            }
            value = msgspec.structs.replace(value, **real)
        made = shape.stored(value, new.id, parent, container, value.sys_IsActive is not False)
        return Cud(table=shape.name, id=new.id, is_new=True, value=made)

    def _changed(self, change: Change) -> Cud:
        shape = change.shape
        fields = {_NAMES.get(name, name): value for name, value in change.fields.items()}
        for name, targets in shape.references:
            if fields.get(name) is not None:
                fields[name] = self._reference(shape, name, targets, fields[name])
        return changed_cud(shape, change.record, fields)

    def _placed(self, shape: TableShape, value: Any) -> tuple[int, str]:
        """Return the real id of a record's parent, and its container there."""
        if shape.is_root:
            raise RecordError(
                f"{shape.name}: a document is not nested in another record, expected no sys.ParentID",
                table=shape.name,
            )
        parent, container = value.sys_ParentID, value.sys_Container
        if not parent or not container:
            raise RecordError(
                f"{shape.name}: expected sys.ParentID and sys.Container, got {parent!r} and {container!r}",
                table=shape.name,
                hint="a record of a nested table belongs to a record of the table around it",
            )
        real = self.new_ids.get(parent, parent)
        outer = self._table_of(real)
        if outer is None:
            raise BrokenReferenceError(
                f"{shape.name}: sys.ParentID: there is no record {parent} in workspace {self._workspace}",
                table=shape.name,
            )
        if outer.containers.get(container) is not shape:
            raise RecordError(
                f"{shape.name}: {outer.name} (record {parent}) does not have it in a container {container!r}",
                table=shape.name,
                hint=f"it has: {', '.join(outer.containers) or 'no containers'}",
            )
        return real, container

    def _reference(self, shape: TableShape, name: str, targets: frozenset[str], value: Any) -> int | None:
        if value == 0:
            if name in shape.required:
                raise _required(shape, name, 0)
            return None
        real: int = self.new_ids.get(value, value)
        table = self._table_of(real)
        if table is None:
            raise BrokenReferenceError(
                f"{shape.name}: field {name}: there is no record {value} in workspace {self._workspace}",
                table=shape.name,
            )
        if targets and targets.isdisjoint(table.lineage):
            raise BrokenReferenceError(
                f"{shape.name}: field {name}: record {value} is a {table.name}",
                table=shape.name,
                hint=f"expected a record of {' or '.join(sorted(targets))}",
            )
        return real

    def _table_of(self, record: int) -> TableShape | None:
        table = self._tables.get(record)
        if table is None:
            row = self._unit.get((layout.RECORDS, self._workspace), (record,))
            found = None if row is None else self._unit.schemas.find(self._unit.schemas.table_of(row))
            table = found if isinstance(found, TableShape) else None
        return table

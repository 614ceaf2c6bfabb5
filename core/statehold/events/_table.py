from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from statehold.events._layout import DESCRIPTOR
from statehold.events._shape import Shape, ShapeOf
from statehold.events._uniques import Unique
from statehold.sdk import DataType, Field, Value
from statehold.state import Rows
from statehold_vsql.appdef import TableDef, TableKind

#: The fields that every record has, before its own.
SYSTEM_FIELDS: Final = (
    Field("sys.QName", DataType.QNAME),
    Field("sys.ID", DataType.REF),
    Field("sys.ParentID", DataType.REF),
    Field("sys.Container", DataType.TEXT),
    Field("sys.IsActive", DataType.BOOL),
)
_KEY: Final = (Field("ID", DataType.REF), Field("IsSingleton", DataType.BOOL))
_FIXED: Final = frozenset(("sys_QName", "sys_ID", "sys_ParentID", "sys_Container"))
_ROOTS: Final = (TableKind.CDOC, TableKind.ODOC, TableKind.WDOC)
_ABSTRACT: Final = {
    "C": ("sys.CRecord", "sys.CDoc"),
    "W": ("sys.WRecord", "sys.WDoc"),
    "O": ("sys.ORecord", "sys.ODoc"),
}


class TableShape(Shape):
    """The shape of a table, whose values are records.

    A key of `rows` is one of `sys.Record`: `ID`, or `IsSingleton`. A value has the system fields, then its
    own; what is nested in a document are records of their own, so only `tree` has them.

    Attributes:
        kind: CDoc, WRecord and so on.
        is_root: whether the records are documents, not nested in any.
        is_singleton: whether a workspace has one record at most.
        is_listed: whether the workspace knows all records of the table: configuration documents.
        references: the `ref` fields, each with the tables that it may point to, empty for any.
        uniques: what occurs once in a workspace; those of the tables it inherits too.
        required: the fields that are never NULL.
        fixed: what of a record is never changed, by attribute.
        lineage: the table, those it inherits, and the abstract tables of `sys` for its kind.
        stored: `stored(value, id, parent, container, is_active)`, the record that a value becomes: without
            what is nested in it.

    """

    definition: TableDef

    def __init__(self, definition: TableDef, shape_of: ShapeOf, *, inherits: Sequence[TableDef]) -> None:
        super().__init__(
            definition,
            shape_of,
            key=_KEY,
            system=SYSTEM_FIELDS,
            fields=definition.fields,
            containers=definition.containers,
        )
        bases = [definition, *inherits]
        self.kind = definition.kind
        self.is_root = definition.kind in _ROOTS
        self.is_singleton = definition.singleton
        self.is_listed = definition.kind is TableKind.CDOC
        self.is_final = definition.kind in (TableKind.ODOC, TableKind.ORECORD)
        self.references: Sequence[tuple[str, frozenset[str]]] = [
            (field.name, frozenset(map(str, field.references)))
            for field in definition.fields
            if field.field.type is DataType.REF
        ]
        self.required = frozenset(field.name for field in definition.fields if field.field.required)
        # All that a workspace has is held against its kind.
        self.fixed = _FIXED | {"WSKind", "WSID"} if self.name == DESCRIPTOR else _FIXED
        fields = {tuple(sorted(fields)) for base in bases for fields in _uniques(base)}
        self.uniques: Sequence[Unique] = tuple(Unique(self.name, each) for each in sorted(fields))
        record, document = _ABSTRACT[definition.kind[0]]
        self.lineage = frozenset(
            (*(str(base.name) for base in bases), record, *((document,) if self.is_root else ()))
        )
        self.stored = _compile_stored(self.name, self.rows)


def _compile_stored(name: str, rows: Rows) -> Callable[[Any, int, int | None, str | None, bool], Value]:
    # Compiled, because a record is made by each command: by way of a dict it would cost three times as much.
    system = len(SYSTEM_FIELDS)
    own = "".join(f", value.{attribute}" for attribute in rows.Value.__struct_fields__[system:])
    source = (
        f"lambda value, id, parent, container, is_active: row(name, id, parent, container, is_active{own})"
    )
    made: Callable[[Any, int, int | None, str | None, bool], Value] = eval(  # noqa: S307 - names were checked
        source, {"row": rows.Value, "name": name}
    )
    return made


def _uniques(table: TableDef) -> list[tuple[str, ...]]:
    alone = [] if table.unique_field is None else [(table.unique_field,)]
    return [*(unique.fields for unique in table.uniques), *alone]

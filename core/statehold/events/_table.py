from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

from statehold.events._shape import Shape
from statehold.events._uniques import Unique
from statehold.sdk import DataType, Field
from statehold.state import Rows, compile_rows
from statehold_vsql.appdef import TableDef, TableKind

if TYPE_CHECKING:
    from statehold.events._schemas import Schemas

#: The fields that every record has, before its own.
SYSTEM_FIELDS: Final = (
    Field("sys.QName", DataType.QNAME),
    Field("sys.ID", DataType.REF),
    Field("sys.ParentID", DataType.REF),
    Field("sys.Container", DataType.TEXT),
    Field("sys.IsActive", DataType.BOOL),
)
_KEY: Final = (Field("ID", DataType.REF), Field("IsSingleton", DataType.BOOL))
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
        lineage: the table, those it inherits, and the abstract tables of `sys` for its kind.

    """

    definition: TableDef

    def __init__(self, definition: TableDef, schemas: Schemas) -> None:
        super().__init__(
            definition,
            schemas,
            key=_KEY,
            system=SYSTEM_FIELDS,
            fields=definition.fields,
            containers=definition.containers,
        )
        bases = [definition, *schemas.bases(definition)]
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
        found = {
            unique.fields: unique
            for base in bases
            for fields in (*(each.fields for each in base.uniques), *_field_of(base))
            if (unique := Unique(self.name, fields))
        }
        self.uniques: Sequence[Unique] = tuple(found.values())
        record, document = _ABSTRACT[definition.kind[0]]
        self.lineage = frozenset(
            (*(str(base.name) for base in bases), record, *((document,) if self.is_root else ()))
        )

    @cached_property
    def uniq(self) -> Rows:
        """The constructors of keys and values of `sys.Uniq`: unique fields, and the record's `ID`."""
        names = dict.fromkeys(name for unique in self.uniques for name in unique.fields)
        fields = {field.name: field.field for field in self.definition.fields}
        key = [Field(name, fields[name].type, max_length=fields[name].max_length) for name in names]
        return compile_rows(self.name, key, (Field("ID", DataType.INT64),))


def _field_of(definition: TableDef) -> tuple[tuple[str, ...], ...]:
    return () if definition.unique_field is None else ((definition.unique_field,),)

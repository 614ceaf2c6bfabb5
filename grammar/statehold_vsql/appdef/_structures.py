from __future__ import annotations

from enum import StrEnum

import attrs

from statehold_vsql._fields import Field
from statehold_vsql.appdef._names import Position, QName


class TableKind(StrEnum):
    """The life cycle of a table's records: configuration, operation or workflow, root or nested."""

    CDOC = "CDoc"
    CRECORD = "CRecord"
    ODOC = "ODoc"
    ORECORD = "ORecord"
    WDOC = "WDoc"
    WRECORD = "WRecord"

    @property
    def nested(self) -> TableKind:
        """The kind of the tables inside one of this kind."""
        return _NESTED[self]


_NESTED = {
    TableKind.CDOC: TableKind.CRECORD,
    TableKind.CRECORD: TableKind.CRECORD,
    TableKind.ODOC: TableKind.ORECORD,
    TableKind.ORECORD: TableKind.ORECORD,
    TableKind.WDOC: TableKind.WRECORD,
    TableKind.WRECORD: TableKind.WRECORD,
}


@attrs.frozen(kw_only=True)
class FieldDef:
    """A field of a table, view or type.

    `references` are the tables that a `ref` may point to, empty for any. `pattern` is the regular
    expression of CHECK. A `record` field (views of `sys` only) holds a whole record.
    """

    field: Field
    default: int | str | None = None
    verifiable: bool = False
    pattern: str | None = None
    references: tuple[QName, ...] = ()
    record: bool = False

    @property
    def name(self) -> str:
        """The name of the field."""
        return self.field.name


@attrs.frozen(kw_only=True)
class ContainerDef:
    """Nested records of a table, or a nested object of a type."""

    name: str
    type: QName
    required: bool = False


@attrs.frozen(kw_only=True)
class UniqueDef:
    """Fields of a table whose values together occur once in a workspace."""

    name: str
    fields: tuple[str, ...]


@attrs.frozen(kw_only=True)
class TableDef:
    """A table with all its fields: inherited ones first, those of field sets in their place.

    `unique_field` is the one of UNIQUEFIELD. A descriptor of a workspace is a singleton table too.
    """

    name: QName
    kind: TableKind
    workspace: QName
    abstract: bool = False
    singleton: bool = False
    descriptor: bool = False
    inherits: QName | None = None
    fields: tuple[FieldDef, ...] = ()
    containers: tuple[ContainerDef, ...] = ()
    uniques: tuple[UniqueDef, ...] = ()
    unique_field: str | None = None
    tags: tuple[QName, ...] = ()
    comment: str = ""
    position: Position


@attrs.frozen(kw_only=True)
class TypeDef:
    """A type of arguments and results, with the fields of its field sets in their place."""

    name: QName
    workspace: QName
    fields: tuple[FieldDef, ...] = ()
    containers: tuple[ContainerDef, ...] = ()
    comment: str = ""
    position: Position


@attrs.frozen(kw_only=True)
class ViewDef:
    """A view: the two parts of its primary key, its values, and the projector or job that fills it."""

    name: QName
    workspace: QName
    partition_key: tuple[FieldDef, ...]
    clustering_columns: tuple[FieldDef, ...]
    values: tuple[FieldDef, ...]
    result_of: QName
    tags: tuple[QName, ...] = ()
    comment: str = ""
    position: Position

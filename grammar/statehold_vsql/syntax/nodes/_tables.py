from __future__ import annotations

from statehold_vsql.syntax.nodes._values import (
    Name,
    NameRef,
    Node,
    Number,
    Operand,
    Span,
    Text,
    TypeName,
    TypeUse,
)


class Field(Node, frozen=True, kw_only=True):
    """A field of a table or type; `check_regexp` is `CHECK '...'`, `check` is `CHECK (...)`."""

    name: Name
    type: TypeUse
    not_null: bool
    verifiable: bool
    default: Number | Text | None
    check_regexp: Text | None
    check: Operand | None
    span: Span


class RefField(Node, frozen=True):
    """`name ref (tables)` in a table, type or view; without tables it may refer to any."""

    name: Name
    targets: tuple[NameRef, ...]
    not_null: bool
    span: Span


class NestedTable(Node, frozen=True):
    """A table inside a table, in a container of this name."""

    name: Name
    table: Table
    span: Span


class Include(Node, frozen=True):
    """The name of a type whose fields are taken over."""

    type: NameRef
    span: Span


class UniqueField(Node, frozen=True):
    """`UNIQUEFIELD name`."""

    constraint: Name | None
    field: Name
    span: Span


class Unique(Node, frozen=True):
    """`UNIQUE (fields)`."""

    constraint: Name | None
    fields: tuple[Name, ...]
    span: Span


class Check(Node, frozen=True):
    """`CHECK (expression)` as an item of its own."""

    constraint: Name | None
    check: Operand
    span: Span


TableItem = Field | RefField | NestedTable | Include | UniqueField | Unique | Check


class Table(Node, frozen=True, kw_only=True):
    """TABLE."""

    name: Name
    abstract: bool
    inherits: NameRef | None
    items: tuple[TableItem, ...]
    tags: tuple[NameRef, ...]
    span: Span
    comment: str = ""
    is_partial: bool = False


class TypeDeclaration(Node, frozen=True, kw_only=True):
    """TYPE."""

    name: Name
    items: tuple[TableItem, ...]
    span: Span
    comment: str = ""
    is_partial: bool = False


class ViewField(Node, frozen=True):
    """A field of a view."""

    name: Name
    type: TypeName
    not_null: bool
    span: Span


class RecordField(Node, frozen=True):
    """`name record` in a view."""

    name: Name
    not_null: bool
    span: Span


class PrimaryKey(Node, frozen=True):
    """`PRIMARY KEY ((partition), clustering)`; `span` is that of what stands in the parentheses."""

    partition: tuple[Name, ...]
    clustering: tuple[Name, ...]
    span: Span


ViewItem = ViewField | RefField | RecordField | PrimaryKey


class View(Node, frozen=True, kw_only=True):
    """VIEW."""

    name: Name
    items: tuple[ViewItem, ...]
    result_of: NameRef
    tags: tuple[NameRef, ...]
    span: Span
    comment: str = ""
    is_partial: bool = False

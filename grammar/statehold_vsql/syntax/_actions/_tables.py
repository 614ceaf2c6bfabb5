from __future__ import annotations

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from statehold_vsql.syntax._actions._common import Actions, Items, comment_before, over
from statehold_vsql.syntax._actions._names import With
from statehold_vsql.syntax.nodes import (
    Check,
    Field,
    Include,
    Name,
    NameRef,
    NestedTable,
    Number,
    Operand,
    PrimaryKey,
    RecordField,
    RefField,
    Span,
    Table,
    Text,
    TypeDeclaration,
    TypeUse,
    Unique,
    UniqueField,
    View,
    ViewField,
)

actions = Actions()


class _Head(Struct, frozen=True):
    word: Any
    abstract: bool
    name: Name
    inherits: NameRef | None
    items: Items
    close: Span


class _More(Struct, frozen=True):
    verifiable: bool
    default: Number | Text | None
    regexp: Text | None
    check: Operand | None
    end: Any


# --- tables


@actions
def table_begin(children: list[Any]) -> tuple[Any, bool]:
    """Note where a table begins."""
    return children[0], False


@actions
def table_abstract(children: list[Any]) -> tuple[Any, bool]:
    """Note where an abstract table begins."""
    return children[0], True


@actions
def table_head(children: list[Any]) -> _Head:
    """Note a table up to its items."""
    (word, abstract), name, _, items, close = children
    return _Head(word, abstract, name, None, items, close)


@actions
def table_head_inheriting(children: list[Any]) -> _Head:
    """Note a table with INHERITS up to its items."""
    (word, abstract), name, _, inherits, _, items, close = children
    return _Head(word, abstract, name, inherits, items, close)


@actions
def table(children: list[Any]) -> Table:
    """Build TABLE."""
    head, with_ = children
    return _table(head, with_)


@actions
def nested_table(children: list[Any]) -> NestedTable:
    """Build a table inside a table."""
    name, head = children
    table = _table(head, None)
    return NestedTable(name, table, over(name, table))


@actions
def nested_table_with(children: list[Any]) -> NestedTable:
    """Build a table inside a table, with its WITH."""
    name, head, _, items = children[:4]
    table = _table(head, With.of(items))
    return NestedTable(name, table, over(name, table))


def _table(head: _Head, with_: With | None) -> Table:
    with_ = with_ or With.of(())
    return Table(
        name=head.name,
        abstract=head.abstract,
        inherits=head.inherits,
        items=tuple(head.items),
        tags=with_.tags,
        span=over(head.word, with_.end or head.close),
        comment=with_.comment_or(head.word),
        is_partial=head.items.is_partial,
    )


@actions
def type_declaration(children: list[Any]) -> TypeDeclaration:
    """Build TYPE."""
    word, name, _, items, close = children
    return TypeDeclaration(
        name=name,
        items=tuple(items),
        span=over(word, close),
        comment=comment_before(word),
        is_partial=items.is_partial,
    )


# --- their items


@actions
def include(children: list[Any]) -> Include:
    """Build the name of a type that is taken over."""
    (type_,) = children
    return Include(type_, type_.span)


@actions
def item_word(children: list[Any]) -> Name:
    """Take a keyword as a field's name."""
    (word,) = children
    return Name(word.text, word.span)


@actions
def field_begin(children: list[Any]) -> tuple[Name, TypeUse]:
    """Note a field's name and type."""
    name, type_ = children
    return name, type_


@actions
def field(children: list[Any]) -> Field:
    """Build a field."""
    ((name, type_),) = children
    return _field(name, type_, None, None)


@actions
def field_not_null(children: list[Any]) -> Field:
    """Build a required field."""
    (name, type_), not_null = children
    return _field(name, type_, not_null, None)


@actions
def field_with(children: list[Any]) -> Field:
    """Build a field with more clauses."""
    (name, type_), more = children
    return _field(name, type_, None, more)


@actions
def field_not_null_with(children: list[Any]) -> Field:
    """Build a required field with more clauses."""
    (name, type_), not_null, more = children
    return _field(name, type_, not_null, more)


def _field(name: Name, type_: TypeUse, not_null: Any, more: _More | None) -> Field:
    if more is None:
        return Field(
            name=name,
            type=type_,
            not_null=not_null is not None,
            verifiable=False,
            default=None,
            check_regexp=None,
            check=None,
            span=over(name, not_null or type_),
        )
    return Field(
        name=name,
        type=type_,
        not_null=not_null is not None,
        verifiable=more.verifiable,
        default=more.default,
        check_regexp=more.regexp,
        check=more.check,
        span=over(name, more.end),
    )


@actions
def more_verifiable(children: list[Any]) -> _More:
    """Note VERIFIABLE and what follows."""
    word, default, checks = children
    regexp, check, end = checks or (None, None, None)
    return _More(verifiable=True, default=default, regexp=regexp, check=check, end=end or default or word)


@actions
def more_default(children: list[Any]) -> _More:
    """Note DEFAULT and what follows."""
    default, checks = children
    regexp, check, end = checks or (None, None, None)
    return _More(verifiable=False, default=default, regexp=regexp, check=check, end=end or default)


@actions
def more_checks(children: list[Any]) -> _More:
    """Note the checks."""
    ((regexp, check, end),) = children
    return _More(verifiable=False, default=None, regexp=regexp, check=check, end=end)


@actions
def check_regexp(children: list[Any]) -> tuple[Text, None, Any]:
    """Note a check by a regular expression."""
    _, regexp = children
    return regexp, None, regexp


@actions
def check_expression(children: list[Any]) -> tuple[None, Operand, Any]:
    """Note a check by an expression."""
    _, _, expression, close = children
    return None, expression, close


@actions
def check_both(children: list[Any]) -> tuple[Text, Operand, Any]:
    """Note both checks."""
    _, regexp, _, _, expression, close = children
    return regexp, expression, close


@actions
def reference_field(children: list[Any]) -> RefField:
    """Build a reference, or take over the one built."""
    if len(children) == 1:
        built: RefField = children[0]
        return built
    name, word = children
    return RefField(name, (), not_null=False, span=over(name, word))


@actions
def reference_field_to(children: list[Any]) -> RefField:
    """Build a reference to tables."""
    name, _, _, targets, close = children
    return RefField(name, tuple(targets), not_null=False, span=over(name, close))


@actions
def reference_field_not_null(children: list[Any]) -> RefField:
    """Make a reference required."""
    field, end = children
    required: RefField = replace(field, not_null=True, span=over(field, end))
    return required


@actions
def unique_field(children: list[Any]) -> UniqueField:
    """Build UNIQUEFIELD."""
    word, field = children
    return UniqueField(None, field, over(word, field))


@actions
def unique(children: list[Any]) -> Unique:
    """Build UNIQUE."""
    word, _, fields, close = children
    return Unique(None, tuple(fields), over(word, close))


@actions
def check(children: list[Any]) -> Check:
    """Build CHECK."""
    word, _, expression, close = children
    return Check(None, expression, over(word, close))


@actions
def constraint_named(children: list[Any]) -> UniqueField | Unique | Check:
    """Give a constraint its name."""
    word, name, constraint = children
    named: UniqueField | Unique | Check = replace(constraint, constraint=name, span=over(word, constraint))
    return named


# --- views


@actions
def view(children: list[Any]) -> View:
    """Build VIEW."""
    word, name, _, items, _, _, _, _, result_of, with_ = children
    with_ = with_ or With.of(())
    return View(
        name=name,
        items=tuple(items),
        result_of=result_of,
        tags=with_.tags,
        span=over(word, with_.end or result_of),
        comment=with_.comment_or(word),
        is_partial=items.is_partial,
    )


@actions
def view_ref(children: list[Any]) -> RefField:
    """Build a reference in a view, with or without NOT NULL."""
    return RefField(children[0], (), not_null=len(children) == 3, span=over(children[0], children[-1]))


actions["view_ref_not_null"] = view_ref


@actions
def view_ref_to(children: list[Any]) -> RefField:
    """Build a reference to tables in a view, with or without NOT NULL."""
    name, targets = children[0], children[3]
    return RefField(name, tuple(targets), not_null=len(children) == 6, span=over(name, children[-1]))


actions["view_ref_to_not_null"] = view_ref_to


@actions
def view_record(children: list[Any]) -> RecordField:
    """Build a record field of a view, with or without NOT NULL."""
    return RecordField(children[0], not_null=len(children) == 3, span=over(children[0], children[-1]))


actions["view_record_not_null"] = view_record


@actions
def view_field(children: list[Any]) -> ViewField:
    """Build a field of a view, with or without NOT NULL."""
    name, type_ = children[:2]
    return ViewField(name, type_, not_null=len(children) == 3, span=over(name, children[-1]))


actions["view_field_not_null"] = view_field


@actions
def view_key(children: list[Any]) -> PrimaryKey:
    """Build PRIMARY KEY; an empty one is where its parentheses are."""
    _, open_, key, close = children
    return PrimaryKey((), (), over(open_, close)) if key is None else key


@actions
def key_clustering(children: list[Any]) -> PrimaryKey:
    """Note a key that has no partition key."""
    names = children[-1]
    return PrimaryKey((), tuple(names), over(names[0], names[-1]))


actions["key_comma_clustering"] = key_clustering


@actions
def key_partition(children: list[Any]) -> PrimaryKey:
    """Note a key that has only a partition key."""
    open_, names, close = children
    return PrimaryKey(tuple(names), (), over(open_, close))


@actions
def key_both(children: list[Any]) -> PrimaryKey:
    """Note a key with both parts."""
    names = children[-1]
    return PrimaryKey(tuple(children[1]), tuple(names), over(children[0], names[-1]))


actions["key_both_comma"] = key_both

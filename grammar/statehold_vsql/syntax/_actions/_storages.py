from __future__ import annotations

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from statehold_vsql._fields import DataType
from statehold_vsql._words import Operation, Scope, StorageEngine
from statehold_vsql.syntax._actions._common import Actions, Items, comment_before, over
from statehold_vsql.syntax._tokens import Token
from statehold_vsql.syntax.nodes import (
    Name,
    NameRef,
    OperationScopes,
    ScopeWord,
    Span,
    StateStorageBlock,
    Storage,
    StorageField,
    Text,
    TypeName,
)

actions = Actions()

_SCOPES = {scope.value: scope for scope in Scope} | {
    "COMMAND": Scope.COMMANDS,
    "QUERY": Scope.QUERIES,
    "PROJECTOR": Scope.PROJECTORS,
    "JOB": Scope.JOBS,
}
_OPERATIONS = {operation.value: operation for operation in Operation}


class _Options(Struct, frozen=True):
    entities: tuple[bool, bool]
    key: Items | None
    value: Items | None
    end: Any


class _Head(Struct, frozen=True):
    name: Name
    begin: Any


@actions
def state_storages(children: list[Any]) -> StateStorageBlock:
    """Build a STATESTORAGE block."""
    word, _, engine, _, storages, close = children
    return StateStorageBlock(
        engine=StorageEngine(engine.text),
        engine_span=engine.span,
        storages=tuple(storages),
        span=over(word, close),
        comment=comment_before(word),
        is_partial=storages.is_partial,
    )


@actions
def storage_name(children: list[Any]) -> _Head:
    """Note where a storage begins."""
    return _Head(name=children[-1], begin=children[0])


@actions
def storage_bare(children: list[Any]) -> Storage:
    """Build a storage that takes its provider's operations."""
    head, options = children
    return _storage(head, None, head.name, options)


@actions
def storage_full(children: list[Any]) -> Storage:
    """Build a storage with its operations."""
    head, _, operations, close, options = children
    return _storage(head, operations, close, options)


@actions
def storage_full_comma(children: list[Any]) -> Storage:
    """Build a storage with its operations, a comma behind the last."""
    head, _, operations, _, close, options = children
    return _storage(head, operations, close, options)


@actions
def declared(children: list[Any]) -> Storage:
    """Build a storage of an EXTENSION ENGINE block."""
    word, name, _, operations, close, options = children
    return _storage(_Head(name, word), operations, close, options)


def _storage(head: _Head, operations: Items | None, end: Any, options: _Options) -> Storage:
    record, view = options.entities
    return Storage(
        name=head.name,
        operations=None if operations is None else tuple(operations),
        entity_record=record,
        entity_view=view,
        key=None if options.key is None else tuple(options.key),
        value=None if options.value is None else tuple(options.value),
        config=None,
        provider=None,
        repeated=(),
        tags=(),
        span=over(head.begin, options.end or end),
        comment=comment_before(head.begin),
        is_partial=any(
            items is not None and items.is_partial for items in (operations, options.key, options.value)
        ),
    )


@actions
def configured(children: list[Any]) -> Storage:
    """Add its WITH to a storage."""
    storage, items = children
    tags: list[NameRef] = []
    repeated: list[Name] = []
    changes: dict[str, Any] = {}
    for kind, value, end in items:
        if kind == "tags":
            tags.extend(value)
        elif kind == "comment":
            changes[kind] = value.value
        else:
            word, given = value
            if kind in changes:
                repeated.append(Name(word.text.partition(" ")[0], word.span))
            changes.setdefault(kind, given)
        changes["span"] = over(storage, end)
    evolved: Storage = replace(storage, tags=tuple(tags), repeated=tuple(repeated), **changes)
    return evolved


@actions
def config_json(children: list[Any]) -> tuple[str, tuple[Token, Text], Span]:
    """Note the JSONCONFIG."""
    word, text = children
    return "config", (word, text), text.span


@actions
def config_provider(children: list[Any]) -> tuple[str, tuple[Token, Name], Span]:
    """Note the PROVIDER."""
    word, name = children
    return "provider", (word, name), name.span


@actions
def storage_options(children: list[Any]) -> _Options:
    """Note what stands behind a storage's operations."""
    entity, *schemas = children
    fields = {name: items for name, items, _ in schemas}
    end = schemas[-1][-1] if schemas else entity and entity[1]
    return _Options(
        entities=entity[0] if entity else (False, False),
        key=fields.get("key"),
        value=fields.get("value"),
        end=end,
    )


@actions
def entity_record(children: list[Any]) -> tuple[tuple[bool, bool], Span]:
    """Note ENTITY RECORD."""
    return (True, False), children[-1].span


@actions
def entity_view(children: list[Any]) -> tuple[tuple[bool, bool], Span]:
    """Note ENTITY VIEW."""
    return (False, True), children[-1].span


@actions
def entity_both(children: list[Any]) -> tuple[tuple[bool, bool], Span]:
    """Note both entities."""
    return (True, True), children[-1].span


@actions
def key(children: list[Any]) -> tuple[str, Items, Span]:
    """Note the fields of KEY."""
    return "key", children[2], children[-1]


@actions
def value(children: list[Any]) -> tuple[str, Items, Span]:
    """Note the fields of VALUE."""
    return "value", children[2], children[-1]


@actions
def storage_field(children: list[Any]) -> StorageField:
    """Build a field."""
    name, type_ = children
    return StorageField(name, type_, not_null=False, span=over(name, type_))


@actions
def storage_field_not_null(children: list[Any]) -> StorageField:
    """Build a field that is required."""
    name, type_, end = children
    return StorageField(name, type_, not_null=True, span=over(name, end))


@actions
def storage_field_ref(children: list[Any]) -> StorageField:
    """Build a field that holds a record's id."""
    name, word = children
    return StorageField(name, TypeName(DataType.REF, None, word.span), not_null=False, span=over(name, word))


@actions
def storage_field_ref_not_null(children: list[Any]) -> StorageField:
    """Build a required field that holds a record's id."""
    name, word, end = children
    return StorageField(name, TypeName(DataType.REF, None, word.span), not_null=True, span=over(name, end))


@actions
def operation(children: list[Any]) -> OperationScopes:
    """Build an operation with its scopes."""
    word, _, _, scopes, close = children
    return OperationScopes(_OPERATIONS[word.text], word.span, tuple(scopes), over(word, close))


@actions
def scope(children: list[Any]) -> ScopeWord:
    """Build a scope; the singular means the same."""
    (word,) = children
    return ScopeWord(_SCOPES[word.text], word.span)

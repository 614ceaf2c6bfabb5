from __future__ import annotations

from statehold_vsql._words import Operation, Scope, StorageEngine
from statehold_vsql.syntax.nodes._values import Name, NameRef, Node, Span, Text, TypeUse


class ScopeWord(Node, frozen=True):
    """One word in SCOPE(...)."""

    scope: Scope
    span: Span


class OperationScopes(Node, frozen=True):
    """`GET SCOPE(COMMANDS, ...)`; `operation_span` is that of the operation's word."""

    operation: Operation
    operation_span: Span
    scopes: tuple[ScopeWord, ...]
    span: Span


class StorageField(Node, frozen=True):
    """One field in KEY(...) or VALUE(...)."""

    name: Name
    type: TypeUse
    not_null: bool
    span: Span


class Storage(Node, frozen=True, kw_only=True):
    """A declared storage; `operations` is None for a bare name, `key` and `value` where absent."""

    name: Name
    operations: tuple[OperationScopes, ...] | None
    entity_record: bool
    entity_view: bool
    key: tuple[StorageField, ...] | None
    value: tuple[StorageField, ...] | None
    config: Text | None
    provider: Name | None
    # JSONCONFIG or PROVIDER where WITH has it already.
    repeated: tuple[Name, ...]
    tags: tuple[NameRef, ...]
    span: Span
    comment: str = ""
    is_partial: bool = False


class StateStorageBlock(Node, frozen=True, kw_only=True):
    """`STATESTORAGE ENGINE ... ( storages )`."""

    engine: StorageEngine
    engine_span: Span
    storages: tuple[Storage, ...]
    span: Span
    comment: str = ""
    is_partial: bool = False

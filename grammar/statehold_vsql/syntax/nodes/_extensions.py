from __future__ import annotations

from enum import StrEnum

from statehold_vsql._words import ExtensionEngine
from statehold_vsql.syntax.nodes._storages import Storage
from statehold_vsql.syntax.nodes._values import Name, NameRef, Node, Span, Text, TypeUse


class StorageUse(Node, frozen=True):
    """One entry of STATE or INTENTS: a storage and, in parentheses, its entities."""

    storage: NameRef
    entities: tuple[NameRef, ...]
    span: Span


class ParamKind(StrEnum):
    """What stands as an argument or a result."""

    ANY = "any"
    VOID = "void"
    TYPE = "type"


class Param(Node, frozen=True):
    """An argument or a result; `type` is None for `any` and `void`."""

    kind: ParamKind
    type: NameRef | None
    span: Span


class Command(Node, frozen=True, kw_only=True):
    """COMMAND; a clause that is absent is None or an empty tuple."""

    name: Name
    argument: Param | None
    unlogged: Param | None
    state: tuple[StorageUse, ...]
    intents: tuple[StorageUse, ...]
    returns: Param | None
    tags: tuple[NameRef, ...]
    span: Span
    comment: str = ""
    is_partial: bool = False


class Query(Node, frozen=True, kw_only=True):
    """QUERY; a clause that is absent is None or an empty tuple."""

    name: Name
    argument: Param | None
    state: tuple[StorageUse, ...]
    returns: Param | None
    tags: tuple[NameRef, ...]
    span: Span
    comment: str = ""
    is_partial: bool = False


class Action(StrEnum):
    """What a rule is about: a grant, a limit, or an event a projector waits for."""

    ALL = "ALL"
    SELECT = "SELECT"
    INSERT = "INSERT"
    UPDATE = "UPDATE"
    ACTIVATE = "ACTIVATE"
    DEACTIVATE = "DEACTIVATE"
    EXECUTE = "EXECUTE"
    EXECUTE_WITH_PARAM = "EXECUTE WITH PARAM"


class ActionWord(Node, frozen=True):
    """An action, with the columns it is narrowed to (only in GRANT and REVOKE; `sys.ID` possible)."""

    action: Action
    columns: tuple[NameRef, ...]
    span: Span


class CronTrigger(Node, frozen=True):
    """`CRON '...'`."""

    schedule: Text
    span: Span


class AfterTrigger(Node, frozen=True):
    """`AFTER INSERT OR UPDATE ON (...)`, `AFTER EXECUTE [WITH PARAM] ON ...`."""

    actions: tuple[ActionWord, ...]
    targets: tuple[NameRef, ...]
    span: Span


class Projector(Node, frozen=True, kw_only=True):
    """PROJECTOR."""

    name: Name
    sync: bool
    triggers: tuple[CronTrigger | AfterTrigger, ...]
    state: tuple[StorageUse, ...]
    intents: tuple[StorageUse, ...]
    including_errors: bool
    span: Span
    comment: str = ""
    is_partial: bool = False


class Job(Node, frozen=True, kw_only=True):
    """JOB."""

    name: Name
    schedule: Text | None
    state: tuple[StorageUse, ...]
    intents: tuple[StorageUse, ...]
    span: Span
    comment: str = ""
    is_partial: bool = False


class FunctionParam(Node, frozen=True):
    """A parameter of a function; its name may be absent."""

    name: Name | None
    type: TypeUse
    span: Span


class Function(Node, frozen=True, kw_only=True):
    """FUNCTION."""

    name: Name
    params: tuple[FunctionParam, ...]
    returns: TypeUse
    span: Span
    comment: str = ""
    is_partial: bool = False


Extension = Command | Query | Projector | Job | Function


class ExtensionBlock(Node, frozen=True, kw_only=True):
    """`EXTENSION ENGINE ... ( ... )`: at the root functions and storages, in a workspace extensions."""

    engine: ExtensionEngine
    engine_span: Span
    items: tuple[Extension | Storage, ...]
    span: Span
    comment: str = ""
    is_partial: bool = False

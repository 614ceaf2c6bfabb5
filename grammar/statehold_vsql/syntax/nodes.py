"""The syntax tree: one frozen node per statement and clause, each with the span it was written in.

Names are kept as written; nothing is resolved here. `comment` is the comment block right before a
statement, or its `WITH Comment`. A node with `is_partial` lost at least one of its items to a syntax
error that was reported: what it seems to lack may have been there.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from statehold_vsql._fields import DataType
from statehold_vsql._words import ExtensionEngine, Operation, Scope, StorageEngine


class Span(Struct, frozen=True, gc=False):
    """A stretch of text; lines and columns count from 1, the end is the first position behind it."""

    line: int
    column: int
    end_line: int
    end_column: int


class Node(Struct, frozen=True):
    """A statement, clause, name or literal: a struct, for a file has thousands of them."""


# --- names and literals


class Name(Node, frozen=True):
    """An identifier, without the double quotes it may be written in.

    `gap` are the comments before one that a storage's declaration begins with.
    """

    text: str
    span: Span
    gap: str = ""

    def __str__(self) -> str:
        """Return the identifier."""
        return self.text


class NameRef(Node, frozen=True):
    """The name of something declared elsewhere; `package` is empty where none is written."""

    package: str
    name: str
    span: Span

    @property
    def text(self) -> str:
        """The name as written: `Orders` or `bills.Orders`."""
        return f"{self.package}.{self.name}" if self.package else self.name

    def __str__(self) -> str:
        """Return the name as written."""
        return self.text


class Text(Node, frozen=True):
    """A string literal, unquoted and with its escapes resolved."""

    value: str
    span: Span


class Number(Node, frozen=True):
    """A whole number."""

    value: int
    span: Span


class Fraction(Node, frozen=True):
    """A number with a point in it; only in expressions and in PARAMETER's DEFAULT."""

    value: float
    span: Span


class Constant(Node, frozen=True):
    """TRUE, FALSE or NULL (None)."""

    value: bool | None
    span: Span


class NamePath(Node, frozen=True):
    """A dotted path in an expression: `a.b.c`."""

    names: tuple[str, ...]
    span: Span


class Expression(Node, frozen=True):
    """An operator with its operands, as in `CHECK (a > 1 AND b IS NULL)`.

    `operator` is one of OR AND NOT + - * / % = <> != < > <= >= `IS NULL` `IS NOT NULL` BETWEEN
    (operand, low, high), IN (operand, then the list) and CALL (the function's path, then its arguments).
    """

    operator: str
    operands: tuple[Operand, ...]
    span: Span


Operand = Expression | NamePath | Text | Number | Fraction | Constant


# --- types of fields


class TypeName(Node, frozen=True):
    """A data type; `length` is the number in parentheses behind text and bytes."""

    type: DataType
    length: Number | None
    span: Span


TypeUse = TypeName | NameRef


# --- storages


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


# --- extensions


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


# --- tables, types and views


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


# --- workspaces


class Descriptor(Node, frozen=True, kw_only=True):
    """The DESCRIPTOR of a workspace; without a name it takes the workspace's."""

    name: Name | None
    items: tuple[TableItem, ...]
    span: Span
    comment: str = ""
    is_partial: bool = False


class Workspace(Node, frozen=True, kw_only=True):
    """WORKSPACE."""

    name: Name
    abstract: bool
    alterable: bool
    pool: bool
    inherits: tuple[NameRef, ...]
    descriptor: Descriptor | None
    statements: tuple[WorkspaceStatement, ...]
    span: Span
    comment: str = ""
    is_partial: bool = False


class AlterWorkspace(Node, frozen=True, kw_only=True):
    """ALTER WORKSPACE."""

    workspace: NameRef
    statements: tuple[WorkspaceStatement, ...]
    span: Span
    comment: str = ""
    is_partial: bool = False


class UseWorkspace(Node, frozen=True, kw_only=True):
    """`USE WORKSPACE name`."""

    workspace: Name
    span: Span
    comment: str = ""


# --- roles, rights, rates


class Role(Node, frozen=True, kw_only=True):
    """ROLE."""

    name: Name
    published: bool
    span: Span
    comment: str = ""


class Tag(Node, frozen=True, kw_only=True):
    """TAG."""

    name: Name
    feature: Text | None
    span: Span
    comment: str = ""


class TargetKind(StrEnum):
    """The kind of thing a right or a limit is about."""

    COMMAND = "COMMAND"
    QUERY = "QUERY"
    TABLE = "TABLE"
    VIEW = "VIEW"


class Reach(StrEnum):
    """Whether a right or a limit is about one thing, all together, or each by itself."""

    ONE = "ONE"
    ALL = "ALL"
    EACH = "EACH"


class Target(Node, frozen=True):
    """What stands after ON: `name` is given for one thing, `tag` narrows all and each."""

    kind: TargetKind
    reach: Reach
    name: NameRef | None
    tag: NameRef | None
    span: Span


class Grant(Node, frozen=True, kw_only=True):
    """`GRANT ... TO role`, with actions on a target."""

    actions: tuple[ActionWord, ...]
    target: Target
    role: NameRef
    revoke: bool
    span: Span
    comment: str = ""


class GrantRole(Node, frozen=True, kw_only=True):
    """`GRANT granted TO role`: the role gets everything that `granted` may."""

    granted: NameRef
    role: NameRef
    revoke: bool
    span: Span
    comment: str = ""


class TimeUnit(StrEnum):
    """The unit of a rate's period."""

    SECOND = "SECOND"
    MINUTE = "MINUTE"
    HOUR = "HOUR"
    DAY = "DAY"
    YEAR = "YEAR"


class Rate(Node, frozen=True, kw_only=True):
    """RATE; `count` is a number or the name of a DECLAREd variable.

    `object_scope` is "APP PARTITION", "WORKSPACE" or empty, `subject_scope` "SUBJECT", "IP" or empty.
    """

    name: Name
    count: Number | NameRef
    period: Number | None
    unit: TimeUnit
    object_scope: str
    subject_scope: str
    span: Span
    comment: str = ""


class Limit(Node, frozen=True, kw_only=True):
    """LIMIT; no actions means all that fit the target."""

    name: Name
    actions: tuple[ActionWord, ...]
    target: Target
    rate: NameRef
    span: Span
    comment: str = ""


# --- files


class Import(Node, frozen=True, kw_only=True):
    """`IMPORT SCHEMA 'path' [AS alias]`."""

    path: Text
    alias: Name | None
    span: Span
    comment: str = ""


class Use(Node, frozen=True):
    """`USE package` in APPLICATION."""

    package: Name
    span: Span


class Application(Node, frozen=True, kw_only=True):
    """APPLICATION."""

    name: Name
    uses: tuple[Use, ...]
    span: Span
    comment: str = ""
    is_partial: bool = False


class Declare(Node, frozen=True, kw_only=True):
    """`DECLARE name int DEFAULT n`."""

    name: Name
    type: TypeUse
    default: Number
    span: Span
    comment: str = ""


class Template(Node, frozen=True, kw_only=True):
    """`TEMPLATE name OF WORKSPACE workspace SOURCE source`."""

    name: Name
    workspace: NameRef
    source: Name
    span: Span
    comment: str = ""


class Parameter(Node, frozen=True, kw_only=True):
    """`PARAMETER name type [DEFAULT ...]`, or with `secret` the same as SECRET (never a default)."""

    name: Name
    type: TypeUse
    default: Number | Fraction | Text | Constant | None
    secret: bool
    span: Span
    comment: str = ""


WorkspaceStatement = (
    Rate
    | View
    | UseWorkspace
    | Role
    | Tag
    | ExtensionBlock
    | Workspace
    | Table
    | TypeDeclaration
    | Limit
    | Grant
    | GrantRole
)

RootStatement = (
    Template
    | Role
    | ExtensionBlock
    | Workspace
    | AlterWorkspace
    | Application
    | Declare
    | Parameter
    | StateStorageBlock
)


class File(Node, frozen=True, kw_only=True):
    """One file of a package."""

    imports: tuple[Import, ...]
    statements: tuple[RootStatement, ...]
    is_partial: bool = False

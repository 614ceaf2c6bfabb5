from __future__ import annotations

from statehold_vsql.syntax.nodes._extensions import ExtensionBlock
from statehold_vsql.syntax.nodes._rights import Role
from statehold_vsql.syntax.nodes._storages import StateStorageBlock
from statehold_vsql.syntax.nodes._values import (
    Constant,
    Fraction,
    Name,
    NameRef,
    Node,
    Number,
    Span,
    Text,
    TypeUse,
)
from statehold_vsql.syntax.nodes._workspaces import AlterWorkspace, Workspace


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

from __future__ import annotations

from statehold_vsql.syntax.nodes._extensions import ExtensionBlock
from statehold_vsql.syntax.nodes._rights import Grant, GrantRole, Limit, Rate, Role, Tag
from statehold_vsql.syntax.nodes._tables import Table, TableItem, TypeDeclaration, View
from statehold_vsql.syntax.nodes._values import Name, NameRef, Node, Span


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

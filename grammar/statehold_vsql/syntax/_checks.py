"""What the grammar leaves open, so that the message can say more than "unexpected"."""

from __future__ import annotations

from statehold_vsql._fields import DataType
from statehold_vsql.syntax._reports import Reports
from statehold_vsql.syntax.nodes import (
    Action,
    AlterWorkspace,
    Declare,
    ExtensionBlock,
    File,
    Function,
    Grant,
    NameRef,
    Reach,
    Storage,
    TargetKind,
    Workspace,
    WorkspaceStatement,
)

_COLUMNS_OF_SYS = ("ID", "ParentID", "IsActive", "QName", "Container")
_OF_TABLES = frozenset(
    (Action.ALL, Action.SELECT, Action.INSERT, Action.UPDATE, Action.ACTIVATE, Action.DEACTIVATE)
)


def check_placement(tree: File, reports: Reports) -> None:
    """Report what stands in a place or a combination in which it cannot."""
    statements = tree.statements
    # After a syntax error, what stands at the root may be what is left of a workspace.
    read_well = not reports.diagnostics
    if tree.imports and statements:
        first = (statements[0].span.line, statements[0].span.column)
        for found in tree.imports:
            if (found.span.line, found.span.column) > first:
                reports.add("placement", "IMPORT must stand before all other statements", found.span)
    nested: list[WorkspaceStatement] = []
    for statement in statements:
        if isinstance(statement, ExtensionBlock):
            if read_well:
                _check_root_extensions(statement, reports)
        elif isinstance(statement, Workspace | AlterWorkspace):
            nested.extend(statement.statements)
        elif isinstance(statement, Declare):
            type_ = statement.type
            if isinstance(type_, NameRef) or type_.type is not DataType.INT32:
                reports.add("placement", "a variable can only be an int", type_.span)
    while nested:
        inner = nested.pop()
        if isinstance(inner, Workspace):
            nested.extend(inner.statements)
        elif isinstance(inner, Grant):
            _check_grant(inner, reports)
        elif isinstance(inner, ExtensionBlock):
            for item in inner.items:
                if isinstance(item, Storage):
                    reports.add(
                        "placement",
                        "STORAGE cannot be declared in a workspace",
                        item.span,
                        "move the block out of the workspace, to the root of the file",
                    )


def _check_root_extensions(block: ExtensionBlock, reports: Reports) -> None:
    for item in block.items:
        if not isinstance(item, Function | Storage):
            word = type(item).__name__.upper()
            reports.add(
                "placement",
                f"{word} must be declared in a workspace",
                item.span,
                "move the block into WORKSPACE ... ( ... )",
            )


def _check_grant(grant: Grant, reports: Reports) -> None:
    target, word = grant.target, "REVOKE" if grant.revoke else "GRANT"
    if target.reach is Reach.EACH:
        reports.add("placement", f"{word} cannot be about EACH, only about one or ALL", target.span)
        return
    if target.kind in (TargetKind.COMMAND, TargetKind.QUERY):
        fitting = frozenset((Action.EXECUTE,))
    elif target.kind is TargetKind.VIEW:
        fitting = frozenset((Action.SELECT,))
    else:
        fitting = _OF_TABLES
    on = f"{'ALL ' if target.reach is Reach.ALL else ''}{_worded(target.kind, target.reach)}"
    for given in grant.actions:
        if given.action not in fitting:
            allowed = ", ".join(sorted(fitting))
            reports.add("placement", f"{given.action} does not fit ON {on}: expected {allowed}", given.span)
        elif len(grant.actions) > 1 and (fitting is not _OF_TABLES or given.action is Action.ALL):
            reports.add("placement", f"{given.action} stands alone, not in a list", given.span)
        if given.columns and (target.reach is Reach.ALL or Action.EXECUTE in fitting):
            reports.add("placement", f"columns cannot be named ON {on}", given.span)
        for column in given.columns:
            if not column.package:
                continue
            if (
                target.kind is TargetKind.VIEW
                or column.package != "sys"
                or column.name not in _COLUMNS_OF_SYS
            ):
                names = ", ".join(f"sys.{name}" for name in _COLUMNS_OF_SYS)
                hint = "" if target.kind is TargetKind.VIEW else f"of the system fields there are {names}"
                reports.add("placement", f'"{column.text}" is no column', column.span, hint)


def _worded(kind: TargetKind, reach: Reach) -> str:
    if reach is not Reach.ALL:
        return kind.value
    return {"COMMAND": "COMMANDS", "QUERY": "QUERIES", "TABLE": "TABLES", "VIEW": "VIEWS"}[kind]

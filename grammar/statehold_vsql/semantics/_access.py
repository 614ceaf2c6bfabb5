from __future__ import annotations

from collections.abc import Collection

from statehold_vsql.appdef import AccessKind, AccessOperation, GrantDef, RightDef, RoleDef
from statehold_vsql.semantics._common import workspace_name
from statehold_vsql.semantics._model import Kind, Model, Place, Symbol
from statehold_vsql.semantics._names import Names
from statehold_vsql.semantics._report import Report
from statehold_vsql.syntax import nodes as n

TARGETS: dict[n.TargetKind, tuple[Kind, ...]] = {
    n.TargetKind.COMMAND: (Kind.COMMAND,),
    n.TargetKind.QUERY: (Kind.QUERY,),
    n.TargetKind.VIEW: (Kind.VIEW,),
    n.TargetKind.TABLE: (Kind.TABLE, Kind.DESCRIPTOR),
}


def check_grants(model: Model, names: Names, report: Report) -> tuple[GrantDef, ...]:
    """Check every GRANT and REVOKE, and that in no container one follows the other."""
    found: list[GrantDef] = []
    revoked: dict[Place, n.Grant | n.GrantRole] = {}
    for node, place in model.grants:
        first = revoked.get(place)
        if node.revoke:
            revoked.setdefault(place, node)
        elif first is not None:
            report.error(
                place,
                node.span,
                "grant-after-revoke",
                f"GRANT follows the REVOKE at {place.position(first.span)}; all of a workspace's rights "
                "are granted before any is revoked",
                "move it in front of the first REVOKE",
            )
        grant = _grant(node, place, names, report)
        if grant is not None:
            found.append(grant)
    return tuple(found)


def _grant(node: n.Grant | n.GrantRole, place: Place, names: Names, report: Report) -> GrantDef | None:
    role = names.find(node.role, place, Kind.ROLE)
    rights: tuple[RightDef, ...] = ()
    target: Symbol | None = None
    tag: Symbol | None = None
    if isinstance(node, n.GrantRole):
        kind = AccessKind.ROLE
        target = names.find(node.granted, place, Kind.ROLE)
    else:
        kind = AccessKind(node.target.kind.value)
        kinds = TARGETS[node.target.kind]
        if node.target.name is not None:
            target = names.find(node.target.name, place, *kinds, expected=kind.lower())
        if node.target.tag is not None:
            tag = names.find(node.target.tag, place, Kind.TAG)
        if target is not None:
            _check_columns(node, place, target, report)
        rights = tuple(right for word in node.actions for right in _rights(word, kind))
    if role is None or place.workspace is None:
        return None
    return GrantDef(
        workspace=place.workspace.symbol.qname,
        role=role.qname,
        kind=kind,
        rights=rights,
        target=target.qname if target is not None else None,
        tag=tag.qname if tag is not None else None,
        revoke=node.revoke,
        position=place.position(node.span),
    )


def _rights(word: n.ActionWord, kind: AccessKind) -> list[RightDef]:
    columns = tuple(column.text for column in word.columns)
    if word.action is n.Action.ALL:
        return [RightDef(operation, columns) for operation in kind.operations]
    return [RightDef(AccessOperation(word.action.value), columns)]


def _check_columns(node: n.Grant, place: Place, target: Symbol, report: Report) -> None:
    columns = [column for word in node.actions for column in word.columns if not column.package]
    if not columns:
        return
    known: Collection[str]
    if target.kind is Kind.VIEW:
        known = target.info
    else:
        if target.info.is_incomplete:
            return
        known = target.info.fields
    for column in columns:
        if column.name in known or column.name in target.place.package.damaged:
            continue
        if target.kind is not Kind.VIEW and column.name in target.info.containers:
            continue
        report.error(
            place,
            column.span,
            "undefined-field",
            f"{target.title} has no field {column.name}",
            report.nearest_field(column.name, known),
        )


def check_role(symbol: Symbol, report: Report) -> RoleDef:
    """Check that a role belongs to a workspace."""
    if symbol.place.workspace is None and not symbol.place.is_lost:
        report.error(
            symbol.place,
            symbol.head,
            "role-outside-workspace",
            f"ROLE {symbol.name} is declared outside of a workspace, but roles act in workspaces",
            "move it into the WORKSPACE whose grants name it",
        )
    return RoleDef(
        name=symbol.qname,
        workspace=workspace_name(symbol.place),
        published=symbol.node.published,
        comment=symbol.node.comment,
        position=symbol.position,
    )

from __future__ import annotations

from statehold_vsql.appdef import TemplateDef
from statehold_vsql.semantics._model import Kind, Model, Place, Symbol, WorkspaceInfo
from statehold_vsql.semantics._names import Names
from statehold_vsql.semantics._report import Report
from statehold_vsql.syntax import nodes as n

# Each keeps a bit for each that it inherits from.
_MOST_WORKSPACES = 10_000


def link_workspaces(model: Model, names: Names, report: Report) -> None:
    """Resolve INHERITS, ALTER WORKSPACE and USE WORKSPACE, and check what may be combined."""
    for info in model.workspaces:
        _inherit(model, info, names, report)
    for info in model.workspaces[_MOST_WORKSPACES:]:
        info.is_lost = True
        info.inherits.clear()
    if len(model.workspaces) > _MOST_WORKSPACES:
        symbol = model.workspaces[_MOST_WORKSPACES].symbol
        message = f"workspace {symbol.qname} is one too many: there can be {_MOST_WORKSPACES}"
        report.error(
            symbol.place, symbol.head, "too-many", message, "what they inherit is not checked from here on"
        )
    _close(model, report)
    for alter, place, inner in model.alters:
        _alter(alter, place, inner, names, report)
    for use, place in model.used_workspaces:
        _use(use, place, names, report)
    for info in model.workspaces:
        outer = info.symbol.place.workspace
        if outer is not None:
            outer.uses.append(info.symbol.qname)
    if model.sys is None and model.workspaces and not model.is_partial:
        first = model.workspaces[0].symbol
        names.package(n.NameRef("sys", "Workspace", first.head), first.place)


def _inherit(model: Model, info: WorkspaceInfo, names: Names, report: Report) -> None:
    symbol = info.symbol
    if info.node.abstract and info.node.descriptor is not None:
        report.error(
            symbol.place,
            info.node.descriptor.span,
            "abstract-descriptor",
            f"abstract workspace {symbol.qname} has a DESCRIPTOR, but there are no workspaces of its kind",
            "remove the DESCRIPTOR, or the word ABSTRACT",
        )
    for ref in info.node.inherits:
        base = names.find(ref, symbol.place, Kind.WORKSPACE)
        if base is None:
            info.is_lost = True
            continue
        base_info: WorkspaceInfo = base.info
        if base_info is model.sys_workspace:
            report.error(
                symbol.place,
                ref.span,
                "inherits-sys-workspace",
                f"workspace {symbol.qname} INHERITS sys.Workspace, which every workspace does by itself",
                "leave it out",
            )
            continue
        if not base_info.node.abstract and base_info is not info:
            report.error(
                symbol.place,
                ref.span,
                "base-not-abstract",
                f"workspace {symbol.qname} INHERITS {base.qname}, which is not abstract",
                f"make it ABSTRACT WORKSPACE {base.name} (at {base.position})",
            )
        info.inherits.append(base_info)


def _close(model: Model, report: Report) -> None:
    """Work out who inherits from whom, however far, and report circles."""
    closed: set[int] = set()
    entered: set[int] = set()
    for start in model.workspaces:
        stack = [start]
        while stack:
            info = stack[-1]
            if info.index not in entered:
                entered.add(info.index)
                for base in info.inherits:
                    if base.index not in entered:
                        stack.append(base)
                    elif base.index not in closed:
                        _circle(info, base, report)
                continue
            stack.pop()
            if info.index in closed:
                continue
            closed.add(info.index)
            for base in info.inherits:
                if base.index >= _MOST_WORKSPACES:
                    info.is_lost = True
                    continue
                info.ancestors |= base.ancestors | 1 << base.index
                info.is_lost = info.is_lost or base.is_lost


def _circle(info: WorkspaceInfo, base: WorkspaceInfo, report: Report) -> None:
    info.is_lost = True
    at = info.inherits.index(base)
    refs = [ref for ref in info.node.inherits if ref.name == base.symbol.name]
    report.error(
        info.symbol.place,
        refs[0].span if refs else info.node.inherits[at].span,
        "circular-inherits",
        f"workspace {info.symbol.qname} INHERITS {base.symbol.qname}, which inherits from it in turn",
        "break the circle at one of its INHERITS",
    )


def _alter(node: n.AlterWorkspace, place: Place, inner: Place, names: Names, report: Report) -> None:
    symbol = names.find(node.workspace, place, Kind.WORKSPACE)
    if symbol is None:
        return
    info: WorkspaceInfo = symbol.info
    inner.workspace = info
    inner.is_lost = False
    if not info.node.alterable and symbol.place.package is not place.package:
        report.error(
            place,
            node.workspace.span,
            "not-alterable",
            f"workspace {symbol.qname} is not ALTERABLE, so another package cannot add to it",
            f"make it ALTERABLE WORKSPACE {symbol.name} (at {symbol.position})",
        )


def _use(node: n.UseWorkspace, place: Place, names: Names, report: Report) -> None:
    ref = n.NameRef("", node.workspace.text, node.workspace.span)
    symbol: Symbol | None = names.find(ref, place, Kind.WORKSPACE)
    if symbol is None or place.workspace is None:
        return
    if symbol.node.abstract:
        report.error(
            place,
            ref.span,
            "use-of-abstract",
            f"workspace {symbol.qname} is abstract, so none of its kind can be made here",
            "USE a workspace that inherits from it",
        )
        return
    place.workspace.uses.append(symbol.qname)


def check_template(symbol: Symbol, names: Names, report: Report) -> TemplateDef:
    """Return a template; for a workspace that is not declared there is only a warning."""
    node: n.Template = symbol.node
    workspace = names.look_up(node.workspace, symbol.place, Kind.WORKSPACE)
    if workspace is None:
        message = f"template {symbol.name} is for workspace {node.workspace.text}, which is not declared"
        report.warning(symbol.place, node.workspace.span, "undefined-workspace", message)
    return TemplateDef(
        name=symbol.qname,
        workspace=workspace.qname if workspace is not None else None,
        source=node.source.text,
        comment=node.comment,
        position=symbol.position,
    )

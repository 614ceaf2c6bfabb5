from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from statehold_vsql.appdef import QName
from statehold_vsql.semantics._model import Kind, Model, Place, SourceFile, Symbol, WorkspaceInfo, head
from statehold_vsql.semantics._report import Report
from statehold_vsql.syntax import nodes as n

_KINDS: dict[type, Kind] = {
    n.Storage: Kind.STORAGE,
    n.Parameter: Kind.PARAMETER,
    n.Table: Kind.TABLE,
    n.TypeDeclaration: Kind.TYPE,
    n.View: Kind.VIEW,
    n.Command: Kind.COMMAND,
    n.Query: Kind.QUERY,
    n.Projector: Kind.PROJECTOR,
    n.Job: Kind.JOB,
    n.Function: Kind.FUNCTION,
    n.Role: Kind.ROLE,
    n.Tag: Kind.TAG,
    n.Rate: Kind.RATE,
    n.Limit: Kind.LIMIT,
    n.Declare: Kind.VARIABLE,
    n.Template: Kind.TEMPLATE,
}


def declare_names(model: Model, report: Report) -> None:
    """Gather every named statement, and report names that are declared twice in a package."""
    for package in model.packages:
        for file in package.files:
            _Declarer(model, report, file).declare_all()
    if model.sys is not None:
        found = model.sys.symbols.get("Workspace")
        if found is not None and found.kind is Kind.WORKSPACE and found.place.workspace is None:
            model.sys_workspace = found.info


class _Declarer:
    """Walks the statements of one file in the order of the text, nested ones included."""

    def __init__(self, model: Model, report: Report, file: SourceFile) -> None:
        self._model = model
        self._report = report
        self._file = file
        # A stack of its own, as workspaces may be nested deeper than Python's.
        self._open: list[tuple[Iterator[Any], Place]] = []

    def declare_all(self) -> None:
        self._open.append((iter(self._file.parsed.tree.statements), Place(self._file)))
        while self._open:
            statements, place = self._open[-1]
            for node in statements:
                if self._statement(node, place):
                    break
            else:
                self._open.pop()

    def _statement(self, node: Any, place: Place) -> bool:
        """Declare a statement; return whether it has opened a body that comes next."""
        kind = _KINDS.get(type(node))
        if kind is not None:
            symbol = self._declare(kind, node.name, node, place)
            if kind is Kind.TABLE:
                self._nested_tables(symbol)
        elif isinstance(node, n.ExtensionBlock | n.StateStorageBlock):
            for item in node.items if isinstance(node, n.ExtensionBlock) else node.storages:
                self._declare(_KINDS[type(item)], item.name, item, place, outer=node)
        elif isinstance(node, n.Workspace):
            self._open.append((iter(node.statements), self._workspace(node, place)))
            return True
        elif isinstance(node, n.AlterWorkspace):
            # Which workspace that is shows only when all are known.
            inner = Place(self._file, is_lost=True, is_alter=True)
            self._model.alters.append((node, place, inner))
            self._open.append((iter(node.statements), inner))
            return True
        elif isinstance(node, n.Grant | n.GrantRole):
            self._model.grants.append((node, place))
        elif isinstance(node, n.UseWorkspace):
            self._model.used_workspaces.append((node, place))
        return False

    def _workspace(self, node: n.Workspace, place: Place) -> Place:
        symbol = self._declare(Kind.WORKSPACE, node.name, node, place)
        info = WorkspaceInfo(symbol, len(self._model.workspaces))
        symbol.info = info
        self._model.workspaces.append(info)
        inner = Place(self._file, info)
        descriptor = node.descriptor
        if descriptor is not None:
            name = descriptor.name or n.Name(f"{node.name.text}Descriptor", head(descriptor))
            info.descriptor = self._declare(Kind.DESCRIPTOR, name, descriptor, inner)
            self._nested_tables(info.descriptor)
        return inner

    def _nested_tables(self, root: Symbol) -> None:
        stack = [(root, iter(root.node.items))]
        while stack:
            outer, items = stack[-1]
            for item in items:
                if isinstance(item, n.NestedTable):
                    nested = self._declare(Kind.TABLE, item.table.name, item.table, root.place, outer=outer)
                    stack.append((nested, iter(item.table.items)))
                    break
            else:
                stack.pop()

    def _declare(self, kind: Kind, name: n.Name, node: Any, place: Place, outer: Any = None) -> Symbol:
        package = self._file.package
        symbol = Symbol(kind, name.text, node, place, QName(package.name, name.text), outer)
        self._model.symbols.append(symbol)
        first = package.symbols.setdefault(name.text, symbol)
        if first is not symbol:
            symbol.is_broken = True
            package.redefined.add(name.text)
            self._report.error(
                place,
                symbol.head,
                "duplicate-name",
                f"{kind} {name} has the name of another {first.kind} of this package"
                if kind is first.kind
                else f"{kind} {name} has the name of a {first.kind} of this package",
                f"names are unique in a package; {first.kind} {name} is declared at {first.position}",
            )
        return symbol

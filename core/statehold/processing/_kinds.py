from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

import attrs

from statehold.processing._errors import UnknownError
from statehold_vsql import ExtensionKind
from statehold_vsql.appdef import AccessKind, AppDef, QName

T = TypeVar("T")

_ROOT = QName("sys", "Workspace")
_EXTENSIONS = {ExtensionKind.COMMAND: AccessKind.COMMAND, ExtensionKind.QUERY: AccessKind.QUERY}


@attrs.frozen(kw_only=True, eq=False)
class Thing:
    """Something that rights and limits are about.

    Attributes:
        kind: what it is.
        name: its qualified name.
        workspace: where it is declared.
        tags: its marks.
        fields: its columns, without those of the system.

    """

    kind: AccessKind
    name: str
    workspace: QName
    tags: frozenset[QName]
    fields: frozenset[str] = frozenset()


@attrs.frozen(kw_only=True, eq=False)
class Kind:
    """A kind of workspace, and all that is to be found in workspaces of that kind.

    Attributes:
        name: its qualified name.
        lineage: the kinds it stands on, from `sys.Workspace` to itself.
        things: its commands, queries, tables and views, inherited ones too, by name.
        roles: the roles that it knows.

    """

    name: str
    lineage: tuple[QName, ...]
    things: Mapping[str, Thing]
    roles: frozenset[str]

    def select(
        self, workspace: QName, kind: AccessKind, target: QName | None, tag: QName | None
    ) -> tuple[Thing, ...]:
        """Return what a GRANT or LIMIT of *workspace* is about.

        That is the thing called *target*, or what has the *tag*, wherever in the lineage it is declared; or
        else all that *workspace* itself declares, not what other kinds add that inherit it.
        """
        if target is not None:
            thing = self.things.get(str(target))
            return (thing,) if thing is not None and thing.kind is kind else ()
        return tuple(
            thing
            for thing in self.things.values()
            if thing.kind is kind and (thing.workspace == workspace if tag is None else tag in thing.tags)
        )


class ByKind(Generic[T]):
    """What is compiled for each kind of workspace of an app, once it is first asked for."""

    def __init__(self, appdef: AppDef, build: Callable[[AppDef, Kind], T]) -> None:
        self._appdef = appdef
        self._build = build
        self._kinds: dict[str, T] = {}

    def of(self, kind: str) -> T:
        """Return what there is for workspaces of a kind, given by its qualified name.

        Raises:
            UnknownError: the app has no such kind of workspace.

        """
        found = self._kinds.get(kind)
        if found is None:
            compiled = compile_kind(self._appdef, kind)
            if compiled is None:
                raise UnknownError(
                    f"the app has no kind of workspace {kind!r}",
                    qname=kind,
                    hint="Deploy a version that declares it: a workspace of that kind is stored",
                )
            found = self._kinds.setdefault(kind, self._build(self._appdef, compiled))
        return found


def compile_kind(appdef: AppDef, name: str) -> Kind | None:
    """Return a kind of workspace by its qualified name, None if the app has none of that name."""
    found = next((one for one in appdef.workspaces if str(one) == name), None)
    if found is None:
        return None
    lineage = tuple(dict.fromkeys((_ROOT, *_lineage(appdef, found))))
    return Kind(
        name=name,
        lineage=lineage,
        things={thing.name: thing for thing in _things(appdef) if thing.workspace in lineage},
        roles=frozenset(str(role.name) for role in appdef.roles.values() if role.workspace in lineage),
    )


def _lineage(appdef: AppDef, name: QName) -> Iterator[QName]:
    workspace = appdef.workspaces.get(name)
    if workspace is not None:
        for base in workspace.inherits:
            yield from _lineage(appdef, base)
    yield name


def _things(appdef: AppDef) -> Iterator[Thing]:
    for extension in appdef.extensions.values():
        kind = _EXTENSIONS.get(extension.kind)
        if kind is not None and extension.workspace is not None:
            yield Thing(
                kind=kind,
                name=str(extension.name),
                workspace=extension.workspace,
                tags=frozenset(extension.tags),
            )
    for table in appdef.tables.values():
        yield Thing(
            kind=AccessKind.TABLE,
            name=str(table.name),
            workspace=table.workspace,
            tags=frozenset(table.tags),
            fields=frozenset(field.name for field in table.fields)
            | frozenset(container.name for container in table.containers),
        )
    for view in appdef.views.values():
        fields = (*view.partition_key, *view.clustering_columns, *view.values)
        yield Thing(
            kind=AccessKind.VIEW,
            name=str(view.name),
            workspace=view.workspace,
            tags=frozenset(view.tags),
            fields=frozenset(field.name for field in fields),
        )

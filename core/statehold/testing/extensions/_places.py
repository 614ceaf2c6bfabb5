from __future__ import annotations

from difflib import get_close_matches

from statehold.events import PartitionData, Schemas, create_workspace
from statehold.extensions.python import RESERVED, attribute_paths
from statehold.sdk import DataType, StateholdError
from statehold_vsql import ExtensionKind
from statehold_vsql.appdef import AppDef, ExtensionDef, QName

_APP_KIND = "sys.AppWorkspaceWS"
_APP = 1
_FIRST = 65_537
_MADE_UP = {
    DataType.TEXT: "made up",
    DataType.QNAME: "sys.MadeUp",
    DataType.BYTES: "",
    DataType.BOOL: False,
}


class Places:
    """Finds what a test names: storages and extensions as the code names them, and workspaces to be in.

    Attributes:
        package: the package whose names need no package before them.

    """

    def __init__(self, schemas: Schemas, data: PartitionData, *, registered_at: int) -> None:
        appdef: AppDef = schemas.appdef
        self._schemas = schemas
        self._data = data
        self._registered_at = registered_at
        self._made: dict[str, int] = {}
        self._next = _FIRST
        self.package = next(
            (name.package for name in appdef.extensions if name.package != "sys"),
            next((package for package in appdef.packages if package != "sys"), "sys"),
        )
        uses = [
            (str(name), entity)
            for name, storage in appdef.storages.items()
            for entity in (
                *(map(str, appdef.tables) if storage.entity_record else ()),
                *(map(str, appdef.views) if storage.entity_view else ()),
                *((None,) if not storage.entity_record and not storage.entity_view else ()),
            )
        ]
        #: How the code names each storage and entity.
        self.names = {
            use: ".".join(path)
            for use, path in attribute_paths(self.package, uses, reserved=RESERVED).items()
        }
        self._storages = {name: use for use, name in self.names.items()}

    def storage(self, name: str) -> tuple[str, str | None]:
        """Return the storage and the entity that the code calls *name*: `Bills`, `View.Turnover`."""
        found = self._storages.get(name)
        if found is None:
            near = get_close_matches(name, self._storages, n=1)
            raise StateholdError(
                f"the app has no storage {name!r}",
                hint=f"Did you mean {near[0]!r}?" if near else f"It has: {', '.join(self._storages)}",
            )
        return found

    def table(self, name: str) -> str:
        """Return the qualified name of the table that the code calls *name*."""
        return self.storage(name if name.startswith("Record.") else f"Record.{name}")[1] or ""

    def extension(self, name: str, kind: ExtensionKind) -> ExtensionDef:
        """Return the extension of a kind by its name."""
        extensions = self._schemas.appdef.extensions
        found = extensions.get(QName(*(name if "." in name else f"{self.package}.{name}").split(".", 1)))
        if found is None or found.kind is not kind:
            names = [
                each.name if each.package == self.package else str(each)
                for each, definition in extensions.items()
                if definition.kind is kind
            ]
            near = get_close_matches(name, names, n=1)
            what = "nothing" if found is None else f"a {found.kind}"
            raise StateholdError(
                f"expected the name of a {kind}, and {name!r} is {what}",
                hint=f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(names) or 'none'}",
            )
        return found

    def workspace(self, member: QName | str | None) -> int:
        """Return a workspace that has a table, a view or an extension; it is made when it is first needed.

        Without a member it is one of the first kind that the app declares.
        """
        kinds = self._kinds(None if member is None else str(member))
        if not kinds:
            raise StateholdError(f"no kind of workspace has {member}", hint="Declare it in a WORKSPACE")
        kind = next((kind for kind in self._made if kind in kinds), kinds[0])
        return self._made[kind] if kind in self._made else self.make_workspace(kind)

    def make_workspace(self, kind: str, **descriptor: object) -> int:
        """Make a workspace of a kind and return its id; required fields that are not given are made up."""
        if kind == _APP_KIND:
            self._made[kind] = _APP
            return _APP
        definition = self._schemas.appdef.workspaces.get(QName(*kind.split(".", 1)))
        if definition is None or definition.abstract:
            kinds = self._kinds(None)
            near = get_close_matches(kind, kinds, n=1)
            raise StateholdError(
                f"expected a kind of workspace that can be made, got {kind!r}",
                hint=f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(kinds)}",
            )
        workspace = self._next
        self._next += 1
        fields = dict(descriptor)
        if definition.descriptor is not None:
            table = self._schemas.appdef.tables[definition.descriptor]
            fields = {
                field.name: _MADE_UP.get(field.field.type, 0)
                for field in table.fields
                if field.field.required
            } | fields
        unit = self._data.begin(self._schemas)
        create_workspace(
            unit,
            workspace,
            kind=kind,
            name=f"a {kind}",
            registered_at=self._registered_at,
            descriptor=fields,
        )
        unit.commit()
        self._made.setdefault(kind, workspace)
        return workspace

    def _kinds(self, member: str | None) -> list[str]:
        """Return the kinds of workspaces that can be made and have *member*, those of the app first."""
        kinds = [
            str(name)
            for name, kind in self._schemas.appdef.workspaces.items()
            if not kind.abstract and (member is None or member in self._schemas.members[str(name)])
        ]
        return sorted(
            kinds, key=lambda kind: (kind.startswith("sys.") and kind != _APP_KIND, kind == _APP_KIND)
        )

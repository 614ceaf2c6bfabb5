from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from statehold.events import Schemas, Shape, Triggers
from statehold.hosting import AppVersion
from statehold.processing._errors import RequestError, UnknownError
from statehold.processing._failure import refused
from statehold.processing._limits import Limits
from statehold.processing._rights import Rights
from statehold.sdk import SchemaError, Value
from statehold_vsql import ExtensionKind
from statehold_vsql.appdef import ANY, AppDef, ExtensionDef, QName

_WHAT: Final = {ExtensionKind.COMMAND: "command", ExtensionKind.QUERY: "query", ExtensionKind.JOB: "job"}


@attrs.frozen(eq=False)
class Argument:
    """What a command or query takes: a type or table, anything, or nothing."""

    name: str
    type: QName | None
    shape: Shape | None

    def from_json(self, given: Mapping[str, Any] | None, part: str) -> Value | Mapping[str, Any] | None:
        """Return the argument that a request says.

        Raises:
            RequestError: it does not fit.

        """
        if self.shape is not None:
            try:
                return self.shape.from_json(given if given is not None else {})
            except SchemaError as error:
                raise refused(error, self.name) from error
        if self.type is None:
            if given:
                raise RequestError(
                    f"{self.name} takes no {part}, got {', '.join(map(repr, given))!s:.200}", qname=self.name
                )
            return None
        if given is not None and not isinstance(given, Mapping):
            raise RequestError(f"{self.name}: {part}: expected an object, got {given!r:.80}", qname=self.name)
        return given


@attrs.frozen(eq=False)
class Called:
    """A command, query or job of one version.

    Attributes:
        name: the qualified name.
        definition: its declaration.
        argument: what it takes.
        unlogged: what a command takes that is not logged.
        result: the shape of what it returns; None for nothing and for anything.
        returns_any: whether it may return anything.

    """

    name: str
    definition: ExtensionDef
    argument: Argument
    unlogged: Argument
    result: Shape | None
    returns_any: bool


class Parts:
    """What the runtime has compiled of one version of an app.

    Attributes:
        app: the app's name.
        app_workspaces: how many workspaces the app itself has.
        appdef: its compiled declarations.
        schemas: the shapes of its tables, views and types.
        rights: its GRANTs.
        limits: its LIMITs.
        triggers: which projectors an event wakes.
        projectors: the asynchronous projectors that this host runs, by name, in the order of declaration.
        jobs: the jobs that this host runs, likewise.

    """

    def __init__(self, version: AppVersion) -> None:
        # Not the version itself: what is compiled of it is remembered for as long as that lives.
        self.app = version.app
        self.app_workspaces = version.app_workspaces
        self.appdef: AppDef = version.appdef
        appdef = self.appdef
        self.schemas: Schemas = version.schemas
        self.rights = Rights(appdef)
        self.limits = Limits(appdef)
        self.triggers = Triggers(self.schemas)
        not_run = {str(extension.name) for extension in version.not_run}
        ran = {
            str(extension.name): extension
            for extension in appdef.extensions.values()
            if str(extension.name) not in not_run
        }
        self.projectors: Mapping[str, ExtensionDef] = {
            name: extension
            for name, extension in ran.items()
            if extension.kind is ExtensionKind.PROJECTOR and not extension.sync
        }
        self.jobs: Mapping[str, ExtensionDef] = {
            name: extension for name, extension in ran.items() if extension.kind is ExtensionKind.JOB
        }
        self._extensions = {str(name): extension for name, extension in appdef.extensions.items()}
        self._callables: dict[tuple[ExtensionKind, str], Called] = {}

    def find(self, kind: ExtensionKind, name: str) -> Called:
        """Return a command, query or job by its qualified name.

        Raises:
            UnknownError: the version has none.

        """
        found = self._callables.get((kind, name))
        if found is None:
            definition = self._extensions.get(name)
            if definition is None or definition.kind is not kind:
                but = f": it is a {definition.kind}" if definition is not None else ""
                raise UnknownError(f"{self.app} has no {_WHAT[kind]} {name!r:.200}{but}", qname=name[:200])
            found = self._callables.setdefault((kind, name), self._compile(name, definition))
        return found

    def _compile(self, name: str, definition: ExtensionDef) -> Called:
        returns = definition.returns
        return Called(
            name=name,
            definition=definition,
            argument=self._argument(name, definition.parameter),
            unlogged=self._argument(name, definition.unlogged),
            result=None if returns is None or returns == ANY else self.schemas[returns],
            returns_any=returns == ANY,
        )

    def _argument(self, name: str, kind: QName | None) -> Argument:
        return Argument(name, kind, None if kind is None or kind == ANY else self.schemas[kind])

from __future__ import annotations

from collections.abc import Iterable

from statehold.events._event import Event
from statehold.events._schemas import Schemas
from statehold_vsql import ExtensionKind
from statehold_vsql.appdef import ExtensionDef


class Triggers:
    """Which projectors an event wakes.

    A projector is woken in workspaces whose kind has it, by an event that has one of its triggers: the
    command (EXECUTE), the type of the argument (EXECUTE WITH PARAM), a new record (INSERT), a change of any
    field but `sys.IsActive` (UPDATE), or one of that field (ACTIVATE, DEACTIVATE). A trigger on an abstract
    table, such as `sys.WRecord`, is one on all tables that inherit it or are of its kind. An event of
    a command that failed wakes only projectors INCLUDING ERRORS: those with a trigger on the command, on
    its argument, or on a table that the command may INSERT or UPDATE.
    """

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._projectors = {
            str(extension.name): extension
            for extension in schemas.appdef.extensions.values()
            if extension.kind is ExtensionKind.PROJECTOR
        }

    def sync(self, event: Event, kind: str) -> list[ExtensionDef]:
        """Return the SYNC projectors that an event of a workspace of *kind* wakes, in order of declaration."""
        return []

    def wakes(self, projector: str, event: Event, kind: str) -> bool:
        """Return whether an event of a workspace of *kind* wakes the projector of a qualified name."""
        return False

    def wants_error(self, command: str, argument: str, tables: Iterable[str], kind: str) -> bool:
        """Return whether any projector waits for the failure of a command, so that it is to be logged.

        Args:
            command: its qualified name.
            argument: the qualified name of its argument's type, empty for none.
            tables: the qualified names of the tables it was going to change.
            kind: the kind of the workspace.

        """
        return False

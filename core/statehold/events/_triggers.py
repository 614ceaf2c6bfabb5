from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from statehold.events._event import Cud, Event
from statehold.events._schemas import Schemas
from statehold_vsql import ExtensionKind
from statehold_vsql.appdef import ExtensionDef, QName, TriggerAction

_RECORD: Final = QName("sys", "Record")
_OF_TABLES: Final = (
    TriggerAction.INSERT,
    TriggerAction.UPDATE,
    TriggerAction.ACTIVATE,
    TriggerAction.DEACTIVATE,
)


#: How many kinds of events are kept in mind.
_KEPT: Final = 10_000

#: Whether a cud is an INSERT, an UPDATE, an ACTIVATE, a DEACTIVATE.
_Change: TypeAlias = tuple[bool, bool, bool, bool]
_Likeness: TypeAlias = tuple[str, str, str, str | None, frozenset[tuple[str, _Change]]]
_INSERT: Final[_Change] = (True, False, False, False)


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
            str(extension.name): _Projector(extension)
            for extension in schemas.appdef.extensions.values()
            if extension.kind is ExtensionKind.PROJECTOR
        }
        self.has_sync = any(each.definition.sync for each in self._projectors.values())
        self._woken: dict[_Likeness, tuple[frozenset[str], tuple[ExtensionDef, ...]]] = {}

    def sync(self, event: Event, kind: str) -> Sequence[ExtensionDef]:
        """Return the SYNC projectors that an event of a workspace of *kind* wakes, as they are declared."""
        return self._of(event, kind)[1] if self.has_sync else ()

    def wakes(self, projector: str, event: Event, kind: str) -> bool:
        """Return whether an event of a workspace of *kind* wakes the projector of a qualified name."""
        return projector in self._of(event, kind)[0]

    def wants_error(self, command: str, argument: str, kind: str) -> bool:
        """Return whether any projector waits for the failure of a command, so that it is to be logged.

        Args:
            command: its qualified name.
            argument: the qualified name of its argument's type, empty for none.
            kind: the kind of the workspace.

        """
        members = self._schemas.members.get(kind, ())
        waiting = [
            each
            for each in self._projectors.values()
            if each.definition.including_errors and each.name in members
        ]
        if not waiting:
            return False
        signs = self._signs_of_error(command, argument)
        return any(not each.signs.isdisjoint(signs) for each in waiting)

    def _of(self, event: Event, kind: str) -> tuple[frozenset[str], tuple[ExtensionDef, ...]]:
        """Return the names of all projectors that an event wakes, and those that are SYNC.

        Most events are like another one: of the same command, with the same changes of the same tables.
        """
        error = event.error
        changes = frozenset([(cud.table, _change(cud)) for cud in event.cuds])
        likeness = kind, event.name, event.argument_name, None if error is None else error.command, changes
        found = self._woken.get(likeness)
        if found is None:
            if len(self._woken) >= _KEPT:
                self._woken.clear()
            members = self._schemas.members.get(kind, frozenset())
            signs = self._signs(event, changes)
            woken = [
                each
                for each in self._projectors.values()
                if each.name in members and each.is_woken(event, signs)
            ]
            found = (
                frozenset(each.name for each in woken),
                tuple(each.definition for each in woken if each.definition.sync),
            )
            self._woken[likeness] = found
        return found

    def _signs(self, event: Event, changes: Iterable[tuple[str, _Change]]) -> set[str]:
        if event.error is not None:
            return self._signs_of_error(event.error.command, event.argument_name)
        signs = {f"{TriggerAction.EXECUTE} {event.name}"}
        if event.argument_name:
            signs.add(f"{TriggerAction.EXECUTE_WITH_PARAM} {event.argument_name}")
        for table, change in changes:
            actions = [action for action, is_one in zip(_OF_TABLES, change, strict=True) if is_one]
            signs.update(f"{action} {each}" for action in actions for each in self._schemas[table].lineage)
        return signs

    def _signs_of_error(self, command: str, argument: str) -> set[str]:
        signs = {f"{TriggerAction.EXECUTE} {command}", f"{TriggerAction.EXECUTE_WITH_PARAM} {argument}"}
        definition = self._schemas.appdef.extensions.get(QName(*command.split(".", 1)))
        for use in () if definition is None else definition.intents:
            if use.storage == _RECORD:
                tables = (table for entity in use.entities for table in self._schemas[entity].lineage)
                signs.update(f"{action} {table}" for table in tables for action in _OF_TABLES)
        return signs


def _change(cud: Cud) -> _Change:
    if cud.is_new:
        return _INSERT
    is_active = cud.changes.get("sys.IsActive")
    return False, len(cud.changes) > (is_active is not None), is_active is True, is_active is False


class _Projector:
    """A projector, and the signs by which it knows an event that wakes it."""

    def __init__(self, definition: ExtensionDef) -> None:
        self.definition = definition
        self.name = str(definition.name)
        self.signs = frozenset(
            f"{action} {target}"
            for trigger in definition.triggers
            for action in trigger.actions
            for target in trigger.targets
        )

    def is_woken(self, event: Event, signs: set[str]) -> bool:
        if event.error is not None and not self.definition.including_errors:
            return False
        return not self.signs.isdisjoint(signs)

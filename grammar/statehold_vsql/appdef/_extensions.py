from __future__ import annotations

from enum import StrEnum

import attrs

from statehold_vsql._fields import DataType
from statehold_vsql._words import ExtensionEngine, ExtensionKind
from statehold_vsql.appdef._names import Position, QName
from statehold_vsql.appdef._storages import StorageUse

#: The parameter or result of an extension that takes or returns any type.
ANY = QName("sys", "any")


class TriggerAction(StrEnum):
    """What a projector waits for."""

    EXECUTE = "EXECUTE"
    EXECUTE_WITH_PARAM = "EXECUTE WITH PARAM"
    INSERT = "INSERT"
    UPDATE = "UPDATE"
    ACTIVATE = "ACTIVATE"
    DEACTIVATE = "DEACTIVATE"


@attrs.frozen(kw_only=True)
class TriggerDef:
    """One AFTER of a projector: any of the actions on any of the commands, types or tables."""

    actions: tuple[TriggerAction, ...]
    targets: tuple[QName, ...]


@attrs.frozen
class ArgumentDef:
    """One argument of a function; its name is empty where the declaration gives none."""

    name: str
    type: DataType | QName


@attrs.frozen(kw_only=True)
class ExtensionDef:
    """A command, query, projector, job or function, and the storages it says it uses.

    `parameter`, `unlogged` and `returns` name types or tables, or are `ANY`; None is void. `triggers`
    and `including_errors` are of projectors, `schedule` (five fields, or a descriptor such as
    `@daily`) is of jobs, `arguments` and `result` are of functions.
    """

    name: QName
    kind: ExtensionKind
    engine: ExtensionEngine
    workspace: QName | None = None
    state: tuple[StorageUse, ...] = ()
    intents: tuple[StorageUse, ...] = ()
    sync: bool = False
    parameter: QName | None = None
    unlogged: QName | None = None
    returns: QName | None = None
    triggers: tuple[TriggerDef, ...] = ()
    including_errors: bool = False
    schedule: str | None = None
    arguments: tuple[ArgumentDef, ...] = ()
    result: DataType | QName | None = None
    tags: tuple[QName, ...] = ()
    comment: str = ""
    position: Position

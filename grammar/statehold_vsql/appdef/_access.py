from __future__ import annotations

from enum import StrEnum

import attrs

from statehold_vsql.appdef._names import Position, QName


class AccessOperation(StrEnum):
    """What a role may do, or a limit counts."""

    EXECUTE = "EXECUTE"
    SELECT = "SELECT"
    INSERT = "INSERT"
    UPDATE = "UPDATE"
    ACTIVATE = "ACTIVATE"
    DEACTIVATE = "DEACTIVATE"


class AccessKind(StrEnum):
    """The kinds of things that grants and limits are about."""

    COMMAND = "COMMAND"
    QUERY = "QUERY"
    TABLE = "TABLE"
    VIEW = "VIEW"
    ROLE = "ROLE"

    @property
    def operations(self) -> tuple[AccessOperation, ...]:
        """What can be done with things of this kind."""
        return _OPERATIONS[self]


_OPERATIONS: dict[AccessKind, tuple[AccessOperation, ...]] = {
    AccessKind.COMMAND: (AccessOperation.EXECUTE,),
    AccessKind.QUERY: (AccessOperation.EXECUTE,),
    AccessKind.VIEW: (AccessOperation.SELECT,),
    AccessKind.ROLE: (),
    AccessKind.TABLE: (
        AccessOperation.SELECT,
        AccessOperation.INSERT,
        AccessOperation.UPDATE,
        AccessOperation.ACTIVATE,
        AccessOperation.DEACTIVATE,
    ),
}


class RateUnit(StrEnum):
    """The unit of a rate's period."""

    SECOND = "SECOND"
    MINUTE = "MINUTE"
    HOUR = "HOUR"
    DAY = "DAY"
    YEAR = "YEAR"

    @property
    def seconds(self) -> int:
        """How long the unit is."""
        return _SECONDS[self]


_SECONDS = {
    RateUnit.SECOND: 1,
    RateUnit.MINUTE: 60,
    RateUnit.HOUR: 3600,
    RateUnit.DAY: 86_400,
    RateUnit.YEAR: 31_536_000,
}


class RateScope(StrEnum):
    """What a rate is counted for."""

    APP_PARTITION = "APP PARTITION"
    WORKSPACE = "WORKSPACE"
    SUBJECT = "SUBJECT"
    IP = "IP"


@attrs.frozen(kw_only=True)
class RoleDef:
    """A role that may be granted rights; a published one may be given out by administrators."""

    name: QName
    workspace: QName | None = None
    published: bool = False
    comment: str = ""
    position: Position


@attrs.frozen
class RightDef:
    """One operation, on all columns or on those named."""

    operation: AccessOperation
    columns: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class GrantDef:
    """A GRANT or REVOKE of a workspace, in the order in which they are to be applied.

    It is about the thing called `target`, or else about all things of its kind in the workspace, or
    those with `tag`. For a role (`kind` ROLE) there are no rights: the grantee gets all that it has.
    """

    workspace: QName
    role: QName
    kind: AccessKind
    rights: tuple[RightDef, ...] = ()
    target: QName | None = None
    tag: QName | None = None
    revoke: bool = False
    position: Position


@attrs.frozen(kw_only=True)
class RateDef:
    """So many times per period; `variable` names the DECLARE that `count` came from."""

    name: QName
    count: int
    period: int
    unit: RateUnit
    workspace: QName | None = None
    variable: QName | None = None
    scopes: tuple[RateScope, ...] = (RateScope.APP_PARTITION,)
    comment: str = ""
    position: Position

    @property
    def seconds(self) -> int:
        """How long the period is."""
        return self.period * self.unit.seconds


@attrs.frozen(kw_only=True)
class LimitDef:
    """A rate applied to operations on one thing, on all of a kind together, or on each of them."""

    name: QName
    workspace: QName
    operations: tuple[AccessOperation, ...]
    kind: AccessKind
    rate: QName
    target: QName | None = None
    tag: QName | None = None
    each: bool = False
    comment: str = ""
    position: Position

from __future__ import annotations

from enum import StrEnum

from statehold_vsql.syntax.nodes._extensions import ActionWord
from statehold_vsql.syntax.nodes._values import Name, NameRef, Node, Number, Span, Text


class Role(Node, frozen=True, kw_only=True):
    """ROLE."""

    name: Name
    published: bool
    span: Span
    comment: str = ""


class Tag(Node, frozen=True, kw_only=True):
    """TAG."""

    name: Name
    feature: Text | None
    span: Span
    comment: str = ""


class TargetKind(StrEnum):
    """The kind of thing a right or a limit is about."""

    COMMAND = "COMMAND"
    QUERY = "QUERY"
    TABLE = "TABLE"
    VIEW = "VIEW"


class Reach(StrEnum):
    """Whether a right or a limit is about one thing, all together, or each by itself."""

    ONE = "ONE"
    ALL = "ALL"
    EACH = "EACH"


class Target(Node, frozen=True):
    """What stands after ON: `name` is given for one thing, `tag` narrows all and each."""

    kind: TargetKind
    reach: Reach
    name: NameRef | None
    tag: NameRef | None
    span: Span


class Grant(Node, frozen=True, kw_only=True):
    """`GRANT ... TO role`, with actions on a target."""

    actions: tuple[ActionWord, ...]
    target: Target
    role: NameRef
    revoke: bool
    span: Span
    comment: str = ""


class GrantRole(Node, frozen=True, kw_only=True):
    """`GRANT granted TO role`: the role gets everything that `granted` may."""

    granted: NameRef
    role: NameRef
    revoke: bool
    span: Span
    comment: str = ""


class TimeUnit(StrEnum):
    """The unit of a rate's period."""

    SECOND = "SECOND"
    MINUTE = "MINUTE"
    HOUR = "HOUR"
    DAY = "DAY"
    YEAR = "YEAR"


class Rate(Node, frozen=True, kw_only=True):
    """RATE; `count` is a number or the name of a DECLAREd variable.

    `object_scope` is "APP PARTITION", "WORKSPACE" or empty, `subject_scope` "SUBJECT", "IP" or empty.
    """

    name: Name
    count: Number | NameRef
    period: Number | None
    unit: TimeUnit
    object_scope: str
    subject_scope: str
    span: Span
    comment: str = ""


class Limit(Node, frozen=True, kw_only=True):
    """LIMIT; no actions means all that fit the target."""

    name: Name
    actions: tuple[ActionWord, ...]
    target: Target
    rate: NameRef
    span: Span
    comment: str = ""

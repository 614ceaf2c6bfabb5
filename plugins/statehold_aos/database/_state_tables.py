from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Boolean, Column, Index, MetaData, PrimaryKeyConstraint, Table

from statehold_aos.database._schema import WORKSPACE
from statehold_aos.database._schema import make_column as _column

STATE_METADATA: Final = MetaData()
#: A claim; the states of one that no service of the database has are kept, too.
_CLAIM: Final = (WORKSPACE, "service", "users")


def _claim() -> list[Column[Any]]:
    kinds = {WORKSPACE: int, "service": str, "users": str}
    return [_column(name, kind, null=False) for name, kind in kinds.items()]


#: What is known about the state of each claim, with what waits for an answer of the cloud.
STATES: Final = Table(
    "states",
    STATE_METADATA,
    *_claim(),
    _column("home", str, null=False),
    _column("stateLimit", int, null=False),
    _column("accepted", bytes),
    _column("stamp", int, null=False),
    _column("sequence", int, null=False),
    _column("suspect", bytes),
    _column("sent", bytes),
    _column("message", str),
    _column("asked", str),
    _column("why", str),
    _column("pending", bytes),
    _column("pendingState", bytes),
    _column("correlation", str),
    _column("base", int),
    _column("changed", int),
    Column("unwritten", Boolean, nullable=False),
    PrimaryKeyConstraint(*_CLAIM, name="states_key"),
)
#: Versions of states that are kept, numbered from the oldest.
STATES_KEPT: Final = Table(
    "states_kept",
    STATE_METADATA,
    *_claim(),
    _column("number", int, null=False),
    _column("kind", str, null=False),
    _column("checksum", bytes, null=False),
    _column("at", int, null=False),
    _column("state", bytes, null=False),
    PrimaryKeyConstraint(*_CLAIM, "number", name="states_kept_key"),
)
#: Those of one storage are read when it is opened.
STATES_OF_HOME: Final = Index("states_of_home", STATES.c.home)

"""Version 3: services are found by provider and by unit, users by service, without looking at all."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, MetaData

from statehold_aos.database._schema import LOOKUPS, make_lookup, make_table
from statehold_aos.database.migrations._state import State
from statehold_aos.database.migrations._step import Options, Step


def _up(connection: Connection, state: State, options: Options) -> State:  # noqa: ARG001 - a step's form
    for name, (table, _) in LOOKUPS.items():
        make_lookup(name, make_table(table, MetaData())).create(connection)
    return state


def _down(connection: Connection, state: State, options: Options) -> State:  # noqa: ARG001 - likewise
    for name, (table, _) in LOOKUPS.items():
        make_lookup(name, make_table(table, MetaData())).drop(connection)
    return state


STEP: Final = Step(_up, _down)

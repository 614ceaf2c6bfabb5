"""Version 4: the states of services, and versions of them that are kept."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from statehold_aos.database._state_tables import STATE_METADATA
from statehold_aos.database.migrations._state import State
from statehold_aos.database.migrations._step import Options, Step


def _up(connection: Connection, state: State, options: Options) -> State:  # noqa: ARG001 - a step's form
    STATE_METADATA.create_all(connection, checkfirst=False)
    return state


def _down(connection: Connection, state: State, options: Options) -> State:  # noqa: ARG001 - likewise
    STATE_METADATA.drop_all(connection, checkfirst=False)
    return state


STEP: Final = Step(_up, _down)

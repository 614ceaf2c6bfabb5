"""Version 5: storage and state of instances of services, as later versions of AOS have them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from statehold_aos.database._instance_table import INSTANCE_METADATA
from statehold_aos.database.migrations._state import State
from statehold_aos.database.migrations._step import Options, Step


def _up(connection: Connection, state: State, options: Options) -> State:  # noqa: ARG001 - a step's form
    INSTANCE_METADATA.create_all(connection, checkfirst=False)
    return state


def _down(connection: Connection, state: State, options: Options) -> State:  # noqa: ARG001 - likewise
    INSTANCE_METADATA.drop_all(connection, checkfirst=False)
    return state


STEP: Final = Step(_up, _down)

"""Version 1: the five tables as the seed has them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, MetaData

from statehold_aos.database._errors import AosSchemaError
from statehold_aos.database.migrations._layout import old_table, seed_layout
from statehold_aos.database.migrations._state import State
from statehold_aos.database.migrations._step import Options, Step


def _up(connection: Connection, state: State, options: Options) -> State:  # noqa: ARG001 - a step's form
    metadata = MetaData()
    for name, columns in seed_layout().items():
        old_table(name, columns, metadata)
    metadata.create_all(connection)
    return state


def _down(connection: Connection, state: State, options: Options) -> State:  # noqa: ARG001 - likewise
    raise AosSchemaError("AOS database: there is no schema before that of the seed")


STEP: Final = Step(_up, _down)

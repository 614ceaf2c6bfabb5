from __future__ import annotations

from pathlib import Path
from typing import Final

import attrs
from sqlalchemy import Connection, delete, insert

from statehold_aos.database._backend import Backend, Place
from statehold_aos.database._errors import AosSchemaError, UnavailableError
from statehold_aos.database._explained import explained
from statehold_aos.database.migrations import (
    _m1_seed,
    _m2_workspaces,
    _m3_lookups,
    _m4_states,
    _m5_instances,
)
from statehold_aos.database.migrations._state import SCHEMA, State, look
from statehold_aos.database.migrations._step import Done, Options, Step

#: Each brings the schema from the version before it to its own, and back.
_STEPS: Final[tuple[Step, ...]] = (
    _m1_seed.STEP,
    _m2_workspaces.STEP,
    _m3_lookups.STEP,
    _m4_states.STEP,
    _m5_instances.STEP,
)
CURRENT: Final = len(_STEPS)


def migrate(location: str | Path | Place, *, to: int = CURRENT, options: Options | None = None) -> list[Done]:
    """Bring a database to schema *to*, forward or back, step by step, and return what was done.

    Each step is a transaction that begins with a backup; a new database is made in one, without. Who comes
    at the same time waits, and finds it done.

    Raises:
        AosSchemaError: the database is newer, dirty, damaged or another program's, or has what *to* has no
            room for.

    """
    place = location if isinstance(location, Place) else Place.of(location)
    return migrate_backend(place.backend(), to=to, options=options)


def migrate_backend(backend: Backend, *, to: int = CURRENT, options: Options | None = None) -> list[Done]:
    """Do as `migrate`."""
    if not 1 <= to <= CURRENT:
        raise AosSchemaError(f"AOS database {backend.shown}: expected a schema from 1 to {CURRENT}, got {to}")
    options = options or Options()
    done: list[Done] = []
    try:
        # First without writing, so that a database that is refused stays as it was.
        with backend.looking() as connection:
            if connection is not None:
                state = look(connection, backend.shown, CURRENT)
                if state.version == to and state.is_noted:
                    return done
        with backend.migrating() as database:
            connection = database.executable
            try:
                while True:
                    state = look(connection, backend.shown, CURRENT)
                    if state.version == to and state.is_noted:
                        connection.rollback()
                        return done
                    done.append(_step(backend, connection, state, to, options))
                    connection.commit()
            except BaseException:
                connection.rollback()
                raise
    except OSError as error:
        raise UnavailableError(f"AOS database {backend.shown}: {error}") from error
    except Exception as error:
        told = explained(error, backend.shown)
        if told is error:
            raise
        raise told from error


def _step(backend: Backend, connection: Connection, state: State, to: int, options: Options) -> Done:
    if state.version == 0:
        SCHEMA.create(connection)
        for step in _STEPS[:to]:
            state = step.up(connection, state, options)
        _note(connection, attrs.evolve(state, version=to))
        return Done(0, to)
    copy = backend.back_up(f"v{state.version}_{state.migrations}", connection)
    if not state.is_noted:
        SCHEMA.create(connection)
    before = state.version
    if before < to:
        state = attrs.evolve(_STEPS[before].up(connection, state, options), version=before + 1)
    elif before > to:
        state = attrs.evolve(_STEPS[before - 1].down(connection, state, options), version=before - 1)
    backend.check_references(connection)
    _note(connection, attrs.evolve(state, migrations=state.migrations + 1))
    return Done(before, state.version, copy)


def _note(connection: Connection, state: State) -> None:
    connection.execute(delete(SCHEMA))
    connection.execute(
        insert(SCHEMA).values(version=state.version, migrations=state.migrations, layout=state.layout)
    )

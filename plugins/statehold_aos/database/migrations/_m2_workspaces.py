"""Version 2: rows of workspaces, services that users have are there, and times are milliseconds.

Fields of later Service Managers have a place, and columns that nobody knows are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs
from sqlalchemy import Column, Connection, MetaData, Table, insert, inspect, select, text, type_coerce, union
from sqlalchemy.types import NullType

from statehold_aos.database._errors import AosSchemaError
from statehold_aos.database._schema import KEYS, LATER, SEED, TIMES, WORKSPACE, make_table
from statehold_aos.database.migrations._layout import (
    OldColumn,
    found_layout,
    new_name,
    old_table,
    read,
    seed_layout,
    written,
)
from statehold_aos.database.migrations._state import State
from statehold_aos.database.migrations._step import Options, Step
from statehold_aos.database.migrations._times import NEVER, from_old, to_old

_PAGE: Final = 500
#: Users whose service is not there: the seed does not look, a foreign key does.
_ORPHANS: Final = "users_orphaned"
#: What a Service Manager cannot read NULL as.
_ZEROS: Final[dict[str, object]] = {"INTEGER": 0, "BIGINT": 0, "TEXT": "", "TIMESTAMP": NEVER}


def _up(connection: Connection, state: State, options: Options) -> State:
    found = found_layout(connection)
    layout = {name: found[name] for name in SEED if name in found}
    for name in layout:
        connection.execute(text(f"ALTER TABLE {name} RENAME TO {name}_old"))
    metadata = MetaData()
    tables = {name: _made(name, layout.get(name, ()), metadata) for name in SEED}
    metadata.create_all(connection)
    for name, columns in layout.items():
        old = old_table(f"{name}_old", columns)
        rows = _forward(connection, name, old, columns, options)
        if name == "users":
            rows = _with_service(connection, tables["services"], rows, columns, options)
        _fill(connection, tables[name], rows)
    for name in layout:
        connection.execute(text(f"DROP TABLE {name}_old"))
    return attrs.evolve(state, layout=written(layout))


def _down(connection: Connection, state: State, options: Options) -> State:  # noqa: ARG001 - a step's form
    layout = {**seed_layout(), **(read(state.layout) if state.layout else {})}
    tables = {name: _renamed(name, layout[name]) for name in SEED}
    _check_workspaces(connection)
    for name in reversed(SEED):
        connection.execute(text(f"ALTER TABLE {name} RENAME TO {name}_new"))
    for name, columns in layout.items():
        old = old_table(name, columns)
        old.create(connection)
        _fill(connection, old, _back(connection, name, tables[name], columns))
    if inspect(connection).has_table(_ORPHANS):
        orphans, columns = _orphans(layout["users"]), layout["users"]
        _fill(connection, old_table("users", columns), _back(connection, "users", orphans, columns))
        orphans.drop(connection)
    for name in reversed(SEED):
        connection.execute(text(f"DROP TABLE {name}_new"))
    return attrs.evolve(state, layout="")


STEP: Final = Step(_up, _down)


def _known(name: str) -> dict[str, type]:
    return {**SEED[name], **LATER[name]}


def _made(name: str, columns: tuple[OldColumn, ...], metadata: MetaData) -> Table:
    """Return the new table, with the columns of the old one that AOS does not know."""
    extra = [one.made() for one in columns if new_name(name, one.name, _known(name)) is None]
    for column in extra:
        column.nullable, column.primary_key = True, False
    return make_table(name, metadata, *extra)


def _renamed(name: str, columns: tuple[OldColumn, ...]) -> Table:
    """Return the new table under the name it has while the old one is filled from it."""
    made = _made(name, columns, MetaData())
    return Table(f"{name}_new", MetaData(), *(Column(one.name, one.type) for one in made.columns))


def _forward(
    connection: Connection, name: str, old: Table, columns: tuple[OldColumn, ...], options: Options
) -> Iterator[dict[str, Any]]:
    known = _known(name)
    names = {one.name: new_name(name, one.name, known) or one.name for one in columns}
    for count, row in enumerate(_pages(connection, old)):
        if name == "config" and count:
            options.logger.warning("AOS database: a second row of config is left in the backup")
            continue
        new = {WORKSPACE: options.workspace, **{names[column]: value for column, value in row.items()}}
        if any(new.get(key) is None for key in KEYS[name]):
            options.logger.warning("AOS database: a row of %s without a key is left in the backup", name)
            continue
        yield {column: _taken(name, column, value, options) for column, value in new.items()}


def _taken(name: str, column: str, value: Any, options: Options) -> Any:
    kind: type | None = int if column == WORKSPACE else _known(name).get(column)
    if value is None or kind is None:
        return value
    try:
        return from_old(value) if (name, column) in TIMES else _READ[kind](value)
    except (ValueError, TypeError, OverflowError):
        options.logger.warning(
            "AOS database: %s.%s was %.100r, expected %s; it is empty now, the backup has it",
            name,
            column,
            value,
            "a time" if (name, column) in TIMES else kind.__name__,
        )
        return None


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


#: SQLite keeps in a column whatever it is given.
_READ: Final[Mapping[type, Callable[[Any], Any]]] = {int: int, str: _text, bytes: _bytes}


def _with_service(
    connection: Connection,
    services: Table,
    rows: Iterator[dict[str, Any]],
    columns: tuple[OldColumn, ...],
    options: Options,
) -> Iterator[dict[str, Any]]:
    """Yield the rows of users whose service is there; put the others aside."""
    there = set(connection.execute(select(services.c.id)).scalars())
    lost = []
    for row in rows:
        if row["serviceid"] in there:
            yield row
        else:
            lost.append(row)
    if lost:
        orphans = _orphans(columns)
        orphans.create(connection)
        connection.execute(insert(orphans), lost)
        options.logger.warning(
            "AOS database: %d rows of users name a service that is not there; they are in table %s now",
            len(lost),
            _ORPHANS,
        )


def _orphans(columns: tuple[OldColumn, ...]) -> Table:
    made = _made("users", columns, MetaData())
    return Table(_ORPHANS, MetaData(), *(Column(one.name, one.type) for one in made.columns))


def _check_workspaces(connection: Connection) -> None:
    kept = [Table(name, MetaData(), Column(WORKSPACE)) for name in SEED]
    found = connection.execute(union(*(select(one.c[WORKSPACE]) for one in kept))).scalars().all()
    if len(found) > 1:
        raise AosSchemaError(
            f"AOS database: it has rows of the workspaces {', '.join(map(str, sorted(found)[:5]))}, and "
            "schema 1 has room for those of one",
            hint="Remove those of the others first",
        )


def _back(
    connection: Connection, name: str, table: Table, columns: tuple[OldColumn, ...]
) -> Iterator[dict[str, Any]]:
    known = _known(name)
    names = {one.name: new_name(name, one.name, known) or one.name for one in columns}
    zeros = {one.name: _ZEROS.get(one.kind.upper()) for one in columns}
    for row in _pages(connection, table):
        old = {}
        for column, new in names.items():
            value = to_old(row[new]) if (name, new) in TIMES else row[new]
            old[column] = zeros[column] if value is None else value
        yield old


def _pages(connection: Connection, table: Table) -> Iterator[dict[str, Any]]:
    columns: list[Any] = list(table.columns)
    if connection.dialect.name == "sqlite":  # which keeps in a column whatever it is given
        columns = [type_coerce(one, NullType()).label(one.name) for one in columns]
    rows = connection.execute(select(*columns))
    while page := rows.fetchmany(_PAGE):
        for row in page:
            yield dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's name for it is public


def _fill(connection: Connection, table: Table, rows: Iterator[dict[str, Any]]) -> None:
    page: list[dict[str, Any]] = []
    for row in rows:
        page.append(row)
        if len(page) >= _PAGE:
            connection.execute(insert(table), page)
            page = []
    if page:
        connection.execute(insert(table), page)

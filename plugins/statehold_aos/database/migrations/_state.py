from __future__ import annotations

from typing import Any, Final

import attrs
from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, UnicodeText, inspect, select

from statehold_aos.database._errors import AosSchemaError
from statehold_aos.database._instance_table import INSTANCE_METADATA, INSTANCES
from statehold_aos.database._schema import KEYS, SEED, TABLES
from statehold_aos.database._state_tables import STATE_METADATA

#: The schema's version, how many migrations there have been, and what version 1 looked like.
SCHEMA: Final = Table(
    "aos_schema",
    MetaData(),
    Column("version", BigInteger, nullable=False),
    Column("migrations", BigInteger, nullable=False),
    Column("layout", UnicodeText, nullable=False),
)
#: Where later Service Managers note the version of their schema, and the last one that is known.
_GOLANG: Final = "schema_migrations"
_GOLANG_NEWEST: Final = 7
_WITH_STATES: Final = 4
_WITH_INSTANCES: Final = 5


@attrs.frozen
class State:
    """What is known of a database before anything is done with it.

    Attributes:
        version: of the schema; 0 where there is none, 1 for what a Service Manager wrote.
        migrations: how many there have been.
        layout: what version 1 looked like, as text; empty if that is still what there is.
        is_noted: whether all that is noted in the database; if not, a Service Manager wrote it.

    """

    version: int
    migrations: int
    layout: str
    is_noted: bool


def look(connection: Connection, shown: str, newest: int) -> State:
    """Return what there is; change nothing.

    Raises:
        AosSchemaError: it is newer, dirty, damaged, or not a database of AOS.

    """
    names = set(inspect(connection).get_table_names())
    if _GOLANG in names:
        _check_golang(connection, shown)
    if SCHEMA.name not in names:
        return _look_at_seed(connection, shown, names)
    row = connection.execute(select(SCHEMA)).first()
    if row is None:
        raise AosSchemaError(f"AOS database {shown} is damaged: its table {SCHEMA.name} is empty")
    if not 1 <= row.version <= newest:
        raise AosSchemaError(
            f"AOS database {shown} has schema {row.version}, this version of Statehold knows 1 to {newest}",
            hint="Use the version of Statehold that wrote it, or a newer one",
        )
    if row.version > 1:
        _check_columns(connection, shown, names, row.version)
    return State(row.version, row.migrations, row.layout, is_noted=True)


def _check_golang(connection: Connection, shown: str) -> None:
    row: Any = connection.exec_driver_sql(f"SELECT version, dirty FROM {_GOLANG}").first()  # noqa: S608 - ours
    if row is not None and row.dirty:
        raise AosSchemaError(
            f"AOS database {shown} is dirty: a migration of the Service Manager to its version {row.version} "
            "did not end",
            hint="Let the Service Manager mend it, or bring back its backup",
        )
    if row is not None and row.version > _GOLANG_NEWEST:
        raise AosSchemaError(
            f"AOS database {shown} is of the Service Manager's schema {row.version}, known are those up to "
            f"{_GOLANG_NEWEST}",
            hint="Use a version of Statehold that knows it",
        )


def _look_at_seed(connection: Connection, shown: str, names: set[str]) -> State:
    ours = names & set(SEED)
    if not ours:
        if names:
            raise AosSchemaError(
                f"AOS database {shown} has other tables and none of AOS: {', '.join(sorted(names))[:200]}",
                hint="Name a file, or a schema of PostgreSQL, of its own",
            )
        return State(0, 0, "", is_noted=False)
    if INSTANCES.name in names:
        raise AosSchemaError(
            f"AOS database {shown} has a table {INSTANCES.name}: it is that of a Communication Manager",
            hint="Name the database of the Service Manager, or a new one",
        )
    for name in sorted(ours):
        found = {key.lower() for key in inspect(connection).get_pk_constraint(name)["constrained_columns"]}
        if found != {key.lower() for key in KEYS[name]}:
            raise AosSchemaError(
                f"AOS database {shown}: expected a table {name} with the key ({', '.join(KEYS[name])}), got "
                f"({', '.join(sorted(found))})",
                hint="It is of another program, or of a Service Manager whose services have instances",
            )
    return State(1, 0, "", is_noted=False)


def _check_columns(connection: Connection, shown: str, names: set[str], version: int) -> None:
    tables = dict(TABLES)
    tables |= STATE_METADATA.tables if version >= _WITH_STATES else {}
    tables |= INSTANCE_METADATA.tables if version >= _WITH_INSTANCES else {}
    for name, table in tables.items():
        found = (
            {column["name"] for column in inspect(connection).get_columns(name)} if name in names else set()
        )
        lacking = {column.name for column in table.columns} - found
        if lacking:
            raise AosSchemaError(
                f"AOS database {shown} is damaged: schema {version} has {name}.{min(lacking)}, it has not",
                hint="Bring back a backup",
            )

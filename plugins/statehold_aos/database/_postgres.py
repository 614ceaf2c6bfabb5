from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import attrs
import dataset
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool, QueuePool

from statehold_aos.database._errors import AosDatabaseError

_BUSY_SECONDS: Final = 60
#: One writer at a time in a schema, as SQLite has it: what a transaction has read stays true until it ends.
_ALONE: Final = "SELECT pg_advisory_xact_lock(hashtext('statehold_aos'), hashtext(current_schema()))"
#: PostgreSQL cuts off what is longer in a name.
_LONGEST: Final = 63
_COMMIT: Final = {"FULL": "on", "NORMAL": "off"}


@attrs.frozen(kw_only=True)
class PostgresBackend:
    """A schema in a database of PostgreSQL: the first of the search path."""

    conninfo: str = attrs.field(repr=False)
    password: str | None = attrs.field(repr=False)
    synchronous: str

    def __attrs_post_init__(self) -> None:
        try:
            import psycopg  # noqa: PLC0415 - an optional dependency
            from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - likewise
        except ImportError as error:
            raise AosDatabaseError(
                f"AOS database in PostgreSQL needs psycopg: {error}", hint="pip install 'statehold[postgres]'"
            ) from error
        try:
            conninfo_to_dict(self.conninfo)
        except psycopg.ProgrammingError:  # which shows it, with its password
            raise AosDatabaseError(
                "AOS database: expected postgresql://user@host/database?option=value, got something else",
                hint="Special characters in it are written as %40",
            ) from None

    @property
    def shown(self) -> str:
        """Server and database."""
        from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - an optional dependency

        given = conninfo_to_dict(self.conninfo)
        return f"postgresql://{given.get('host', '')}/{given.get('dbname', '')}"

    @property
    def key(self) -> str:
        """All that libpq is given."""
        return self.conninfo

    def writer(self) -> dataset.Database:
        """Return what writes."""
        database = dataset.Database(
            "postgresql+psycopg://", engine_kwargs={"creator": self._connect, "poolclass": NullPool}
        )
        event.listen(database.engine, "begin", _begin_alone)
        return database

    def readers(self, count: int) -> Engine:
        """Return what reads."""
        return create_engine(
            "postgresql+psycopg://",
            creator=partial(self._connect, options="-c default_transaction_read_only=on"),
            isolation_level="REPEATABLE READ",
            poolclass=QueuePool,
            pool_pre_ping=True,
            pool_size=count,
            max_overflow=0,
            pool_timeout=_BUSY_SECONDS,
        )

    @contextmanager
    def looking(self) -> Iterator[Connection | None]:
        """Lend a connection that changes nothing."""
        engine = self.readers(1)
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()

    @contextmanager
    def migrating(self) -> Iterator[dataset.Database]:
        """Lend what a migration works with."""
        database = self.writer()
        try:
            yield database
        finally:
            database.close()

    def back_up(self, name: str, connection: Connection) -> str:
        """Copy all tables into a schema beside this one, in the migration's own transaction."""
        (schema,) = connection.exec_driver_sql("SELECT current_schema()").one()
        quoted = connection.dialect.identifier_preparer.quote
        there = set(connection.exec_driver_sql("SELECT nspname::text FROM pg_namespace").scalars())
        copy = next(one for one in _names(schema, name) if one not in there)
        connection.exec_driver_sql(f"CREATE SCHEMA {quoted(copy)}")
        tables = connection.exec_driver_sql(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s", (schema,)
        )
        for (table,) in tables.all():
            source, target = f"{quoted(schema)}.{quoted(table)}", f"{quoted(copy)}.{quoted(table)}"
            connection.exec_driver_sql(f"CREATE TABLE {target} (LIKE {source} INCLUDING ALL)")
            connection.exec_driver_sql(f"INSERT INTO {target} SELECT * FROM {source}")  # noqa: S608 - names
        return f"schema {copy}"

    def check_references(self, connection: Connection) -> None:
        """Do nothing: PostgreSQL has looked already."""

    def _connect(self, *, options: str = "") -> Any:
        import psycopg  # noqa: PLC0415 - an optional dependency
        from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - likewise

        given: dict[str, Any] = {} if self.password is None else {"password": self.password}
        own = str(conninfo_to_dict(self.conninfo).get("options") or "")
        connection = psycopg.connect(self.conninfo, options=f"{own} {options}".strip(), **given)
        try:
            connection.autocommit = True
            connection.execute(f"SET synchronous_commit = {_COMMIT[self.synchronous]}")
            connection.execute(f"SET lock_timeout = '{_BUSY_SECONDS}s'")
            connection.autocommit = False
        except BaseException:
            connection.close()
            raise
        return connection


def _names(schema: str, name: str) -> Iterator[str]:
    for number in itertools.count(1):
        end = f"_{name}" if number == 1 else f"_{name}_{number}"
        yield schema[: _LONGEST - len(end)] + end


def _begin_alone(connection: Connection) -> None:
    connection.exec_driver_sql(_ALONE)

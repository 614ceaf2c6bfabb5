from __future__ import annotations

import filecmp
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import dataset
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool, QueuePool

from statehold_aos.database._driver import begin_immediate
from statehold_aos.database._errors import AosSchemaError

_BUSY_SECONDS: Final = 60.0


@attrs.frozen(kw_only=True)
class SqliteBackend:
    """A file of SQLite."""

    path: Path
    synchronous: str

    @property
    def shown(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def key(self) -> str:
        """The path, whichever links lead to it."""
        return str(self.path.resolve())

    def writer(self) -> dataset.Database:
        """Return what writes."""
        return self._database(partial(self._connect, foreign_keys=True))

    def readers(self, count: int) -> Engine:
        """Return what reads."""
        engine = create_engine(
            "sqlite://",
            creator=partial(self._connect, query_only=True),
            poolclass=QueuePool,
            pool_size=count,
            max_overflow=0,
            pool_timeout=_BUSY_SECONDS,
        )
        event.listen(engine, "begin", _begin)
        return engine

    @contextmanager
    def looking(self) -> Iterator[Connection | None]:
        """Lend a connection that changes nothing, not even the journal's mode."""
        if not self.path.exists() or not self.path.stat().st_size:
            yield None
            return
        engine = create_engine("sqlite://", creator=self._look, poolclass=NullPool)
        with engine.connect() as connection:
            yield connection
        engine.dispose()

    @contextmanager
    def migrating(self) -> Iterator[dataset.Database]:
        """Lend what a migration works with."""
        self.path.touch(mode=0o600)
        database = self._database(self._connect)
        try:
            yield database
        finally:
            database.close()

    def back_up(self, name: str, connection: Connection) -> str:  # noqa: ARG002 - its lock is what counts
        """Copy the file; in another connection, to which the transaction has not happened."""
        copy, number = self.path.with_name(f"{self.path.name}.{name}"), 1
        part = copy.with_name(f".{copy.name}.part")
        part.unlink(missing_ok=True)
        with closing(self._look()) as source, closing(sqlite3.connect(part)) as target:
            source.backup(target)
        part.chmod(self.path.stat().st_mode & 0o777)
        _sync(part)
        while copy.exists():
            if filecmp.cmp(copy, part, shallow=False):  # of an attempt that did not end
                part.unlink()
                return str(copy)
            number += 1
            copy = self.path.with_name(f"{self.path.name}.{name}_{number}")
        part.rename(copy)
        _sync(copy.parent)
        return str(copy)

    def check_references(self, connection: Connection) -> None:
        """Raise if a foreign key leads nowhere."""
        row = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if row is not None:
            raise AosSchemaError(
                f"AOS database {self.path}: a row of {row[0]!r} refers to a missing {row[2]!r}"
            )

    def _database(self, connect: Any) -> dataset.Database:
        database = dataset.Database(
            "sqlite://", engine_kwargs={"creator": connect, "poolclass": NullPool}, sqlite_wal_mode=False
        )
        event.listen(database.engine, "begin", begin_immediate)
        return database

    def _connect(self, *, query_only: bool = False, foreign_keys: bool = False) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {self.synchronous}")
            connection.execute(f"PRAGMA foreign_keys = {int(foreign_keys)}")
            connection.execute(f"PRAGMA query_only = {int(query_only)}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _look(self) -> sqlite3.Connection:
        # Not mode=ro: who may not write cannot clear away what stands beside a file with a log, either.
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?mode=rw",
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA query_only = ON")
        return connection


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, Self

import attrs
import dataset
from sqlalchemy import Connection, Engine

from statehold_aos.database._errors import AosDatabaseError


class Backend(Protocol):
    """Where a database is, and what SQLite and PostgreSQL do differently."""

    @property
    def shown(self) -> str:
        """The place, for people: without a password."""

    @property
    def key(self) -> str:
        """The same text for the same database."""

    def writer(self) -> dataset.Database:
        """Return what writes: one connection, whose transactions no other one's come between."""

    def readers(self, count: int) -> Engine:
        """Return what reads: up to *count* connections, whose transactions each see one moment."""

    def looking(self) -> AbstractContextManager[Connection | None]:
        """Lend a connection that changes nothing; None where there is no database yet."""

    def migrating(self) -> AbstractContextManager[dataset.Database]:
        """Lend what a migration works with: as `writer`, but foreign keys are not looked at."""

    def back_up(self, name: str, connection: Connection) -> str:
        """Copy the database as it was before *connection*'s transaction, and return where to.

        Nothing is overwritten: where *name* is taken, the copy is called *name* and a number.
        """

    def check_references(self, connection: Connection) -> None:
        """Raise if a foreign key leads nowhere."""


@attrs.frozen
class Place:
    """A file of SQLite, or a database of PostgreSQL.

    Attributes:
        path: the file, absolute; None for PostgreSQL.
        conninfo: for PostgreSQL, a URL or what else libpq reads.
        password: for PostgreSQL, where it does not stand there.

    """

    path: Path | None = None
    conninfo: str = attrs.field(default="", repr=False)
    password: str | None = attrs.field(default=None, repr=False)

    @classmethod
    def of(cls, location: str | Path, *, folder: Path | None = None, password: str | None = None) -> Self:
        """Return the place that *location* names; a relative path is one in *folder*."""
        text = str(location)
        if text.startswith(("postgresql://", "postgres://")):
            return cls(conninfo=text, password=password)
        if not text or "://" in text:
            raise AosDatabaseError(
                f"AOS database: expected the path of a file or postgresql://..., got {text.partition('://')[0]!r}"
            )
        return cls(path=((folder or Path.cwd()) / text).absolute())

    def backend(self, *, synchronous: str = "FULL") -> Backend:
        """Return what opens it."""
        if self.path is not None:
            from statehold_aos.database._sqlite import SqliteBackend  # noqa: PLC0415 - only one is needed

            return SqliteBackend(path=self.path, synchronous=synchronous)
        from statehold_aos.database._postgres import PostgresBackend  # noqa: PLC0415 - psycopg is optional

        return PostgresBackend(conninfo=self.conninfo, password=self.password, synchronous=synchronous)

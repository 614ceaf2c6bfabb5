from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import attrs
from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from statehold_aos.database._backend import Backend, Place
from statehold_aos.database._driver import run_on_driver
from statehold_aos.database._errors import AosDatabaseError, AosSchemaError, BusyError
from statehold_aos.database._explained import explained
from statehold_aos.database._runner import Count, Counter
from statehold_aos.database._tables import Tables
from statehold_aos.database._traffic_buffer import TrafficBuffer
from statehold_aos.database._writer import Writer
from statehold_aos.database.migrations._run import CURRENT, migrate_backend
from statehold_aos.database.migrations._state import SCHEMA
from statehold_aos.database.migrations._step import Options

Result = TypeVar("Result")

_VERSION: Final = str(select(SCHEMA.c.version))


@attrs.frozen(kw_only=True)
class Settings:
    """How a database is opened.

    Attributes:
        synchronous: FULL: what was written survives a loss of power; NORMAL: it survives the end of the
            process, and the last of it may be lost with the power.
        readers: how many connections may read at once; further readers wait.
        traffic_seconds: how long a traffic counter may be in memory alone; 0 writes each one at once.
        workspace: the workspace that rows of a Service Manager's own database go to.

    """

    synchronous: str = "FULL"
    readers: int = 4
    traffic_seconds: float = 1.0
    workspace: int = 1


class Database:
    """The tables of the AOS Service Manager, in a file of SQLite or a schema of PostgreSQL.

    Any number of threads and processes may use it: those who write do so one after the other, those who
    read wait for nobody. Close it, or what was counted last is lost.
    """

    def __init__(self, backend: Backend, settings: Settings, logger: logging.Logger) -> None:
        self.shown = backend.shown
        self._interval = settings.traffic_seconds
        self._logger = logger
        self._readers: Engine | None = backend.readers(settings.readers)
        self._buffer = TrafficBuffer()
        self._writer = Writer(
            backend.shown, backend.writer, self._begin, self._buffer.committed, self._failed
        )

    @classmethod
    def open(
        cls,
        location: str | Path | Place,
        *,
        settings: Settings | None = None,
        logger: logging.Logger | None = None,
    ) -> Self:
        """Open a database, made or brought to the current schema if need be.

        Args:
            location: the path of a file, or `postgresql://...`.
            settings: how.
            logger: hears of migrations, and of counters that could not be written.

        Raises:
            AosSchemaError: it is newer, dirty, damaged or another program's.
            UnavailableError: the folder or the server is not there.

        """
        settings = settings or Settings()
        logger = logger or logging.getLogger("statehold.aos")
        place = location if isinstance(location, Place) else Place.of(location)
        backend = place.backend(synchronous=settings.synchronous)
        for done in migrate_backend(backend, options=Options(workspace=settings.workspace, logger=logger)):
            if done.before:
                logger.info(
                    "AOS database %s: schema %d became %d; before, it was copied to %s",
                    backend.shown,
                    done.before,
                    done.after,
                    done.backup,
                )
        return cls(backend, settings, logger)

    def of(self, workspace: int) -> Tables:
        """Return the tables of a workspace; each function is a transaction of its own."""
        return Tables(self, workspace)

    def transact(self, workspace: int, function: Callable[[Tables], Result]) -> Result:
        """Return what *function* returns, called with tables whose changes all happen, or none does.

        No other writer comes between, of this process or another, so what it has read is still true when
        it writes. Everybody who writes waits for it; it may run on another thread.
        """
        return self.write(lambda connection: function(Tables(_Joined(connection), workspace)))

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """Return what *work* returns, called with a connection that sees one moment."""
        if self._readers is None:
            raise self._writer.closed_error()
        try:
            with self._readers.connect() as connection:
                return work(connection)
        except PoolTimeoutError as error:
            raise BusyError(f"AOS database {self.shown}: too many read at once") from error
        except Exception as error:
            told = explained(error, self.shown)
            if told is error:
                raise
            raise told from error

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """Return what *work* returns, called by whoever writes; all its changes happen, or none."""
        return self._writer.do(work)

    def count(self, counts: dict[Counter, Count]) -> None:
        """Set traffic counters; they are read at once, and written within `Settings.traffic_seconds`."""
        if not counts:
            return
        self._buffer.put(counts)
        if self._interval > 0:
            self._writer.due(self._interval)
        else:
            self.flush()

    def counted(self, counter: Counter) -> Count | None:
        """Return a traffic counter that is not yet written."""
        return self._buffer.get(counter)

    def flush(self) -> None:
        """Write the traffic counters now."""
        if len(self._buffer):
            self.write(lambda _: None)

    def close(self) -> None:
        """Write the traffic counters, and let go of everything; a second time does nothing.

        Raises:
            AosDatabaseError: counters could not be written.

        """
        if self._readers is None:
            return
        with suppress(AosDatabaseError):
            self.flush()
        self._writer.close()
        self._readers.dispose()
        self._readers = None
        if left := len(self._buffer):
            raise AosDatabaseError(f"AOS database {self.shown}: {left} traffic counters could not be written")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self, connection: Connection) -> bool:
        # Before each transaction: it is not to take longer than need be.
        found = run_on_driver(connection, _VERSION)
        if found != [(CURRENT,)]:
            version = found[0][0] if found else None
            raise AosSchemaError(
                f"AOS database {self.shown} was brought to schema {version} while it was open with {CURRENT}",
                hint="Open it again with the version of Statehold that did so",
            )
        # Before all else, so that nothing newer is overwritten with what was counted earlier.
        return self._buffer.write(connection)

    def _failed(self, error: BaseException) -> None:
        if len(self._buffer):
            self._logger.warning("%s; %d traffic counters wait to be written", error, len(self._buffer))
            with suppress(AosDatabaseError):  # closed: nobody comes again
                self._writer.due(max(self._interval, 1.0))


@attrs.frozen
class _Joined:
    """Runs on the connection of a transaction that has begun."""

    _connection: Connection

    def read(self, work: Callable[[Connection], Result]) -> Result:
        return work(self._connection)

    write = read

    def count(self, counts: dict[Counter, Count]) -> None:
        buffer = TrafficBuffer()
        buffer.put(counts)
        buffer.write(self._connection)

    def counted(self, counter: Counter) -> Count | None:  # noqa: ARG002 - all is written
        return None

    def flush(self) -> None:
        """Do nothing: all is written."""

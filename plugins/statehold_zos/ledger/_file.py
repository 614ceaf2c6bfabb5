from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from statehold.sdk import sync_folder
from statehold_zos.ledger._schema import MIGRATIONS
from statehold_zos.model import ZosError

#: Bytes without which nothing can be written.
_LITTLE: Final = 2**20
_PATIENCE: Final = 60.0


class File:
    """The file of a ledger: transactions that write, one at a time, and reads beside them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._idle: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._closed = False
        self._migrate()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection in a transaction that sees what every other has committed."""
        # Threads of a process wait here, where it costs nothing; processes wait inside SQLite.
        with self._writing, self._lent() as connection, self._explained():
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection in a transaction that sees one state of the file, and holds nobody up."""
        with self._lent() as connection, self._explained():
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the connections; those in use are closed when they are given back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def _lent(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._closed:
                raise ZosError(f"ledger {self.path} is closed")
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            with self._explained():
                connection = self._connect()
        try:
            yield connection
        finally:
            with self._lock:
                keep = not self._closed
                if keep:
                    self._idle.append(connection)
            if not keep:
                connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA cache_size = -16000")
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self.path.with_name(f"{self.path.name}-lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            with self._lent() as connection, self._explained():
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                self._check(version)
                if not version:
                    connection.execute("PRAGMA journal_mode = WAL")
                    # Its name is to outlast a power cut, as what is written into it does.
                    sync_folder(self.path.parent)
                for number, script in enumerate(MIGRATIONS[version:], version + 1):
                    connection.executescript(
                        f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;"
                    )
        except BaseException:
            self.close()
            raise
        finally:
            os.close(lock)

    def _check(self, version: int) -> None:
        if version > len(MIGRATIONS):
            raise ZosError(
                f"ledger {self.path} is of format {version}, expected {len(MIGRATIONS)} or less",
                hint="open it with the version of Statehold that wrote it",
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise ZosError(f"ledger {self.path}: {error}", hint=self._hint(error)) from error

    def _hint(self, error: sqlite3.Error) -> str:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_BUSY:
            return f"another process has held it for {_PATIENCE:g} s"
        # A disk that is full is told as an error of its own only where it is the file that cannot grow.
        if code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}:
            with suppress(OSError):
                if shutil.disk_usage(self.path.parent).free < _LITTLE:
                    return f"the disk of {self.path.parent} is full: make room on it"
        return ""

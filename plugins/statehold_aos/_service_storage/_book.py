from __future__ import annotations

import sqlite3
import threading
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs

from statehold.sdk import StorageError
from statehold_aos._service_storage._entry import Claim, Entry

_FILE: Final = "service-storage.db"
_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE entries (
    wsid INTEGER NOT NULL, service TEXT NOT NULL, users TEXT NOT NULL,
    storage_limit INTEGER, uid INTEGER, gid INTEGER, mode INTEGER,
    PRIMARY KEY (wsid, service, users)
) WITHOUT ROWID;
CREATE TABLE pending (wsid INTEGER, service TEXT, users TEXT, uid INTEGER, gid INTEGER);
CREATE TABLE removed (wsid INTEGER, service TEXT, users TEXT, PRIMARY KEY (wsid, service, users));
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_COLUMNS: Final = "wsid, service, users, storage_limit, uid, gid, mode"


@attrs.frozen(kw_only=True)
class Pending:
    """A folder that a batch was about to make or to give away when it was recorded."""

    claim: Claim
    uid: int | None = None
    gid: int | None = None


class Book:
    """What is to be: the entries, what a batch is about to do, and what is still to be removed.

    Each change is one transaction, durable when it returns. Any number of threads and processes.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._file = folder / _FILE
        self._db = sqlite3.connect(self._file, isolation_level=None, check_same_thread=False, timeout=60)
        try:
            for pragma in ("busy_timeout=60000", "journal_mode=WAL", "synchronous=FULL"):
                self._db.execute(f"PRAGMA {pragma}").fetchall()
            self._bring_up()
        except BaseException:
            self._db.close()
            raise

    def _bring_up(self) -> None:
        with self._transaction() as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > _VERSION:
                raise StorageError(f"{self._file} has version {version}, this Statehold knows {_VERSION}")
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version={_VERSION}")

    def entry(self, claim: Claim) -> Entry | None:
        """Return an entry, or None."""
        return self.some([claim])[0]

    def some(self, claims: Sequence[Claim]) -> list[Entry | None]:
        """Return the entries of *claims*, each None where there is none, all of one moment."""
        sql = f"SELECT {_COLUMNS} FROM entries WHERE wsid = ? AND service = ? AND users = ?"  # noqa: S608
        with self._transaction("DEFERRED") as db:
            rows = [db.execute(sql, claim).fetchone() for claim in claims]
        return [None if row is None else Entry(*row[3:]) for row in rows]

    def entries(self, wsid: int | None = None, *prefix: str) -> dict[Claim, Entry]:
        """Return the entries of a workspace, of one of its services, or of one claim; without, all."""
        given = () if wsid is None else (wsid, *prefix)
        where = " AND ".join(f"{name} = ?" for name in ("wsid", "service", "users")[: len(given)]) or "TRUE"
        sql = f"SELECT {_COLUMNS} FROM entries WHERE {where}"  # noqa: S608  only names of columns
        with self._transaction("DEFERRED") as db:
            return {Claim(*row[:3]): Entry(*row[3:]) for row in db.execute(sql, given).fetchall()}

    def plan(self, pending: Iterable[Pending]) -> None:
        """Record what is about to be done; the entries stay as they are."""
        with self._transaction() as db:
            rows = [(*each.claim, each.uid, each.gid) for each in pending]
            db.executemany("INSERT INTO pending VALUES (?, ?, ?, ?, ?)", rows)

    def pending(self) -> list[Pending]:
        """Return what was recorded, and neither settled nor forgotten."""
        with self._transaction("DEFERRED") as db:
            rows = db.execute("SELECT * FROM pending").fetchall()
        return [Pending(claim=Claim(*row[:3]), uid=row[3], gid=row[4]) for row in rows]

    def forget(self) -> None:
        """Drop what was recorded."""
        with self._transaction() as db:
            db.execute("DELETE FROM pending")

    def settle(self, entries: Mapping[Claim, Entry | None], removed: Iterable[Claim]) -> None:
        """Make the new entries count, and what is to be removed due; this is the moment of a batch."""
        with self._transaction() as db:
            db.execute("DELETE FROM pending")
            for claim, entry in entries.items():
                db.execute("DELETE FROM entries WHERE wsid = ? AND service = ? AND users = ?", claim)
                if entry is not None:
                    row = (*claim, *attrs.astuple(entry))
                    db.execute(f"INSERT INTO entries ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", row)  # noqa: S608
            db.executemany("INSERT OR IGNORE INTO removed VALUES (?, ?, ?)", removed)

    def removed(self) -> list[Claim]:
        """Return whose folders are still to be removed, claims before their services."""
        with self._transaction("DEFERRED") as db:
            rows = db.execute("SELECT * FROM removed ORDER BY users DESC").fetchall()
        return [Claim(*row) for row in rows]

    def is_gone(self, claim: Claim) -> None:
        """Note that a folder was removed."""
        with self._transaction() as db:
            db.execute("DELETE FROM removed WHERE wsid = ? AND service = ? AND users = ?", claim)

    def fact(self, name: str) -> str | None:
        """Return what was noted under a name."""
        with self._transaction("DEFERRED") as db:
            row = db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def note(self, name: str, value: str) -> None:
        """Note something under a name."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Generator[Any]:
        with self._lock:
            try:
                self._db.execute(f"BEGIN {kind}")
                yield self._db
                self._db.execute("COMMIT")
            except BaseException as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise StorageError(f"{self._file}: {error}") from error
                raise

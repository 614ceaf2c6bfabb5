"""One file of SQLite: how it is made, opened and checked, and what its errors mean."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from pathlib import Path
from typing import Final

from statehold.rows._errors import (
    RowStoreError,
    RowValueError,
    StoreBusyError,
    StoreDamagedError,
    StoreExistsError,
    StoreFullError,
    StoreMissingError,
    StoreReadOnlyError,
    StoreUnavailableError,
)
from statehold.rows._hold import hold
from statehold.rows._options import Durability
from statehold.sdk import sync_folder

_SYNCHRONOUS: Final[dict[Durability, str]] = {"full": "FULL", "relaxed": "NORMAL"}
_APPLICATION: Final = 0x53484C44  # "SHLD"
_FORMAT: Final = 1
#: How long the log becomes before it goes into the file: 16 MB.
_LOG_PAGES: Final = 4000
#: How much of the file the writer keeps in memory.
_CACHE_KIB: Final = 16_000
_SCHEMA: Final = f"""
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE rows (
    partition  BLOB NOT NULL,
    clustering BLOB NOT NULL,
    value      BLOB NOT NULL,
    expires    INTEGER,
    PRIMARY KEY (partition, clustering)
) WITHOUT ROWID;
CREATE INDEX expiring ON rows (expires) WHERE expires IS NOT NULL;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_FORMAT};
COMMIT;
"""


def create(path: Path) -> None:
    """Make an empty store, whole or not at all.

    Raises:
        StoreExistsError: there is a file of this name.

    """
    try:
        with tempfile.TemporaryDirectory(prefix=".new-", dir=path.parent) as folder:
            made = Path(folder) / path.name
            with contextlib.closing(sqlite3.connect(made, isolation_level=None)) as connection:
                connection.executescript(_SCHEMA)
            with made.open("rb") as file:
                os.fsync(file.fileno())
            if not path.exists():
                _remove_log(path)  # of a store whose removal was interrupted
            path.hardlink_to(made)
        sync_folder(path.parent)
    except FileExistsError as error:
        raise StoreExistsError(f"there is a store at {path} already") from error
    except OSError as error:
        raise _of_system(error, path) from error
    except sqlite3.Error as error:
        raise explained(error, path) from error


def remove(path: Path) -> None:
    """Remove a store and its log."""
    try:
        if not path.exists():
            raise StoreMissingError(f"there is no store at {path}")
        release = hold(path)
        try:
            _remove_log(path)
            path.unlink()
            path.with_name(f"{path.name}-hold").unlink()
        finally:
            release()
        sync_folder(path.parent)
    except OSError as error:
        raise _of_system(error, path) from error


def check(path: Path, connection: sqlite3.Connection) -> None:
    """Raise `StoreDamagedError` unless *connection* has a row store of the format of this version."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != _APPLICATION:
        raise StoreDamagedError(f"{path} is a file of SQLite, but no row store")
    if version != _FORMAT:
        raise StoreDamagedError(
            f"{path} is a row store of format {version}, expected {_FORMAT}",
            hint="open it with the version of Statehold that wrote it",
        )


def connect(path: Path, *, durability: Durability, patience: float, writes: bool) -> sqlite3.Connection:
    """Return a connection to a store that is there, of any thread's use but one at a time.

    Raises:
        StoreMissingError: there is no file.
        StoreReadOnlyError: the file or its folder cannot be written.
        RowStoreError: SQLite cannot open it.

    """
    if not path.exists():
        raise StoreMissingError(f"there is no store at {path}", hint="create it first")
    for needed in (path, path.parent):
        if not os.access(needed, os.W_OK):
            raise StoreReadOnlyError(
                f"store {path} cannot be opened: {needed} cannot be written",
                hint="the log of SQLite stands beside the file, so both must be",
            )
    uri = f"{path.resolve().as_uri()}?mode=rw"
    connection = None
    try:
        connection = sqlite3.connect(
            uri, uri=True, isolation_level=None, check_same_thread=False, timeout=patience
        )
        connection.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[durability]}")
        check(path, connection)
        if writes:
            # A checkpoint writes each page once, however often the log has it, and all wait for it.
            connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        else:
            connection.execute("PRAGMA query_only = ON")
    except BaseException as error:
        if connection is not None:
            connection.close()
        if isinstance(error, sqlite3.Error):
            raise explained(error, path) from error
        raise
    return connection


def code(error: BaseException) -> int:
    """Return the primary result code of SQLite that *error* carries, 0 if it has none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def explained(error: Exception, path: Path) -> Exception:
    """Return the error of ours that says what *error* of SQLite means."""
    if not isinstance(error, sqlite3.Error):
        return error
    name = getattr(error, "sqlite_errorname", "")
    said = f"store {path}: {error}{f' ({name})' if name else ''}"
    match code(error):
        case sqlite3.SQLITE_FULL:
            return StoreFullError(said, hint="nothing of this batch was written; make room and write again")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return StoreReadOnlyError(said)
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return StoreDamagedError(
                said,
                hint="keep the file and what stands beside it; `sqlite3 FILE .recover` saves what it can",
            )
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreBusyError(said, hint="another process writes to it for too long")
        case sqlite3.SQLITE_TOOBIG:
            return RowValueError(said)
        case sqlite3.SQLITE_IOERR:
            return StoreUnavailableError(said, unknown=True, hint="look into the log of the system")
        case sqlite3.SQLITE_CANTOPEN:
            return StoreUnavailableError(said, hint="is the folder there, and may the process open files?")
    return RowStoreError(said)


def _of_system(error: OSError, path: Path) -> RowStoreError:
    import errno  # noqa: PLC0415 - only here

    said = f"store {path}: {error.strerror or error}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreFullError(said)
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return StoreReadOnlyError(said)
    return StoreUnavailableError(said)


def _remove_log(path: Path) -> None:
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)

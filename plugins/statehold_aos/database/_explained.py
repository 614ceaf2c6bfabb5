from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from statehold.sdk import StateholdError
from statehold_aos.database._errors import (
    AosDatabaseError,
    BusyError,
    ExistsError,
    InUseError,
    SchemaError,
    UnavailableError,
)


def explained(error: Exception, where: str, *, committing: bool = False) -> Exception:
    """Return the error of ours that says what *error* of the driver means; any other comes back as it is."""
    if isinstance(error, StateholdError) or not isinstance(error, (SQLAlchemyError, sqlite3.Error, OSError)):
        return error
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    name = getattr(cause, "sqlite_errorname", "") or getattr(cause, "sqlstate", "") or ""
    said = f"AOS database {where}: {str(cause).strip()}{f' ({name})' if name else ''}"
    match name:
        case "SQLITE_CONSTRAINT_PRIMARYKEY" | "SQLITE_CONSTRAINT_UNIQUE" | "23505":
            return ExistsError(said)
        case "SQLITE_CONSTRAINT_FOREIGNKEY" | "23503" | "23001":
            return InUseError(said, hint="Services come before the users who have them, and go after them")
        case "SQLITE_BUSY" | "SQLITE_LOCKED" | "55P03" | "40P01":
            return BusyError(said, hint="Another process writes to it for too long")
        case "SQLITE_NOTADB" | "SQLITE_CORRUPT":
            return SchemaError(said, hint="Keep the file; a backup made before a migration lies beside it")
        case "SQLITE_FULL" | "53100":
            return AosDatabaseError(said, hint="Nothing of this was written; make room and write again")
    if is_gone(error):
        return UnavailableError(said, unknown=committing, hint="Is the server, or the folder, there?")
    return AosDatabaseError(said)


def is_gone(error: Exception) -> bool:
    """Tell whether the connection is of no further use."""
    if isinstance(error, DBAPIError):
        cause = error.orig
        state = getattr(cause, "sqlstate", None) or ""
        lost = type(cause).__name__ == "OperationalError" and not hasattr(cause, "sqlite_errorcode")
        lost = lost and (not state or state.startswith(("08", "57P")))
        broken = getattr(cause, "sqlite_errorname", "") in {"SQLITE_CANTOPEN", "SQLITE_NOTADB"}
        disk = getattr(cause, "sqlite_errorname", "").startswith("SQLITE_IOERR")
        return error.connection_invalidated or lost or broken or disk
    return isinstance(error, OSError)

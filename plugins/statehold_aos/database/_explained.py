from __future__ import annotations

import sqlite3
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from statehold.sdk import StateholdError
from statehold_aos.database._errors import (
    AosDatabaseError,
    AosSchemaError,
    BusyError,
    ExistsError,
    InUseError,
    UnavailableError,
)

Error = TypeVar("Error", bound=BaseException)


def explained(error: Error, where: str, *, committing: bool = False) -> Error | AosDatabaseError:
    """Return the error of ours that says what *error* of the driver means; any other comes back as it is."""
    if isinstance(error, StateholdError) or not isinstance(error, (SQLAlchemyError, sqlite3.Error)):
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
            return AosSchemaError(said, hint="Keep the file; a backup made before a migration lies beside it")
        case "SQLITE_FULL" | "53100":
            return AosDatabaseError(said, hint="Nothing of this was written; make room and write again")
    if is_gone(error):
        return UnavailableError(said, unknown=committing, hint="Is the server, or the folder, there?")
    return AosDatabaseError(said)


def is_gone(error: BaseException) -> bool:
    """Tell whether the connection is of no further use."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    name: str | None = getattr(cause, "sqlite_errorname", None)
    if name is not None:
        return name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_NOTADB"))
    if not isinstance(error, DBAPIError):
        return False
    state: str = getattr(cause, "sqlstate", None) or ""
    unheard = isinstance(error, OperationalError) and not state  # not of the server, which has states
    return error.connection_invalidated or unheard or state.startswith(("08", "57P"))

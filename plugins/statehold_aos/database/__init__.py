"""The database of the AOS Service Manager: five tables, in a file of SQLite or in PostgreSQL."""

from __future__ import annotations

from statehold_aos.database._backend import Place
from statehold_aos.database._claim import users_text
from statehold_aos.database._database import Database, Settings
from statehold_aos.database._errors import (
    AosDatabaseError,
    AosSchemaError,
    BusyError,
    ClosedError,
    ExistsError,
    InUseError,
    NotExistError,
    UnavailableError,
)
from statehold_aos.database._rows import (
    Instance,
    Layer,
    Service,
    ServiceState,
    ServiceStatus,
    Traffic,
    UsersService,
)
from statehold_aos.database._tables import Tables
from statehold_aos.database.migrations import CURRENT, Done, Options, migrate

__all__ = [
    "CURRENT",
    "AosDatabaseError",
    "AosSchemaError",
    "BusyError",
    "ClosedError",
    "Database",
    "Done",
    "ExistsError",
    "InUseError",
    "Instance",
    "Layer",
    "NotExistError",
    "Options",
    "Place",
    "Service",
    "ServiceState",
    "ServiceStatus",
    "Settings",
    "Tables",
    "Traffic",
    "UnavailableError",
    "UsersService",
    "migrate",
    "users_text",
]

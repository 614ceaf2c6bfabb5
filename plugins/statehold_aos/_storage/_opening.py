from __future__ import annotations

from typing import Any, Final

from statehold.sdk import StorageContext, StorageError
from statehold_aos._databases import Databases, Lease
from statehold_aos._storage._config import AosConfig
from statehold_aos.database import Place, Settings

#: The storage that has the database where none is named.
HOME: Final = "Config"
_FILE: Final = "aos.db"


def place_of(ctx: StorageContext) -> Place:
    """Return where the database of a storage is: as its JSONCONFIG says, or else as that of `Config`."""
    config: AosConfig = ctx.config or AosConfig()
    if config.Database:
        password = None if config.Password is None else config.Password.reveal()
        return Place.of(config.Database, folder=ctx.data_folder, password=password)
    home: Any = ctx.storages.get(HOME)
    if home is not None:
        place: Place = home.place
        return place
    if ctx.storage.rpartition(".")[2] != HOME:
        raise StorageError(
            f"{ctx.storage}: nobody says which database it stands on",
            hint='Declare Config in the same package, or say {"Database": ...} in JSONCONFIG',
        )
    return Place.of(_FILE, folder=ctx.data_folder)


def lease(ctx: StorageContext, place: Place, databases: Databases) -> Lease:
    """Return the storage's share in its database."""
    config: AosConfig = ctx.config or AosConfig()
    settings = Settings(
        synchronous=config.Synchronous,
        readers=config.Readers,
        traffic_seconds=config.TrafficMilliseconds / 1000,
        workspace=config.Workspace,
    )
    return databases.lease(place, settings=settings, logger=ctx.logger)

"""Storage `Zdb`: rows in 0-db, in files of its own or on a server."""

from __future__ import annotations

from operator import methodcaller
from typing import TYPE_CHECKING, Final

from statehold.sdk import READ_AND_WRITE, Field, IStateStorage, Provider, Shared, StorageContext
from statehold_zdb.storage._config import ZdbConfig

if TYPE_CHECKING:
    from statehold_zdb.engine import Engine

__all__ = ["ZdbConfig", "make_provider", "provider"]


def make_provider() -> Provider:
    """Return a provider; its storages share the engines of their folders."""
    engines: Shared[Engine] = Shared(methodcaller("close"))

    def open_zdb(ctx: StorageContext) -> IStateStorage:
        from statehold_zdb.storage._storage import Zdb  # noqa: PLC0415 - brings the engine

        return Zdb.open(ctx, engines)

    return Provider(
        name="Zdb",
        open=open_zdb,
        operations=READ_AND_WRITE,
        default_key=[Field("Name", "text", required=True)],
        default_value=[Field("Data", "bytes")],
        config=ZdbConfig,
        sync_projector=True,
        inprocess_only="its files have one process at a time, and versions of an app overlap",
        description="Rows in 0-db: append-only files of its own, or a server",
    )


provider: Final = make_provider()

"""Storage `Zstor`: rows as objects in shards, of which some may be lost."""

from __future__ import annotations

from operator import methodcaller
from typing import TYPE_CHECKING, Final

from statehold.sdk import READ_AND_WRITE, Field, IStateStorage, Provider, Shared, StorageContext
from statehold_zstor.storage._config import ZstorConfig

if TYPE_CHECKING:
    from statehold_zstor.objects import Zstor

__all__ = ["ZstorConfig", "make_provider", "provider"]


def make_provider() -> Provider:
    """Return a provider; its storages share the zstors of their configurations."""
    zstors: Shared[Zstor] = Shared(methodcaller("close"))

    def open_zstor(ctx: StorageContext) -> IStateStorage:
        from statehold_zstor.storage._storage import ZstorStorage  # noqa: PLC0415 - brings all of zstor

        return ZstorStorage.open(ctx, zstors)

    return Provider(
        name="Zstor",
        open=open_zstor,
        operations=READ_AND_WRITE,
        default_key=[Field("Name", "text", required=True)],
        default_value=[Field("Data", "bytes")],
        config=ZstorConfig,
        sync_projector=True,
        description="Rows as objects in shards over many backends, of which some may be lost",
    )


provider: Final = make_provider()

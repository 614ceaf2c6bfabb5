"""Storage `Qsfs`: values as files, in a folder of a filesystem that nobody has to mount."""

from __future__ import annotations

from operator import methodcaller
from typing import TYPE_CHECKING, Final

from statehold.sdk import READ_AND_WRITE, Field, IStateStorage, Provider, Shared, StorageContext
from statehold_qsfs.storage._config import QsfsConfig

if TYPE_CHECKING:
    from statehold_qsfs.storage._store import Store

__all__ = ["QsfsConfig", "make_provider", "provider"]


def make_provider() -> Provider:
    """Return a provider; its storages share the filesystems of their folders."""
    stores: Shared[Store] = Shared(methodcaller("close"))

    def open_qsfs(ctx: StorageContext) -> IStateStorage:
        from statehold_qsfs.storage._storage import Qsfs  # noqa: PLC0415 - brings the filesystem

        return Qsfs.open(ctx, stores)

    return Provider(
        name="Qsfs",
        open=open_qsfs,
        operations=READ_AND_WRITE,
        default_key=[Field("Name", "text", required=True)],
        default_value=[Field("Data", "bytes")],
        config=QsfsConfig,
        sync_projector=True,
        inprocess_only="its files have one process at a time, and versions of an app overlap",
        description="Values as files of a QSFS: large ones are read and written whole, all are durable",
    )


provider: Final = make_provider()

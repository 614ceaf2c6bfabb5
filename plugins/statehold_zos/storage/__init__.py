"""Storages `Disk`, `Pool` and `Namespace`: what a node has, and what is reserved of it, by name."""

from __future__ import annotations

from operator import methodcaller
from typing import TYPE_CHECKING, Final

from statehold.sdk import (
    READ_AND_WRITE,
    Field,
    IStateStorage,
    Operation,
    Provider,
    Shared,
    StorageContext,
)
from statehold_zos.storage._config import DiskConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statehold_zos.node import Node

__all__ = ["DiskConfig", "disk", "make_providers", "namespace", "pool"]

_DISK: Final = {
    operation: scopes for operation, scopes in READ_AND_WRITE.items() if operation is not Operation.INSERT
}
_NAME: Final = (Field("Name", "text", required=True),)
_INPROCESS: Final = "it mounts, limits and starts what a sidecar has no rights for"


def make_providers() -> Mapping[str, Provider]:
    """Return the three providers; their storages share the nodes of their folders."""
    nodes: Shared[Node] = Shared(methodcaller("stop"))

    def open_disk(ctx: StorageContext) -> IStateStorage:
        from statehold_zos.storage._disk import Disk  # noqa: PLC0415 - brings the node

        return Disk.open(ctx, nodes)

    def open_pool(ctx: StorageContext) -> IStateStorage:
        from statehold_zos.storage._pool import Pool  # noqa: PLC0415 - likewise

        return Pool.open(ctx, nodes)

    def open_namespace(ctx: StorageContext) -> IStateStorage:
        from statehold_zos.storage._namespace import Namespace  # noqa: PLC0415 - likewise

        return Namespace.open(ctx, nodes)

    return {
        "Disk": Provider(
            name="Disk",
            open=open_disk,
            operations=_DISK,
            key=_NAME,
            value=[
                Field("Type", "text"),
                Field("Failing", "bool"),
                Field("Device", "text"),
                Field("Size", "int64"),
                Field("State", "text"),
                Field("Reason", "text"),
                Field("Found", "text"),
                Field("Pool", "text"),
                Field("PoolState", "text"),
                Field("PoolSize", "int64"),
                Field("PoolReserved", "int64"),
                Field("PoolUsed", "int64"),
                Field("PoolFree", "int64"),
                Field("Limits", "text"),
            ],
            config=DiskConfig,
            inprocess_only=_INPROCESS,
            description="Disks that a node may use, and the pools that are made of them",
        ),
        "Pool": Provider(
            name="Pool",
            open=open_pool,
            operations=READ_AND_WRITE,
            key=_NAME,
            value=[
                Field("Type", "text", required=True),
                Field("Size", "int64", required=True),
                Field("Released", "bool"),
                Field("Id", "text"),
                Field("Path", "text"),
                Field("Used", "int64"),
                Field("Pool", "text"),
                Field("State", "text"),
                Field("Limits", "text"),
            ],
            requires=("Disk",),
            inprocess_only=_INPROCESS,
            description="Folders of a reserved size on disks of a type",
        ),
        "Namespace": Provider(
            name="Namespace",
            open=open_namespace,
            operations=READ_AND_WRITE,
            key=_NAME,
            value=[
                Field("Type", "text", required=True),
                Field("Size", "int64", required=True),
                Field("Mode", "text"),
                Field("Password", "text"),
                Field("Frozen", "bool"),
                Field("Released", "bool"),
                Field("Id", "text"),
                Field("Host", "text"),
                Field("Port", "int32"),
                Field("Socket", "text"),
                Field("Used", "int64"),
                Field("Pool", "text"),
                Field("State", "text"),
            ],
            requires=("Disk",),
            inprocess_only=_INPROCESS,
            description="Namespaces of 0-db, each of a reserved size, on servers that are started for them",
        ),
    }


_PROVIDERS: Final = make_providers()
disk: Final = _PROVIDERS["Disk"]
pool: Final = _PROVIDERS["Pool"]
namespace: Final = _PROVIDERS["Namespace"]

"""Storage `ServiceStorage`: a folder for each (user claim, service), one limit for those of a service."""

from __future__ import annotations

from typing import Final

from statehold.sdk import READ_AND_WRITE, Field, IStateStorage, Provider, StorageContext
from statehold_aos._service_storage._config import ServiceStorageConfig

__all__ = ["ServiceStorageConfig", "provider"]


def _open(ctx: StorageContext) -> IStateStorage:
    from statehold_aos._service_storage._opening import open_storage  # noqa: PLC0415 - brings sqlite3

    return open_storage(ctx)


provider: Final = Provider(
    name="ServiceStorage",
    open=_open,
    operations=READ_AND_WRITE,
    key=[Field("Service", "text", required=True), Field("Users", "text", required=True)],
    value=[
        Field("StorageLimit", "int64"),
        Field("Uid", "int64"),
        Field("Gid", "int64"),
        Field("Mode", "int32"),
        Field("Removed", "bool"),
        Field("Folder", "text"),
        Field("Used", "int64"),
        Field("Limit", "int64"),
        Field("Quota", "text"),
        Field("Status", "text"),
        Field("Message", "text"),
    ],
    config=ServiceStorageConfig,
    inprocess_only="it mounts, limits and gives away folders, for which a sidecar has no rights",
    description="A folder for each user claim of an AOS service, within the service's limit",
)

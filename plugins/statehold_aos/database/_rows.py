from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Self

import attrs


class ServiceState(IntEnum):
    """What a service does."""

    INIT = 0
    RUNNING = 1
    STOPPED = 2


class ServiceStatus(IntEnum):
    """How a service is."""

    OK = 0
    ERROR = 1


def _column(name: str, **options: Any) -> Any:
    return attrs.field(metadata={"column": name}, **options)


@attrs.frozen(kw_only=True)
class _Stored:
    """Comes from a row of a table and goes to one; where a row has NULL, the default stands."""

    @classmethod
    def of(cls, row: Mapping[Any, Any]) -> Self:
        """Return what *row* says."""
        given = {one.name: row[_name(one)] for one in attrs.fields(cls)}
        return cls(**{name: value for name, value in given.items() if value is not None})

    def row(self) -> dict[str, Any]:
        """Return the columns."""
        return {_name(one): getattr(self, one.name) for one in attrs.fields(type(self))}


@attrs.frozen(kw_only=True)
class Service(_Stored):
    """An installed service.

    Attributes:
        id: its id, the key.
        start_at: when it was started, in milliseconds since 1970; None for never.
        ttl: days it may stay unused.
        state: one of `ServiceState`.
        status: one of `ServiceStatus`.
        ul_limit: bytes that it may send; 0 for no limit, as in all that follow.
        dl_limit: bytes that it may receive.
        ul_speed: bytes a second likewise.
        dl_speed: bytes a second likewise.
        storage_limit: bytes of its storage folders together.
        state_limit: bytes of its state.
        permissions: for VIS, as JSON.
        alert_rules: as JSON.
        layer_list: digests of its layers, as a JSON list.
        device_resources: as JSON.
        board_resources: as JSON; later versions of AOS have it, like `uid` and `gid`.

    """

    id: str = _column("id")
    version: int = _column("version", default=0)
    service_provider: str = _column("serviceProvider", default="")
    path: str = _column("path", default="")
    unit: str = _column("unit", default="")
    user: str = _column("user", default="")
    hostname: str = _column("hostname", default="")
    permissions: str = _column("permissions", default="")
    state: int = _column("state", default=ServiceState.INIT)
    status: int = _column("status", default=ServiceStatus.OK)
    start_at: int | None = _column("startat", default=None)
    ttl: int = _column("ttl", default=0)
    alert_rules: str = _column("alertRules", default="")
    ul_limit: int = _column("ulLimit", default=0)
    dl_limit: int = _column("dlLimit", default=0)
    ul_speed: int = _column("ulSpeed", default=0)
    dl_speed: int = _column("dlSpeed", default=0)
    storage_limit: int = _column("storageLimit", default=0)
    state_limit: int = _column("stateLimit", default=0)
    layer_list: str = _column("layerList", default="")
    device_resources: str = _column("deviceResources", default="")
    uid: int | None = _column("uid", default=None)
    gid: int | None = _column("gid", default=None)
    board_resources: str | None = _column("boardResources", default=None)


@attrs.frozen(kw_only=True)
class UsersService(_Stored):
    """A service that a user claim has.

    Attributes:
        users: the claim, as `users_text` writes it.
        service_id: the service.
        storage_folder: where its files are; empty before there is one.
        state_checksum: of the state that the cloud has accepted; empty before there is one.
        override_env_vars: as JSON; later versions of AOS have it.

    """

    users: str = _column("users")
    service_id: str = _column("serviceid")
    storage_folder: str = _column("storageFolder", default="")
    state_checksum: bytes = _column("stateCheckSum", default=b"")
    override_env_vars: str | None = _column("overrideEnvVars", default=None)


@attrs.frozen(kw_only=True)
class Traffic(_Stored):
    """What has been counted on a chain.

    Attributes:
        chain: the chain, the key.
        time: when it was counted, in milliseconds since 1970.
        value: bytes.

    """

    chain: str = _column("chain")
    time: int = _column("time", default=0)
    value: int = _column("value", default=0)


@attrs.frozen(kw_only=True)
class Layer(_Stored):
    """An installed layer.

    Attributes:
        digest: the digest, the key.
        layer_id: a name for people.
        path: where it is.
        os_version: the version of the system that it fits.
        version: its own version; later versions of AOS have it, like all that follow.
        timestamp: when it was used, in milliseconds since 1970.
        cached: whether nothing uses it: 1, or 0.
        size: bytes.

    """

    digest: str = _column("digest")
    layer_id: str = _column("layerId", default="")
    path: str = _column("path", default="")
    os_version: str = _column("osVersion", default="")
    version: int | None = _column("version", default=None)
    timestamp: int | None = _column("timestamp", default=None)
    cached: int | None = _column("cached", default=None)
    size: int | None = _column("size", default=None)


@attrs.frozen(kw_only=True)
class Instance(_Stored):
    """Storage and state of an instance of a service, as later versions of AOS have them.

    Attributes:
        service_id: the service,
        subject_id: whom it is for,
        instance: and the number of the instance: together the key.
        instance_id: a name of its own.
        storage_quota: bytes of its storage.
        state_quota: bytes of its state.
        state_checksum: of the state that the cloud has accepted; empty before there is one.

    """

    service_id: str = _column("serviceID")
    subject_id: str = _column("subjectID")
    instance: int = _column("instance", default=0)
    instance_id: str = _column("instanceID", default="")
    storage_quota: int = _column("storageQuota", default=0)
    state_quota: int = _column("stateQuota", default=0)
    state_checksum: bytes = _column("stateChecksum", default=b"")


def _name(one: attrs.Attribute[Any]) -> str:
    name: str = one.metadata["column"]
    return name

from __future__ import annotations

from typing import Annotated, Literal

import msgspec


class ServiceStorageConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """JSONCONFIG of `ServiceStorage`.

    Attributes:
        Root: where the folders lie, as an absolute path; empty: in the storage's data folder. Apps, storages
            and partitions have folders of their own there.
        Backend: who keeps the limits; `auto`: the best whose probe was refused a write over its limit.
        Enable: whether quotas may be switched on where a btrfs has none.
        Require: whether to fail rather than open without limits that are enforced.
        DefaultLimit: bytes that the claims of a service may take together if its row says nothing.
        SmallLimits: what becomes of a limit that is smaller or finer than the backend can keep.
        ZeroLimit: what becomes of the data of a service whose limit is set to 0.
        WatchSeconds: how often it is checked that the limits are still kept.

    """

    Root: str = ""
    Backend: Literal["auto", "btrfs-simple", "btrfs-qgroup", "project", "user", "loop", "accounting"] = "auto"
    Enable: bool = False
    Require: bool = False
    DefaultLimit: Annotated[int, msgspec.Meta(ge=1, le=2**60)] = 16 * 2**20
    SmallLimits: Literal["round", "refuse"] = "round"
    ZeroLimit: Literal["keep", "remove"] = "keep"
    WatchSeconds: Annotated[float, msgspec.Meta(ge=0.1, le=86_400)] = 10.0

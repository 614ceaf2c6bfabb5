from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from statehold_aos._storage._config import AosConfig


class LauncherConfig(AosConfig, frozen=True, forbid_unknown_fields=True):
    """JSONCONFIG of `Launcher`, besides that of the other storages of the database.

    Attributes:
        Images: the folder of the images that may be installed.
        Runner: what runs services: `systemd`, `child`, or `auto`, the first of these that works.
        Isolation: whether a child has mounts and processes of its own: `available`: as far as the machine
            permits; `required`: or it is not started; `off`.
        FirstUid: where root runs the host, services get users of their own from this one on,
        Uids: out of so many; 0: all are the host's user.
        HealthMilliseconds: a service that has been there for so long has started well.
        StopSeconds: what all services together may take to end when the host does; then they are killed.
        TtlDays: how long a service stays that no current claim has, if its image does not say.
        SteadySeconds: for how long the clock of the machine must have gone on without a jump before a service
            is removed because it was not used for its time.
        LogBytes: the size of a file of what a service writes,
        LogFiles: and how many of them are kept.

    """

    Images: str = ""
    Runner: Literal["auto", "systemd", "child"] = "auto"
    Isolation: Literal["available", "required", "off"] = "available"
    FirstUid: Annotated[int, msgspec.Meta(ge=1, le=2**31)] = 0x6000_0000
    Uids: Annotated[int, msgspec.Meta(ge=0, le=2**28)] = 0x0FF0_0000
    HealthMilliseconds: Annotated[int, msgspec.Meta(ge=1, le=600_000)] = 1_000
    StopSeconds: Annotated[float, msgspec.Meta(ge=0.1, le=600)] = 8.0
    TtlDays: Annotated[int, msgspec.Meta(ge=1, le=36_500)] = 30
    SteadySeconds: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 600.0
    LogBytes: Annotated[int, msgspec.Meta(ge=4_096, le=2**30)] = 2**20
    LogFiles: Annotated[int, msgspec.Meta(ge=1, le=100)] = 3

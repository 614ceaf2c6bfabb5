from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from statehold.sdk import Secret


class AosConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """JSONCONFIG of `Config`, `Services`, `Users`, `TrafficMonitor` and `Layers`.

    Attributes:
        Database: the path of a file, from the storage's data folder if it is not absolute, or
            `postgresql://...`. Empty: that of `Config`; of `Config` itself, `aos.db` in its data folder.
        Password: for PostgreSQL.
        Synchronous: `FULL`: what was applied survives a loss of power; `NORMAL`: it survives the end of
            the process, and the last of it may be lost with the power.
        Readers: how many connections may read at once; further readers wait.
        TrafficMilliseconds: how long a traffic counter may be in memory alone; 0 writes each one at once.
        Workspace: the workspace that rows of a Service Manager's own database go to.

    Of those who have the same database open, the first one's settings count.

    """

    Database: str = ""
    Password: Secret | None = None
    Synchronous: Literal["FULL", "NORMAL"] = "FULL"
    Readers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 4
    TrafficMilliseconds: Annotated[int, msgspec.Meta(ge=0, le=3_600_000)] = 1000
    Workspace: Annotated[int, msgspec.Meta(ge=0)] = 1

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from statehold.sdk import Secret


class ZdbConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """JSONCONFIG of `Zdb`.

    Attributes:
        Url: a server of 0-db, `zdb://host:port/namespace` or `zdb+unix:///path?namespace=name`; empty for
            files in the storage's data folder.
        Password: of the server's namespace.
        Durability: of files: `every` write synced for itself, `group`: one sync for all who wait, `relaxed`:
            a sync within `Interval` seconds.
        Interval: the most seconds of writes that a loss of power takes with `relaxed`.
        SegmentBytes: after how many bytes a file is closed and the next begun.
        CompactAt: the part of a closed file that nobody needs, from which it is written anew.
        TimeoutMilliseconds: for one call of a server.

    """

    Url: str = ""
    Password: Secret | None = None
    Durability: Literal["every", "group", "relaxed"] = "group"
    Interval: Annotated[float, msgspec.Meta(ge=0.01, le=86_400)] = 1.0
    SegmentBytes: Annotated[int, msgspec.Meta(ge=512 * 1024, lt=4 * 1024**3)] = 64 * 1024 * 1024
    CompactAt: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5
    TimeoutMilliseconds: Annotated[int, msgspec.Meta(ge=1, le=3_600_000)] = 30_000

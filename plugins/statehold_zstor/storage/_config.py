from __future__ import annotations

from typing import Annotated, Literal

import msgspec


class ZstorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """JSONCONFIG of `Zstor`.

    Attributes:
        Config: the file of a zstor's configuration, on the machine of the host; empty for folders in the
            storage's data folder.
        DataShards: of those folders: how many shards suffice to read a row.
        Shards: how many folders there are, each with one shard of every row.
        Compression: of rows, likewise.

    """

    Config: str = ""
    DataShards: Annotated[int, msgspec.Meta(ge=1, le=100)] = 2
    Shards: Annotated[int, msgspec.Meta(ge=1, le=200)] = 3
    Compression: Literal["snappy", "zstd", "none"] = "snappy"

from __future__ import annotations

from typing import Annotated

import msgspec


class EphemeralConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """JSONCONFIG of `Ephemeral`; `PartitionMaxSize` counts the bytes that one partition may take."""

    PartitionMaxSize: Annotated[int, msgspec.Meta(gt=0, le=2**63 - 1)] = 5_000_000

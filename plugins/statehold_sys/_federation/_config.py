from __future__ import annotations

from typing import Annotated

import msgspec


class FederationConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """JSONCONFIG of `FederationCommand` and `FederationBlob`.

    Attributes:
        MaxBodyBytes: an answer with a larger body is an error.
        TimeoutMilliseconds: how long one call may take on the network, an hour at most.
        CaFile: a PEM file of certificate authorities to trust instead of the public ones.

    """

    MaxBodyBytes: Annotated[int, msgspec.Meta(gt=0)] = 100 * 1024 * 1024
    TimeoutMilliseconds: Annotated[int, msgspec.Meta(gt=0, le=3_600_000)] = 20_000
    CaFile: str | None = None

from __future__ import annotations

from typing import Annotated

import msgspec


class HttpConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """JSONCONFIG of `Http`.

    Attributes:
        MaxBodyBytes: a response with a larger body is an error.
        CaFile: a PEM file of certificate authorities to trust instead of the public ones.

    """

    MaxBodyBytes: Annotated[int, msgspec.Meta(gt=0)] = 10 * 1024 * 1024
    CaFile: str | None = None

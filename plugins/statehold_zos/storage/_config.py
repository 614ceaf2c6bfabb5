from __future__ import annotations

from typing import Annotated, Literal

import msgspec


class DiskConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """JSONCONFIG of `Disk`, on whose node `Pool` and `Namespace` of the same package stand, too.

    Attributes:
        Config: the configuration of a node, which the operator allows; empty for a folder of the storage's
            own, in which limits are advisory.
        Size: of that folder, the bytes that may be reserved in it, as "10 GiB".
        Type: of that folder, as what it counts.

    """

    Config: str = ""
    Size: Annotated[str, msgspec.Meta(min_length=1)] = "1 GiB"
    Type: Literal["ssd", "hdd"] = "ssd"

from __future__ import annotations

from typing import Annotated

import msgspec


class QsfsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """JSONCONFIG of `Qsfs`.

    Attributes:
        Folder: where the files are, in the filesystem of the storage's data folder.
        FlushSeconds: the most seconds until what nobody waits for is on the disk, as times of reading.
        QuotaBytes: the most bytes that all files may take; 0 for what the disk has.

    """

    Folder: Annotated[str, msgspec.Meta(pattern=r"^(/[^/\x00]+)+$")] = "/rows"
    FlushSeconds: Annotated[float, msgspec.Meta(ge=0.01, le=3600)] = 3.0
    QuotaBytes: Annotated[int, msgspec.Meta(ge=0)] = 0

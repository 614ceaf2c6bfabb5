from __future__ import annotations

from enum import StrEnum


class Compression(StrEnum):
    """How a block is made smaller, where that helps."""

    NONE = "none"
    SNAPPY = "snappy"
    ZSTD = "zstd"

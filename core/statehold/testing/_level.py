from __future__ import annotations

from enum import IntEnum


class Level(IntEnum):
    """How far a storage can be trusted, as the conformance kit found it; each level includes those below.

    ALPHA opens and implements what it claims, BETA passes every scenario that one caller can meet,
    STABLE also those of many callers, long lives and random histories.
    """

    NONE = 0
    ALPHA = 1
    BETA = 2
    STABLE = 3

    def __str__(self) -> str:
        return self.name.lower()

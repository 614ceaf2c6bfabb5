from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import attrs

from statehold_zdb.engine._disk import Disk
from statehold_zdb.engine._errors import ZdbError

DEFAULT_SEGMENT: Final = 256 * 1024 * 1024
MIN_SEGMENT: Final = 512 * 1024
MAX_SEGMENT: Final = 4 * 1024**3 - 1


class Mode(StrEnum):
    """What the keys of a namespace are."""

    #: Keys of 1 to 255 bytes, as clients give them.
    USER = "user"
    #: Numbers from 0, as 8 bytes, little-endian; an empty key asks for the next one.
    SEQUENTIAL = "seq"


class Sync(StrEnum):
    """When a write counts as done."""

    #: After a sync of its own.
    EVERY = "every"
    #: After a sync, which all share who wait for one.
    GROUP = "group"
    #: At once; a sync follows within an interval.
    RELAXED = "relaxed"


def _interval(_: object, attribute: attrs.Attribute[float], value: float) -> None:
    if not 0.01 <= value <= 86_400:
        raise ZdbError(f"{attribute.name}: expected 0.01 to 86400 seconds, got {value}")


@attrs.frozen
class Durability:
    """What survives a loss of power.

    Attributes:
        sync: when a write counts as done.
        interval: for `RELAXED`, the most seconds of writes that can be lost.

    """

    sync: Sync = attrs.field(default=Sync.GROUP, converter=Sync)
    interval: float = attrs.field(default=1.0, validator=_interval)

    @classmethod
    def parse(cls, text: str) -> Durability:
        """Return what `every`, `group`, `relaxed` or `relaxed:2.5` says; ZdbError for any other text."""
        word, _, seconds = text.partition(":")
        try:
            return cls(Sync(word.lower()), float(seconds)) if seconds else cls(Sync(word.lower()))
        except ValueError:
            raise ZdbError(
                f"a durability: expected every, group, relaxed or relaxed:SECONDS, got {text!r}"
            ) from None

    def __str__(self) -> str:
        return f"{self.sync}:{self.interval:g}" if self.sync is Sync.RELAXED else str(self.sync)


def _segment_size(_: object, __: attrs.Attribute[int], value: int) -> None:
    if not MIN_SEGMENT <= value <= MAX_SEGMENT:
        raise ZdbError(
            f"a segment: expected {MIN_SEGMENT:,} to {MAX_SEGMENT:,} bytes, got {value:,}",
            hint="Large segments are fewer files, small ones are copied away sooner",
        )


@attrs.frozen(kw_only=True)
class EngineOptions:
    """How an engine works, where its namespaces say nothing else.

    Attributes:
        mode: the one mode that all namespaces have, or None where each has its own.
        segment_size: the bytes after which a new segment is begun.
        durability: of namespaces that say nothing of their own.
        default_maxsize: the most payload bytes of the namespace `default`; 0 for no limit.
        rotate: the seconds after which a segment with records is closed though it is not full; 0 for never.
        compact_at: the part of a closed segment that nobody needs any more, from which it is compacted
            without being asked to; 0 for never.
        compact_every: the seconds between two looks for such segments.
        fetch_limit: the seconds that a read waits for a segment that is missing.
        read_only: nothing is written, not even a lock; for media that cannot be.
        clock: returns the seconds since 1970; the system's if None.
        disk: writes and syncs; for tests of disks that fail.

    """

    mode: Mode | None = None
    segment_size: int = attrs.field(default=DEFAULT_SEGMENT, validator=_segment_size)
    durability: Durability = Durability()
    default_maxsize: int = 0
    rotate: float = 0.0
    compact_at: float = 0.0
    compact_every: float = 30.0
    fetch_limit: float = 30.0
    read_only: bool = False
    clock: Callable[[], float] | None = None
    disk: Disk | None = None

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from zlib import crc32

from statehold_qsfs.protection._errors import DivergedError, ProtectionError
from statehold_qsfs.protection._state import Extent, Kept, State
from statehold_zdb.engine import Cut, Part


def check_past(cut: Mapping[str, Cut], kept_of: Callable[[str, int], Kept | None]) -> None:
    """Raise DivergedError if a store has what the engine of *cut* never had."""
    for name, found in cut.items():
        for part in found.parts:
            kept = kept_of(name, part.number)
            if kept is None or kept.salt != part.salt:
                continue
            if not (_is_as_long(part, kept) if kept.whole is not None else has(part, kept.extents)):
                raise DivergedError(
                    f"the store has bytes of {part.path} that are not there",
                    hint="The disk has lost what it had written; restore into an empty folder",
                )


def check_store(cut: Mapping[str, Cut], state: State) -> None:
    """Raise ProtectionError if a store has nothing, and what is here was evicted, so that one had it."""
    for found in cut.values() if not state.areas else ():
        for part in found.parts:
            if part.closed and not Path(part.path).exists():
                raise ProtectionError(
                    f"the store has nothing, and {part.path} is not here because a store has it",
                    hint="Is it the right configuration, and the right key?",
                )


def _is_as_long(part: Part, kept: Kept) -> bool:
    """Whether a segment here has as many bytes as were stored of it; also where nothing of it is here."""
    return part.end == kept.end or not Path(part.path).exists()


def has(part: Part, extents: Iterable[Extent]) -> bool:
    """Whether a segment here has the bytes that were stored of it; also where nothing of it is here."""
    try:
        file = part.open()
    except FileNotFoundError:
        return True
    with file:
        for extent in extents:
            file.seek(extent.start)
            try:
                data = file.read(extent.end - extent.start)
            except OSError:  # a disk that cannot read them does not have them
                return False
            if crc32(data) != extent.crc:
                return False
    return True

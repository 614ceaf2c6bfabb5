from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

import attrs

from statehold_qsfs.protection._state import Kept
from statehold_qsfs.protection._store import Store
from statehold_zdb.engine import Engine, Namespace, Part

#: Down to this part of the limit.
_DOWN_TO: Final = 0.9
#: This part of the limit is to be free on the disk, whoever else writes to it.
_FREE: Final = 0.05


@attrs.define(eq=False)
class Eviction:
    """Deletes closed segments here, those used longest ago first, once they take more than they may.

    Only what the store has, as reading all of it has shown, is deleted. Only one thread calls `run`.

    Attributes:
        engine: whose segments they are.
        store: that has them too.
        kept: returns what the store has of a segment, by namespace and number; None if nothing.
        limit: the bytes that all data may take; 0 for no limit.
        last: the namespaces whose segments go last.
        logger: where it tells what an operator should know.
        free: returns the bytes that are free on the disk.
        evictions: how many segments were deleted.
        retry: the seconds after which what the store lacked some of is looked at again.

    """

    engine: Engine
    store: Store
    kept: Callable[[str, int], Kept | None]
    limit: int
    last: Collection[str]
    logger: logging.Logger
    free: Callable[[], int] = attrs.field(init=False)
    evictions: int = 0
    retry: float = 30.0
    _verified: set[str] = attrs.field(factory=set, init=False)
    _used: dict[tuple[str, int], float] = attrs.field(factory=dict, init=False)
    _unsound: dict[str, float] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self.free = lambda: _free(self.engine.data)

    def room(self, total: int) -> int:
        """Return how many bytes the data may take, if they take *total* now; 0 for no limit."""
        if not self.limit:
            return 0
        lacks = max(0, int(self.limit * _FREE) - self.free())
        return max(1, min(self.limit, total - lacks))

    def has_room(self, size: int) -> bool:
        """Whether *size* bytes may be brought: others can go for them, and enough of the disk stays free."""
        return not self.limit or (size <= self.limit // 4 and self.free() - size >= self.limit * _FREE)

    @property
    def problem(self) -> str:
        """Why data stay here that are too much; empty while none do."""
        return f"{next(iter(self._unsound))} lacks redundancy in the store" if self._unsound else ""

    def run(self) -> None:
        """Delete what is too much; StoreError if the store does not answer whether it has it."""
        now = time.monotonic()
        found: list[tuple[bool, float, int, int, Namespace]] = []
        total = 0
        for namespace in list(self.engine):
            sizes = sizes_of(namespace)
            total += sum(sizes.values())
            for segment in namespace.segments():
                key = namespace.name, segment.number
                if segment.used:
                    segment.used = False
                    self._used[key] = now
                if segment.number in sizes:
                    used = self._used.setdefault(key, now)
                    size = sizes[segment.number]
                    found.append((namespace.name in self.last, used, segment.number, size, namespace))
        limit = self.room(total)
        if not limit or total <= limit:
            self._unsound.clear()
            return
        parts: dict[str, dict[int, Part]] = {}
        for *_, number, size, namespace in sorted(found, key=lambda each: each[:3]):
            if total <= limit * _DOWN_TO:
                return
            if namespace.name not in parts:
                parts[namespace.name] = {part.number: part for part in namespace.cut().parts}
            if self._evict(namespace, parts[namespace.name].get(number), size):
                total -= size

    def _evict(self, namespace: Namespace, part: Part | None, size: int) -> bool:
        kept = self.kept(namespace.name, part.number) if part is not None else None
        if kept is None or kept.whole is None or part is None or not part.closed:
            return False
        if (part.salt, part.end) != (kept.salt, kept.end) or size != kept.end:
            return False
        if kept.whole.name not in self._verified:
            if time.monotonic() < self._unsound.get(kept.whole.name, 0.0):
                return False
            if not self.store.verify(kept.whole.name):
                self.logger.warning("%s stays here: the store lacks some of it", part.path)
                self._unsound[kept.whole.name] = time.monotonic() + self.retry
                return False
            self._unsound.pop(kept.whole.name, None)
            self._verified.add(kept.whole.name)
        try:
            with part.open_index() as index:
                os.fsync(index.fileno())  # it is all that is left of it here
        except FileNotFoundError:
            return False  # compacted meanwhile
        if not namespace.evict(part.number, salt=part.salt):
            return False
        self.evictions += 1
        self._verified.discard(kept.whole.name)  # when it has been brought again, who knows
        return True


def sizes_of(namespace: Namespace) -> dict[int, int]:
    """Return the bytes of the segments whose data are on this disk."""
    sizes = {}
    with contextlib.suppress(FileNotFoundError), os.scandir(namespace.data) as found:
        for entry in found:
            if entry.name[:1] == "d" and entry.name[1:].isdecimal():
                with contextlib.suppress(FileNotFoundError):
                    sizes[int(entry.name[1:])] = entry.stat().st_size
    return sizes


def _free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize

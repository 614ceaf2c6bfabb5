from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Final
from zlib import crc32

import attrs

from statehold.sdk import replace_file, sync_folder
from statehold_qsfs.protection._errors import DivergedError, ProtectionError, StoreError, StoreMissingError
from statehold_qsfs.protection._removals import Removals
from statehold_qsfs.protection._state import Kept, State
from statehold_qsfs.protection._store import Store
from statehold_zdb.engine import ZdbMissingError, hookimpl

#: What is brought of a segment at a time.
UNIT: Final = 1024 * 1024
_UNITS: Final = 32
#: So many reads of the store go on at a time.
_AT_ONCE: Final = 8
_NUMBER: Final = re.compile(r"d(\d+)")
_PART: Final = ".fetched-"


@attrs.define(eq=False)
class Fetching:
    """Brings what was evicted, for those who read: the units that they need, or the whole segment.

    A plugin of the engine.

    Attributes:
        store: where it is brought from.
        kept: returns what the store has of a segment, by namespace and number; None if nothing.
        removals: which segments were removed here on purpose.
        state: what the store had when this began, for what is lost here.
        known: whether the engine still has a segment, by namespace and number.
        logger: where it tells what an operator should know.
        wanted: segments of which so much was read that it is better brought as a whole: namespace, number.
        brought: how many bytes were brought.

    """

    store: Store
    kept: Callable[[str, int], Kept | None]
    removals: Removals
    state: State
    known: Callable[[str, int], bool] = lambda *_: True
    logger: logging.Logger = attrs.field(factory=lambda: logging.getLogger("statehold_qsfs"))
    wanted: set[tuple[str, int]] = attrs.field(factory=set)
    brought: int = 0
    _units: OrderedDict[tuple[str, int], bytes] = attrs.field(factory=OrderedDict, init=False)
    _counts: dict[tuple[str, int], set[int]] = attrs.field(factory=dict, init=False)
    _under_way: dict[tuple[str, int], Future[bytes]] = attrs.field(factory=dict, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _turns: threading.BoundedSemaphore = attrs.field(
        factory=lambda: threading.BoundedSemaphore(_AT_ONCE), init=False
    )

    @hookimpl
    def zdb_namespaces_init(self, index: str, data: str) -> None:
        """Bring back what is lost of the folders: all but what was removed on purpose.

        Raises:
            DivergedError: the newest is lost, of a namespace that is not lost as a whole.

        """
        for left in Path(data).glob(f"*/{_PART}*"):
            left.unlink(missing_ok=True)
        removed = self.removals.read()
        for name, area in self.state.areas.items():
            files = Path(data, name), Path(index, name)
            lost = [
                number
                for number in area.parts
                if (name, number) not in removed
                and not (files[0] / f"d{number}").exists()
                and not (files[1] / f"i{number}").exists()
            ]
            if max(area.parts, default=-1) in lost and any(files[0].glob("d*")):
                raise DivergedError(
                    f"{name}: what is here is older than what was stored of it",
                    hint="Was the disk set back to an earlier state? Restore into an empty folder",
                )
            settings = files[1] / "zdb-namespace"
            if lost or (area.parts and not settings.exists() and any(files[0].glob("d*"))):
                self.logger.error("%s: %d segments are lost here, and brought back", name, len(lost))
                for folder in files:
                    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                if not settings.exists():
                    replace_file(settings, area.settings)
                for number in lost:
                    self.bring_back(area.parts[number], files[0] / f"d{number}", files[1] / f"i{number}")

    @hookimpl
    def zdb_removing(self, namespace: str, segments: Sequence[int]) -> None:
        """Note that segments go on purpose."""
        self.removals.note(namespace, segments)

    @hookimpl
    def zdb_missing_range(self, namespace: str, path: str, offset: int, size: int) -> bytes | None:
        """Return bytes of a segment that only the store has, reading only the units that have them."""
        number = _number(path)
        kept = self.kept(namespace, number)
        if kept is None or kept.whole is None:
            return None
        size = min(size, kept.end - offset)
        if size <= 0:
            return None
        first, last = offset // UNIT, (offset + size - 1) // UNIT
        try:
            data = b"".join(
                self._unit(kept.whole.name, unit, kept.whole.size) for unit in range(first, last + 1)
            )
        except StoreMissingError:
            return None  # a compaction came in between; whoever asks looks again
        except StoreError as error:
            raise ZdbMissingError(
                f"{namespace}: segment {number} cannot be brought now: {error.message}",
                segment=number,
                hint="Reads go on when the backends answer again",
            ) from error
        self._note(namespace, number, range(first, last + 1), kept.end)
        start = offset - first * UNIT
        return data[start : start + size]

    @hookimpl
    def zdb_missing_data(self, namespace: str, path: str) -> bool:
        """Bring a whole segment; whether that could be."""
        kept = self.kept(namespace, _number(path))
        if kept is None:
            return False
        self.bring(namespace, kept, Path(path))
        return True

    def bring(self, namespace: str, kept: Kept, path: Path) -> None:
        """Write the data of a segment to *path*, where they appear as a whole, unless something is there."""
        target = path.with_name(f"{_PART}{path.name}-{secrets.token_hex(4)}")
        try:
            with target.open("xb") as file:
                for data in data_of(self.store, kept):
                    file.write(data)
                    self.brought += len(data)
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):  # a compaction may have been there first
                path.hardlink_to(target)
                if not self.known(namespace, _number(path.name)):
                    path.unlink(missing_ok=True)  # nobody needs it any more
        finally:
            target.unlink(missing_ok=True)
        sync_folder(path.parent)

    def bring_back(self, kept: Kept, path: Path, index: Path) -> None:
        """Write what the engine needs of a segment that it is to know: the index file, or the data."""
        if kept.whole is None:
            self.bring(path.parent.name, kept, path)
            return
        data = self.store.read(kept.whole.name, kept.whole.size, kept.whole.index)
        if len(data) != kept.whole.index:
            raise ProtectionError(f"{kept.whole.name}: expected {kept.whole.index} bytes of index")
        self.brought += len(data)
        replace_file(index, data)

    def take_wanted(self) -> list[tuple[str, int]]:
        """Return the segments that are better brought as a whole, once."""
        with self._lock:
            wanted, self.wanted = self.wanted, set()
            return sorted(wanted)

    def _unit(self, name: str, unit: int, end: int) -> bytes:
        key = name, unit
        with self._lock:
            data = self._units.get(key)
            if data is not None:
                self._units.move_to_end(key)
                return data
            future = self._under_way.get(key)
            mine = future is None
            if future is None:
                future = self._under_way[key] = Future()
        if mine:
            self._bring_unit(key, end, future)
        return future.result()

    def _bring_unit(self, key: tuple[str, int], end: int, future: Future[bytes]) -> None:
        try:
            data = self._read_unit(*key, end)
        except BaseException as error:  # noqa: BLE001 - all who wait for it get it
            with self._lock:
                del self._under_way[key]
            future.set_exception(error)
            return
        with self._lock:
            del self._under_way[key]
            self._units[key] = data
            self.brought += len(data)
            while len(self._units) > _UNITS:
                self._units.popitem(last=False)
        future.set_result(data)

    def _read_unit(self, name: str, unit: int, end: int) -> bytes:
        size = min(UNIT, end - unit * UNIT)
        with self._turns:
            data = self.store.read(name, unit * UNIT, size)
        if len(data) != size:
            raise StoreError(f"{name}: expected {size} bytes from {unit * UNIT} on, got {len(data)}")
        return data

    def _note(self, namespace: str, number: int, units: range, end: int) -> None:
        with self._lock:
            seen = self._counts.setdefault((namespace, number), set())
            seen.update(units)
            if len(seen) > 1 and len(seen) * UNIT * 2 > end:
                self.wanted.add((namespace, number))
                del self._counts[namespace, number]


def data_of(store: Store, kept: Kept) -> Iterator[bytes]:
    """Yield the data of a segment, checked, in pieces; ProtectionError if they are not what was stored."""
    if kept.whole is not None:
        for start in range(0, kept.end, UNIT):
            size = min(UNIT, kept.end - start)
            data = store.read(kept.whole.name, start, size)
            if len(data) != size:
                raise ProtectionError(f"{kept.whole.name}: expected {kept.whole.size} bytes of data")
            yield data
        return
    at = 0
    for extent in kept.extents:
        data = store.read(extent.name, extent.offset, extent.end - extent.start)
        if extent.start != at or crc32(data) != extent.crc:
            raise ProtectionError(f"{extent.name}: what is there is not what was stored")
        at = extent.end
        yield data
    if at != kept.end:
        raise ProtectionError(f"a segment of {kept.end} bytes is stored up to {at} only")


def _number(path: str) -> int:
    match = _NUMBER.fullmatch(Path(path).name)
    return int(match[1]) if match else -1

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, Final
from zlib import crc32

import attrs
import msgspec

from statehold_qsfs.protection._claim import Claim
from statehold_qsfs.protection._divergence import has
from statehold_qsfs.protection._errors import ProtectionError, StoreError
from statehold_qsfs.protection._fetching import data_of
from statehold_qsfs.protection._state import (
    Area,
    AreaChange,
    Change,
    Extent,
    Kept,
    State,
    Whole,
    encode_change,
    key_of,
)
from statehold_qsfs.protection._streams import whole
from statehold_zdb.engine import Cut, Engine, Part

#: Up to so many bytes are sent with the change that tells of them.
INLINE: Final = 256 * 1024
#: The most bytes of an object with part of a segment.
PIECE: Final = 4 * 1024 * 1024
#: So many small extents at the end of a segment become one.
_MOST_EXTENTS: Final = 48
_SMALL: Final = 1024 * 1024
#: After so many large objects a change tells of them, though the cut is not whole yet.
_EARLY: Final = 4
_TRIES: Final = 5


@attrs.frozen
class _Range:
    """Bytes of a segment that are to be stored: from `start` to the end of the cut."""

    namespace: str
    part: Part
    before: tuple[Extent, ...]
    start: int

    @property
    def size(self) -> int:
        return self.part.end - self.start


@attrs.define(eq=False)
class Publisher:
    """Brings the state of a store to that of the engine, one cut after another.

    Only one thread calls `publish`, one `write_base`; `seal` may be called by any.

    Attributes:
        engine: what is protected.
        claim: whose turn it is.
        state: what the store has.
        lock: who reads or changes the state has it.
        pool: stores large objects, a few at a time.
        logger: where it tells what an operator should know.
        ended: nothing more is sent once it is set.
        sent: how many bytes were stored since it began.

    """

    engine: Engine
    claim: Claim
    state: State
    lock: threading.RLock
    pool: ThreadPoolExecutor
    logger: logging.Logger
    ended: threading.Event
    sent: int = 0
    base_seq: int = -1
    published: object = None
    _wholes: dict[str, Whole] = attrs.field(factory=dict, init=False)
    _told: set[str] = attrs.field(factory=set, init=False)
    _numbers: Iterator[int] = attrs.field(factory=itertools.count, init=False)

    def __attrs_post_init__(self) -> None:
        self._wholes.update(self.state.wholes)
        self._told.update(self.state.wholes)

    def revision(self) -> object:
        """Return what is another one whenever there may be something to publish."""
        return {namespace.name: namespace.revision for namespace in self.engine}

    @property
    def unpublished_wholes(self) -> bool:
        """Whether a segment was sealed of which the state does not tell yet."""
        with self.lock:
            return bool(set(self._wholes) - self._told)

    def publish(self) -> None:
        """Store all that the engine has now; when it returns a restored machine would have it.

        Raises:
            StoreError: the store did not take it; what it took is not sent again.
            FencedError: another machine has taken over.
            ZdbError: this disk refuses.

        """
        for _ in range(_TRIES):
            self._close_segments()
            revision = self.revision()
            cut = self.engine.cut()
            taken = time.time()
            for name in cut:
                namespace = self.engine.get(name)
                if namespace is not None:
                    namespace.sync()  # what the store has must never be more than what is here
            try:
                self._publish(cut, taken)
            except FileNotFoundError:
                continue  # a compaction, or an end of a namespace, came in between
            self.published = revision
            return
        raise StoreError("segments were compacted again and again while they were sent")

    def seal(self, namespace: str, part: Part, kept: Kept | None = None) -> None:
        """Store a closed segment as one object, in the place of many; the next change tells of it.

        What was stored of it before is in *kept*: where a disk has damaged it since, that is taken.
        """
        key = key_of(namespace, part.number, part.salt)
        with self.lock:
            if key in self._wholes:
                return
        self._check()
        name = self.claim.name(next(self._numbers))
        instead = None
        if kept is not None and not has(part, kept.extents):
            self.logger.error(
                "%s is damaged here; the store has it. Stop, delete it, and it comes back at the next start",
                part.path,
            )
            instead = data_of(self.claim.store, kept)
        with whole(part, instead) as (stream, index):
            self.claim.store.put(name, stream)
        with self.lock:
            self._wholes[key] = Whole(name, part.end, index)
            self.sent += part.end + index

    def write_base(self) -> None:
        """Store the state as a whole, and delete what nothing refers to any more."""
        state = self.state
        with self.lock:
            # A segment that was sealed after the last cut comes into the state with the next one.
            needed = {*state.needed(), *(found.name for found in self._wholes.values())}
            dying = state.dying | (state.objects | set(state.logs)) - needed
            seq = state.seq
            data = State(
                seq=seq,
                taken=state.taken,
                areas=state.areas,
                wholes=state.wholes,
                objects=(state.objects & needed),
                logs=[name for name in state.logs if name in needed],
                dying=dying - {self.claim.base},
            ).encode()
        self.claim.store.put(self.claim.base, data)
        self.claim.check()
        with self.lock:
            state.dying |= dying
            state.objects -= dying
            state.logs = [name for name in state.logs if name not in dying]
            self.base_seq = seq
            self.sent += len(data)
        for name in sorted(dying):
            self.claim.store.delete(name)
            with self.lock:
                state.dying.discard(name)

    def sweep(self) -> None:
        """Delete what earlier turns have stored and nothing ever referred to."""
        with self.lock:
            known = set(self.state.needed()) | self.state.objects | set(self.state.logs)
        for name in self.claim.store.names(f"{self.claim.prefix}/"):
            if name not in known and self.claim.is_older(name):
                self.claim.check()
                self.claim.store.delete(name)

    # Inside

    def _check(self) -> None:
        # The pool does not cancel what waits in it: who waits for a future that it cancels does for ever.
        if self.ended.is_set():
            raise StoreError("it was not sent: the end came first")

    def _close_segments(self) -> None:
        """Let full segments be whole with their index files, so that each is sent as one object."""
        for namespace in self.engine:
            area = self.state.areas.get(namespace.name)
            last = max(area.parts, default=0) if area is not None else 0
            if namespace.segments()[-1].number > last:
                namespace.sync()
                namespace.write_index()

    def _publish(self, cut: Mapping[str, Cut], taken: float) -> None:
        ranges = list(self._ranges(cut))
        self._store_wholes(ranges)
        extents, payload = self._store_ranges([each for each in ranges if self._whole_of(each) is None])
        areas: dict[str, AreaChange] = {}
        for name, found in cut.items():
            change = self._area(name, found, extents)
            if change is not None:
                areas[name] = change
        with self.lock:
            gone = tuple(name for name in self.state.areas if name not in cut)
        if areas or gone:
            self._write(Change(seq=self.state.seq + 1, taken=taken, areas=areas, gone=gone), payload)
        self._forget(cut)

    def _ranges(self, cut: Mapping[str, Cut]) -> Iterator[_Range]:
        """Yield what is in the cut and not stored."""
        for name, found in cut.items():
            area = self.state.areas.get(name)
            for part in found.parts:
                kept = area.parts.get(part.number) if area is not None else None
                if kept is not None and kept.covers(part):
                    continue
                before = kept.extents if kept is not None and kept.salt == part.salt else ()
                start = _start(part, before)
                yield _Range(name, part, tuple(each for each in before if each.end <= start), start)

    def _whole_of(self, range_: _Range) -> Whole | None:
        part = range_.part
        found = self._wholes.get(key_of(range_.namespace, part.number, part.salt))
        return found if found is not None and part.closed and found.size == part.end else None

    def _store_wholes(self, ranges: list[_Range]) -> None:
        """Store closed segments of which nothing is stored, each as one object."""
        under_way: set[Future[None]] = set()
        failed: list[BaseException] = []
        todo = [
            each
            for each in ranges
            if each.part.closed and not each.start and each.size > INLINE and self._whole_of(each) is None
        ]
        for each in todo:
            under_way.add(self.pool.submit(self.seal, each.namespace, each.part))
        while under_way:
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            failed += [error for future in done if (error := _error(future)) is not None]
            if failed:
                for future in under_way:
                    future.cancel()
            self._tell_early(_EARLY if under_way and not failed else 1 if failed else len(todo) + 1)
        if failed:
            raise failed[0]

    def _tell_early(self, least: int) -> None:
        """Note in the store what it has, so that it is not sent again by who goes on after a crash."""
        with self.lock:
            new = {key: found for key, found in self._wholes.items() if key not in self._told}
        if len(new) >= least:
            self._write(Change(seq=self.state.seq + 1, taken=self.state.taken, wholes=new), b"")

    def _store_ranges(self, ranges: list[_Range]) -> tuple[dict[tuple[str, int], tuple[Extent, ...]], bytes]:
        """Store parts of segments; return where they are, and what is to go with the change."""
        if sum(each.size for each in ranges) <= INLINE:
            payload = bytearray()
            found = {}
            for each in ranges:
                data = _read(each.part, each.start, each.part.end)
                extent = Extent(each.start, each.part.end, "", len(payload), crc32(data))
                found[each.namespace, each.part.number] = (*each.before, extent) if data else each.before
                payload += data
            return found, bytes(payload)
        pieces = [
            (each, self.pool.submit(self._store_piece, each.part, start, min(start + PIECE, each.part.end)))
            for each in ranges
            for start in range(each.start, each.part.end, PIECE)
        ]
        wait([future for _, future in pieces])
        found = {(each.namespace, each.part.number): each.before for each in ranges}
        if any(_error(future) is not None for _, future in pieces):
            with self.lock:  # the next base deletes those that were stored in vain
                self.state.objects.update(
                    future.result().name for _, future in pieces if _error(future) is None
                )
        for each, future in pieces:
            found[each.namespace, each.part.number] += (future.result(),)
        return found, b""

    def _store_piece(self, part: Part, start: int, end: int) -> Extent:
        self._check()
        data = _read(part, start, end)
        name = self.claim.name(next(self._numbers))
        self.claim.store.put(name, data)
        with self.lock:
            self.sent += len(data)
        return Extent(start, end, name, 0, crc32(data))

    def _area(
        self, name: str, cut: Cut, extents: Mapping[tuple[str, int], tuple[Extent, ...]]
    ) -> AreaChange | None:
        """Return what becomes of a namespace; None if nothing does."""
        area = self.state.areas.get(name) or Area(b"", {})
        parts: dict[int, Kept] = {}
        for part in cut.parts:
            kept = area.parts.get(part.number)
            if kept is not None and kept.covers(part):
                if kept.whole is None and (found := self._whole_of(_Range(name, part, (), 0))) is not None:
                    parts[part.number] = Kept(part.salt, part.end, (), found)
                continue
            found = self._whole_of(_Range(name, part, (), 0))
            if found is not None:
                parts[part.number] = Kept(part.salt, part.end, (), found)
            elif (name, part.number) in extents:
                parts[part.number] = Kept(part.salt, part.end, extents[name, part.number])
            else:
                raise ProtectionError(f"{name}: segment {part.number} is neither here nor stored")
        there = {part.number for part in cut.parts}
        gone = tuple(number for number in area.parts if number not in there)
        settings = msgspec.json.encode(cut.settings)
        if not parts and not gone and settings == area.settings:
            return None
        return AreaChange(settings, parts, gone)

    def _write(self, change: Change, payload: bytes) -> None:
        data, start = encode_change(change, payload)
        name = self.claim.log(change.seq)
        self.claim.store.put(name, data)
        self.claim.check()
        with self.lock:
            self.state.apply(change, name, start)
            self._told.update(change.wholes)
            self.sent += len(data)

    def _forget(self, cut: Mapping[str, Cut]) -> None:
        """Forget sealed segments that are in the state by now, or in no cut any more."""
        with self.lock:
            placed = {
                kept.whole.name
                for area in self.state.areas.values()
                for kept in area.parts.values()
                if kept.whole
            }
            for key, found in list(self._wholes.items()):
                namespace, number, salt = key.rsplit("/", 2)
                parts = cut[namespace].parts if namespace in cut else ()
                if any(part.number == int(number) and part.salt == int(salt, 16) for part in parts) and (
                    found.name not in placed
                ):
                    continue
                del self._wholes[key]
                self._told.discard(key)
                if found.name not in placed:
                    self.state.objects.add(found.name)  # the next base deletes it


def _error(future: Future[Any]) -> BaseException | None:
    return StoreError("it was not sent: another one failed") if future.cancelled() else future.exception()


def _start(part: Part, extents: tuple[Extent, ...]) -> int:
    """Return from where on a segment is stored next: behind what is stored, or before many small extents.

    Never before one that a disk has damaged here: what is stored of it stays.
    """
    if not extents:
        return 0
    small = list(itertools.takewhile(lambda each: each.end - each.start < _SMALL, reversed(extents)))
    if len(small) >= _MOST_EXTENTS:
        small = list(itertools.takewhile(lambda each: has(part, [each]), small))
    return small[-1].start if len(small) >= _MOST_EXTENTS else extents[-1].end


def _read(part: Part, start: int, end: int) -> bytes:
    with part.open() as file:
        file.seek(start)
        data = file.read(end - start)
    if len(data) != end - start:
        raise StoreError(f"{part.path} is shorter than what was written to it")
    return data

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs
import msgspec

from statehold_zdb.engine._blocks import UNKNOWN
from statehold_zdb.engine._compaction import Compaction
from statehold_zdb.engine._core import Closed
from statehold_zdb.engine._errors import ZdbError, ZdbWormError
from statehold_zdb.engine._indexing import BLOCK_ENTRIES
from statehold_zdb.engine._options import Sync
from statehold_zdb.engine._segment import HEADER_SIZE, INDEX_MARK, Segment, read_header
from statehold_zdb.engine._settings import Settings
from statehold_zdb.engine._writing import Writing


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to know of a namespace.

    Attributes:
        entries: how many keys it has.
        live_bytes: the payload bytes of all keys.
        next_id: the next key of a sequential namespace.
        data_bytes: what its data take on this disk.
        index_bytes: what its index files take.
        segments: how many segments it has.
        missing: how many of them have no data on this disk.
        active: the number of the segment that is written to, its files, and where the next record begins.
        unsynced: how many records may be lost with the power now.
        unsynced_seconds: for how long the first of them may.
        broken: why nothing is written any more; empty while it can be.

    """

    entries: int
    live_bytes: int
    next_id: int
    data_bytes: int
    index_bytes: int
    segments: int
    missing: int
    active: int
    active_offset: int
    active_data: str
    active_index: str
    unsynced: int
    unsynced_seconds: float
    broken: str


@attrs.define(eq=False, kw_only=True)
class Namespace(Writing):
    """Keys and their payloads, in files of their own.

    Any number of threads may use it. Memory has a position for each key; payloads are read from the files,
    and their CRCs checked, at every GET.
    """

    _compacted: int = attrs.field(default=0, init=False)
    #: Who swaps holds the lock of the key while it is synced; others may share that sync.
    _swapping: tuple[threading.Lock, ...] = attrs.field(init=False)

    @_swapping.default
    def _locks(self) -> tuple[threading.Lock, ...]:
        return tuple(threading.Lock() for _ in range(64))

    def keep(self) -> None:
        """Do what is due: write, sync, write index files, close a segment that is old."""
        if self.closed or self.options.read_only or self._log.broken:
            return
        durability = self.durability
        count, age = self.unsynced
        if durability.sync is Sync.RELAXED and count and age >= durability.interval / 2:
            self.sync()
        rotate = self.options.rotate
        held = self.settings.lock or self.settings.freeze
        if rotate and self._log.written > HEADER_SIZE and self._log.age >= rotate and not held:
            self.jump()
        self.write_index()

    @property
    def revision(self) -> tuple[int, int, int, Settings]:
        """What is another one whenever a cut may be: records, segments or settings have changed."""
        log = self._log
        return log.number, log.generation, len(log.numbers), self.settings

    def jump(self) -> None:
        """Close the segment that is written to, if it has records, and begin another."""
        with self._lock:
            self._check_write()
            self._flush()
            if self._log.written > HEADER_SIZE:
                self._log.begin()
                self._save()
        self.sync()
        self.write_index()

    def write_index(self, *, all_synced: bool = False) -> None:
        """Put records into index files; without *all_synced* only where there are many."""
        with self._index_io:
            while True:
                with self._lock:
                    log = self._log
                    least = 1 if all_synced else BLOCK_ENTRIES
                    block = log.indexing.take_block(log.slots, log.active, log.synced, least=least)
                if block is None:
                    return
                try:
                    log.indexing.write_block(block)
                except OSError as error:
                    # The data are what counts; a start reads more of them, then.
                    self._note_error(writing=True)
                    self.say(f"cannot write {block.segment.index_path}: {error}")
                    return
                with self._lock:
                    log.indexing.note_block(block)
                    new = log.numbers.get(block.segment.number + 1)
                    dirty = [n for n, s in log.numbers.items() if s.dirty]
                if block.closes and new is not None:
                    self.on_closed(self, Closed(block.segment, new, dirty))

    def compact(self, *, dead: float = 0.0) -> int:
        """Write segments anew with what is needed of them, and return the bytes given back.

        Those of which less than the part *dead* is not needed are left alone. Reads go on. Older versions of
        keys are gone afterwards. A worm namespace has nothing to give back.
        """
        self._check_write()
        with self._compacting:
            self.jump()
            return self._compaction().run(dead)

    def compact_if_changed(self, dead: float) -> None:
        """Compact closed segments of which *dead* is not needed, if something was written since last."""
        number = self._log.number
        if self.closed or self.settings.lock or self.settings.freeze or number == self._compacted:
            return
        self._compacted = number
        with self._compacting:
            self._compaction().run(dead)

    def _compaction(self) -> Compaction:
        return Compaction(
            self._log,
            self._keys,
            self._lock,
            self.say,
            sync=self.sync,
            flush=self._flush,
            # With those who wait for it to be read: brought twice, it might replace what takes its place.
            fetch=lambda segment: self.fetching.wait(segment.number, self.options.fetch_limit),
            removing=lambda segment: self.on_removing(self, [segment]),
        )

    def swap(self, key: bytes, before: bytes | None, after: bytes | None) -> bool:
        """Put *after* under *key* if exactly *before* stands there; return whether it did. None is nothing.

        Of those who swap at once with the same *before* one succeeds. Raises as `get` and `set` do.
        """
        with self._swapping[hash(key) % len(self._swapping)]:
            if self.get(key) != before:
                return False
            if after is None:
                self.delete(key)
            else:
                self.set(key, after)
            return True

    def evict(self, segment: int, *, salt: int | None = None) -> bool:
        """Delete the data of a closed segment from this disk; its index stays. False if it cannot go yet.

        Or if its data are others by now than those of the part with that *salt*.
        """
        with self._lock:
            found = self._log.numbers.get(segment)
            if (
                found is None
                or self.options.read_only
                or not self._log.is_indexed(found)
                or not _has_index(found)
                or salt not in (None, found.salt)
            ):
                return False
            Path(found.path).unlink(missing_ok=True)
        self.descriptors.forget(found)
        return True

    def take_settings(self, settings: Settings, keep: Callable[[], None]) -> None:
        """Be told to be something else, once that is kept; the mode only while there are no records."""
        with self._lock:
            if settings.mode is not self.settings.mode:
                if len(self._keys) or self._log.next_id or self._log.has_records:
                    raise ZdbError(f"{self.name} has records: its mode stays")
                keep()
                self.settings = settings
                self._keys = self._recovery().keys
            else:
                keep()
                self.settings = settings

    def segments(self) -> Sequence[Segment]:
        """Return its segments, the oldest first."""
        return self._segments()

    def reload(self) -> None:
        """Take the files as they are now, also those that others have put in place.

        What closed segments have is read while all else goes on; only for the last one writes wait. A
        namespace that was not written any more, because a sync had failed, is again.
        """
        self._check_open()
        with self._compacting, self._index_io:
            recovery = self._recovery()
            with self._lock:
                log = self._log
                closed = {number for number, found in log.numbers.items() if log.is_indexed(found)}
            found = [segment for segment in recovery.find(keep=True) if segment.number in closed]
            for segment in found:
                recovery.load(segment)
            with self._io, self._lock:
                if log.broken:
                    log.drop_staged(self._broken())
                    log.write_again()
                else:
                    self._flush()
                done = {segment.number for segment in found}
                for segment in recovery.find(keep=self.options.read_only):
                    if segment.number not in done:
                        recovery.load(segment)
                recovery.finish()
                log.close()
                self._take(recovery)
                if self.changed is not None:
                    self.changed(b"")

    def clear(self) -> None:
        """Remove all keys, and all files but those of a new segment."""
        with self._compacting, self._index_io, self._io, self._lock:
            self._check_write()
            if self.settings.worm:
                raise ZdbWormError(f"{self.name}: in a worm namespace nothing is removed")
            self._flush()
            log = self._log
            old = list(log.numbers.values())
            before = log.live, log.next_id
            # What is noted of the segment that is closed counts if it is not removed, after all.
            log.live, log.next_id = UNKNOWN, 0
            try:
                log.begin()
                self.on_removing(self, old)
            except BaseException:
                log.live, log.next_id = before
                raise
            log.live = 0
            log.forget(old)
            log.generation += 1
            self._keys = self._recovery().keys
            self._save()
            for segment in old:
                Path(segment.path).unlink(missing_ok=True)
                Path(segment.index_path).unlink(missing_ok=True)
            if self.changed is not None:
                self.changed(b"")
        self.sync()

    def close(self) -> None:
        """Write and sync what there is, and let go of all files."""
        if not self.options.read_only and not self._log.broken:
            self.sync()
            self.write_index(all_synced=True)
            with contextlib.suppress(OSError), self._lock:
                self._log.close_index()
        self.abandon("it was closed")

    def abandon(self, why: str) -> None:
        """Let go of all files; what is staged is not written."""
        with self._compacting, self._index_io, self._io, self._lock:
            self.closed = why
            self._log.drop_staged(ZdbError(f"{self.name}: {why}"))
            self._log.close()

    def dirty(self, *, reset: bool = False) -> list[int]:
        """Return the closed segments whose files have changed since."""
        with self._lock:
            found = [segment for segment in self._segments() if segment.dirty]
            if reset:
                for segment in found:
                    segment.dirty = False
            return [segment.number for segment in found]

    def figures(self) -> Figures:
        """Return what there is to know of it."""
        with self._lock:
            log, active, segments = self._log, self._log.active, self._segments()
            unsynced, age = self.unsynced
            data = [_size(segment.path) for segment in segments]
            index = [_size(segment.index_path) for segment in segments]
            return Figures(
                entries=len(self._keys),
                live_bytes=log.live,
                next_id=log.next_id,
                data_bytes=sum(filter(None, data)),
                index_bytes=sum(filter(None, index)),
                segments=len(segments),
                missing=data.count(None),
                active=active.number if active is not None else 0,
                active_offset=log.end,
                active_data=active.path if active is not None else "",
                active_index=active.index_path if active is not None else "",
                unsynced=unsynced,
                unsynced_seconds=age,
                broken=log.broken,
            )


def _has_index(segment: Segment) -> bool:
    """Whether the index file of *segment* is of its data, and not of what they were before a compaction."""
    try:
        head = read_header(segment.index_path, INDEX_MARK)
    except OSError:
        return False
    return head is not None and segment.salt in {0, head.salt}


def _size(path: str) -> int | None:
    try:
        return Path(path).stat().st_size
    except FileNotFoundError:
        return None

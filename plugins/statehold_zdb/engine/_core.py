from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import attrs

from statehold_zdb.engine._blocks import Entry
from statehold_zdb.engine._cut import Cut, part_of
from statehold_zdb.engine._descriptors import Descriptors
from statehold_zdb.engine._disk import Disk
from statehold_zdb.engine._errors import (
    ZdbError,
    ZdbFrozenError,
    ZdbReadOnlyError,
    ZdbWriteError,
)
from statehold_zdb.engine._keys import Keys, SequentialKeys, UserKeys
from statehold_zdb.engine._log import Log
from statehold_zdb.engine._options import Durability, EngineOptions, Mode
from statehold_zdb.engine._recovery import Recovery
from statehold_zdb.engine._segment import Segment
from statehold_zdb.engine._settings import Settings
from statehold_zdb.engine._sync import Syncing


class Closed(NamedTuple):
    """A segment was closed, and another begun; `dirty` are older ones whose files have changed since."""

    old: Segment
    new: Segment
    dirty: Sequence[int]


@attrs.define(eq=False, kw_only=True)
class Core:
    """What a namespace stands on: its files, its index, and who may touch them when.

    Attributes:
        settings: what it is told to be.
        options: those of its engine.
        data: the folder of its data.
        index: the folder of its index files and settings.
        now: the seconds since 1970.
        say: where it tells what an operator should know.
        on_missing: brings a segment back that is not on this disk; says whether it did.
        on_missing_range: returns bytes of such a segment, from an offset on; None where it cannot.
        on_removing: told of segments that are about to be removed.
        on_closed: told of each segment that was closed, once it is on disk and indexed.
        changed: told each key that stood and is written anew or deleted, b"" where all may be; for caches.
        closed: why it is of no use any more; empty while it is.
        read_errors, write_errors, last_error_at: what the disk refused, and when last, in seconds since 1970.

    """

    settings: Settings
    options: EngineOptions
    data: Path
    index: Path
    disk: Disk
    descriptors: Descriptors
    now: Callable[[], float]
    say: Callable[[str], None]
    on_missing: Callable[[Core, Segment], bool]
    on_closed: Callable[[Core, Closed], None]
    on_missing_range: Callable[[Core, Segment, int, int], bytes | None] = lambda *_: None
    on_removing: Callable[[Core, Sequence[Segment]], None] = lambda *_: None
    changed: Callable[[bytes], object] | None = None
    closed: str = ""
    read_errors: int = 0
    write_errors: int = 0
    last_error_at: int = 0
    _keys: Keys = attrs.field(init=False)
    _log: Log = attrs.field(init=False)
    # Who takes several takes them in this order.
    _compacting: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _index_io: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _io: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _lock: threading.RLock = attrs.field(factory=threading.RLock, init=False)
    _syncing: Syncing = attrs.field(init=False)
    _saved_live: int = attrs.field(default=0, init=False)
    _saved_next_id: int = attrs.field(default=0, init=False)
    _saved_number: int = attrs.field(default=0, init=False)
    _durability: tuple[str, Durability] = attrs.field(default=("", Durability()), init=False)
    _unsynced_since: float = attrs.field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        recovery = self._recovery()
        recovery.run()
        self._take(recovery)

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def name(self) -> str:
        """Its name."""
        return self.settings.name

    @property
    def durability(self) -> Durability:
        """When a write counts as done."""
        own = self.settings.durability
        if not own:
            return self.options.durability
        if self._durability[0] != own:
            self._durability = own, Durability.parse(own)
        return self._durability[1]

    @property
    def synced(self) -> int:
        """The number of the last record that survives a loss of power."""
        return self._log.synced

    @property
    def failed(self) -> bool:
        """Whether nothing is written any more, because a sync has failed."""
        return bool(self._log.broken)

    @property
    def unsynced(self) -> tuple[int, float]:
        """How many records may be lost with the power now, and the seconds since the first was written."""
        # What was refused has a number, too.
        last = self._log.number if self._log.staged else self._saved_number
        count = last - self._log.synced
        return (count, time.monotonic() - self._unsynced_since) if count > 0 else (0, 0.0)

    def sync(self) -> None:
        """Return when all that was written until now survives a loss of power."""
        self._check_open()
        if not self.options.read_only:
            self._syncing.run()

    def cut(self) -> Cut:
        """Write what is staged, and return what there is then."""
        with self._lock:
            self._check_open()
            if not self.options.read_only and not self._log.broken:
                self._flush()
            log = self._log
            parts = []
            for segment in self._segments():
                active = segment is log.active
                closed = not active and log.is_indexed(segment)
                parts.append(part_of(segment, end=log.written if active else None, closed=closed))
            return Cut(self.settings, log.number, parts)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let nobody write meanwhile."""
        with self._lock:
            yield

    def _recovery(self) -> Recovery:
        log = Log(
            name=self.name,
            data=str(self.data),
            index=str(self.index),
            disk=self.disk,
            descriptors=self.descriptors,
            segment_size=self.options.segment_size,
            seed=self.settings.seed,
            now=self.now,
        )
        sequential = self.settings.mode is Mode.SEQUENTIAL
        keys: Keys = SequentialKeys() if sequential else UserKeys()
        return Recovery(
            log=log,
            keys=keys,
            sequential=sequential,
            read_only=self.options.read_only,
            say=self.say,
            fetch=lambda segment: self.on_missing(self, segment),
        )

    def _take(self, recovery: Recovery) -> None:
        self._keys, self._log = recovery.keys, recovery.log
        if self._log.active is None and not self.options.read_only:
            self._log.begin()
        self._syncing = Syncing(self._sync)
        self._save()

    def _save(self) -> None:
        log = self._log
        self._saved_live, self._saved_next_id, self._saved_number = log.live, log.next_id, log.number

    def _flush(self) -> None:
        """Write what is staged; if that cannot be, all is as if it had not been asked for."""
        log = self._log
        if not log.staged:
            return
        if log.synced >= self._saved_number:
            self._unsynced_since = time.monotonic()
        try:
            log.flush()
        except ZdbWriteError:
            self._note_error(writing=True)
            self._undo()
            raise
        self._save()

    def _undo(self) -> None:
        log, keys = self._log, self._keys
        log.undone += 1
        changed, pending = self.changed, log.indexing.pending
        while pending and pending.numbers[-1] > self._saved_number:
            key, before = pending.pop()
            if before is None:
                keys.drop(key)
            else:
                keys.put(key, before)
            if changed is not None:
                changed(key)
        log.live, log.next_id = self._saved_live, self._saved_next_id

    def _make_room(self, length: int) -> None:
        """Write what is staged, and begin a new segment if *length* bytes do not fit into this one."""
        self._flush()
        try:
            self._log.make_room(length)
        except ZdbWriteError:
            self._note_error(writing=True)
            raise
        self._save()

    def _sync(self, before: Callable[[], None] | None = None) -> int:
        """Write and sync all there is, and return up to which record that is.

        Calls *before* when nothing is left but to wait for the disk.
        """
        with self._io:
            with self._lock:
                with contextlib.suppress(ZdbWriteError):  # those who wait for it hear of it by their batch
                    self._flush()
                log = self._log
                if log.broken:
                    raise self._broken()
                todo = log.take_sync()
            try:
                if todo.names:
                    self.disk.sync_folder(self.data)
                    self.disk.sync_folder(self.index)
                if before is not None:
                    before()
                for file in todo.files:
                    self.disk.sync(file.fd)
            except OSError as error:
                # What the kernel could not write it may have dropped: a second sync would say nothing of it.
                with self._lock:
                    log.broken = f"a sync failed: {error}"
                    self._note_error(writing=True)
                raise self._broken() from error
            with self._lock:
                log.note_sync(todo)
                if log.number > todo.number:
                    self._unsynced_since = time.monotonic()
            return todo.number

    def _pending(self, segment: Segment) -> list[Entry]:
        with self._lock:
            return self._log.indexing.pending_of(segment)

    def _segments(self) -> list[Segment]:
        with self._lock:
            numbers = self._log.numbers
            return [numbers[n] for n in sorted(numbers)]

    def _note_error(self, *, writing: bool) -> None:
        if writing:
            self.write_errors += 1
        else:
            self.read_errors += 1
        self.last_error_at = int(self.now())

    def _broken(self) -> ZdbWriteError:
        return ZdbWriteError(
            f"{self.name}: nothing is written any more: {self._log.broken}",
            hint="Mend the disk, then reload the namespace: what was acknowledged as durable is there",
        )

    def _check_open(self) -> None:
        if self.closed:
            raise ZdbError(f"{self.name}: {self.closed}")

    def _check_read(self) -> None:
        self._check_open()
        if self.settings.freeze:
            raise ZdbFrozenError(f"{self.name} is frozen", hint="NSSET name freeze 0 lets it go")

    def _check_write(self) -> None:
        self._check_read()
        if self.options.read_only:
            raise ZdbReadOnlyError(f"{self.name}: its engine was opened to read only")
        if self.settings.lock:
            raise ZdbReadOnlyError(f"{self.name} is locked", hint="NSSET name lock 0 unlocks it")
        if self._log.broken:
            raise self._broken()

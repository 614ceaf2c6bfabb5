from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

import attrs

from statehold_qsfs.files._flushing import Flushing
from statehold_qsfs.files._journal import Changes, write
from statehold_qsfs.files._layout import (
    STATE_KEY,
    VERSION,
    StateRecord,
    encode,
    freed_key,
    generation_of,
    kept_key,
    to_runs,
)
from statehold_qsfs.files._nodes import Node
from statehold_qsfs.files._records import Staging, io_error
from statehold_qsfs.files._volume import Volume
from statehold_zdb.engine import ZdbError

#: The blocks that are deleted before others have their turn, for so many seconds.
_AT_ONCE: Final = 64
_TURN: Final = 0.001
#: The numbers of runs of freed blocks that one record has, an even one.
_RUNS: Final = 400_000
#: The seconds between two complaints about the same.
_PATIENCE: Final = 60.0


@attrs.define(eq=False)
class Commits:
    """Makes changes durable: all of them at once, so that a crash leaves the whole as it was at one time.

    First what files have is written and synced, then, in one write, the metadata that refer to it; when those
    are synced, blocks that nobody refers to any more are deleted. One commit does for all who wait for one.
    """

    volume: Volume
    flushing: Flushing
    logger: logging.Logger
    failed: str = ""
    completed: int = 0
    barrier: Callable[[], None] | None = None
    _started: int = attrs.field(default=0, init=False)
    #: What was there at the start may not have passed the barrier either.
    _passed: int = attrs.field(default=-1, init=False)
    _committing: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _deletable: list[int] = attrs.field(factory=list, init=False)
    _deleting: list[int] = attrs.field(factory=list, init=False)
    _one_deletes: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _complained: float = attrs.field(default=-_PATIENCE, init=False)
    _wake: threading.Event = attrs.field(factory=threading.Event, init=False)
    _end: threading.Event = attrs.field(factory=threading.Event, init=False)
    _thread: threading.Thread | None = attrs.field(default=None, init=False)

    # For those who wait

    def sync(self, node: Node | None = None, *, barrier: bool = True) -> None:
        """Return when what was done, to *node* or to all, survives a loss of power; OSError if it may not."""
        with self.volume.lock:
            changed = bool(self.volume.dirty_since) if node is None else node.dirty
            want = self._started + changed
        if self.completed < want:
            with self._committing:
                if self.completed < want:
                    self._commit(None)
        if barrier and self.barrier is not None and self._passed < want:
            reached = self.completed
            self.barrier()  # without a lock: it may take long, and many may wait for the same
            with self.volume.lock:
                self._passed = max(self._passed, reached)

    def relieve(self) -> None:
        """Wait for a commit, if there are more changes than one should have, or until bytes are written."""
        volume = self.volume
        if volume.crowded:
            self.sync(barrier=False)
        if volume.dirty_bytes > volume.options.dirty_limit:
            with self.flushing.turn, volume.lock:
                if volume.dirty_bytes > volume.options.dirty_limit:
                    self.flushing.all()

    def change(self, also: Callable[[Changes], None]) -> None:
        """Commit, with what *also* adds to the changes while nothing else is done."""
        with self._committing:
            self._commit(also)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Have nothing done by anybody else, after all has been made durable."""
        with self._committing, self.flushing.turn, self.volume.lock:
            if not self.volume.read_only:
                self._commit(None)
            yield

    @property
    def deletable(self) -> list[int]:
        """The blocks that are to be deleted."""
        return self._deletable + self._deleting

    def delete_all(self) -> None:
        """Delete the blocks that are to be."""
        while self._delete_some():
            pass

    def press(self) -> None:
        """Have what is due done soon."""
        self._wake.set()

    # The thread

    def start(self) -> None:
        """Begin to make changes durable that nobody asks for."""
        self._thread = threading.Thread(target=self._run, name="qsfs-commits", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End that; what is to be deleted is."""
        self._end.set()
        self._wake.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()
        self.delete_all()

    def delete(self, numbers: list[int]) -> None:
        """Delete blocks that no metadata refer to, in a while."""
        self._deletable += numbers
        self._wake.set()

    def _run(self) -> None:
        every = self.volume.options.flush_every
        while not self._end.is_set():
            self._wake.wait(every / 4)
            self._wake.clear()
            try:
                self._care(every * 3 / 4)
            except OSError as error:
                self._complain("changes are not durable, and stay in memory", error)
            except Exception:
                self.logger.exception("changes are not durable, and stay in memory")

    def _care(self, age: float) -> None:
        """Commit if changes are older than *age*, or many; delete blocks; forget what is not in use."""
        self.flushing.early()
        while not self._end.is_set() and self._delete_some():
            time.sleep(_TURN)
            self.flushing.early()
            if self._is_due(age):
                break
        with self.volume.lock:
            self.volume.trim()
        if self._is_due(age):
            self.sync(barrier=False)

    def _is_due(self, age: float) -> bool:
        volume = self.volume
        return volume.dirty_for >= age or (volume.dirty_since > 0 and volume.pressing)

    def _complain(self, what: str, error: Exception) -> None:
        now = time.monotonic()
        if now - self._complained >= _PATIENCE:
            self._complained = now
            self.logger.error("%s: %s", what, error)

    def _delete_some(self) -> bool:
        """Delete some of the blocks that are to be; False if there are none, or they cannot be now."""
        staging = Staging(self.volume.data)
        with self._one_deletes:
            with self.volume.lock:
                some = self._deleting = self._deletable[-_AT_ONCE:]
                del self._deletable[-_AT_ONCE:]
            if not some:
                return False
            left: list[int] = []
            try:
                staging.delete(some)
                staging.write()
            except ZdbError as error:
                left = some
                self._complain("what was deleted still takes its space", error)
            with self.volume.lock:
                self._deletable += left
                self._deleting = []
            return not left

    # A commit

    def _commit(self, also: Callable[[Changes], None] | None) -> None:
        volume = self.volume
        with self.flushing.turn, volume.lock:
            self._started += 1
            number = self._started
            since = volume.dirty_since
            try:
                self.flushing.all()
                changes = self._changes(also)
            except OSError as error:
                self.failed = str(error)
                raise
            freed, volume.freed = volume.freed, []
            volume.dirty_since, volume.small_bytes = 0.0, 0
        try:
            volume.data.sync()
            write(volume.meta, changes)
            volume.meta.sync()
        except ZdbError as error:
            with volume.lock:
                volume.freed += freed
                volume.dirty_since = since or time.monotonic()
                self.failed = error.message
            raise io_error(error) from error
        with volume.lock:
            volume.records.flying = {}
            self.completed = number
            self.failed = ""
            volume.room = room_of(volume)
            if freed:
                self.delete(freed)

    def _changes(self, also: Callable[[Changes], None] | None) -> Changes:
        """Return what is to be written, the changes of a commit that has failed included."""
        volume = self.volume
        load = volume.records.load
        changes = dict(volume.records.flying)
        newest = volume.snapshots[-1].number if volume.snapshots else 0
        for key, what in volume.changed.items():
            if what is None or what.generation < newest:
                old = load(key) if newest else None
                if old is not None and generation_of(old) < newest:
                    changes[kept_key(key, newest)] = old
            if what is None:
                changes[key] = None
        for key, what in volume.changed.items():
            if what is not None:
                what.generation = volume.last_snapshot
                what.dirty = False
                changes[key] = what.payload()
        volume.changed = {}
        volume.records.flying = changes  # also if what follows fails
        if also is not None:
            also(changes)
        runs = to_runs(self.deletable + volume.freed)
        changes[STATE_KEY] = encode(self._state(runs[:_RUNS]))
        rest = [runs[i : i + _RUNS] for i in range(_RUNS, len(runs), _RUNS)]
        for i, some in enumerate(rest):
            changes[freed_key(i)] = encode(some)
        for i in range(len(rest), volume.freed_records):
            changes[freed_key(i)] = None
        volume.freed_records = len(rest)
        return changes

    def _state(self, freed: list[int]) -> StateRecord:
        volume = self.volume
        return StateRecord(
            VERSION,
            self._started,
            volume.next_ino,
            volume.high,
            volume.used,
            volume.files,
            freed,
            list(volume.unlinked),
            volume.last_snapshot,
            volume.snapshots,
        )


def room_of(volume: Volume) -> int:
    """Return the bytes that the disk of the data has, less what the engine needs to compact."""
    found = os.statvfs(volume.data.data)
    total, free = found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize
    return max(0, free - min(2 * volume.data.options.segment_size, total // 20))

"""Group commit: one sync for all who wait.

What a write costs beside its share of a sync is that its thread sleeps and is woken. So nobody is woken in
vain: a sync wakes those whom it was for, and then one who does the next. They are woken one by another, each
by the one before, not all at once to fight for the interpreter. The one who does the next comes last: those
woken before have written again by then, so that one sync is for all of them, and not two for half of them
each. But the disk does not stand idle for long: after a few times what a sync takes it is the turn of the one
who does the next, and of the others while that is under way.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import attrs

from statehold_zdb.engine._batch import Batch
from statehold_zdb.engine._errors import ZdbError

#: The most seconds that a sync waits for those who are being woken, and for those who are not back yet.
_PATIENCE: Final = 0.001
#: For how many times what a sync takes the next one waits for those who are being woken.
_SYNCS: Final = 4
#: Where a sync takes no longer than so many seconds, nobody is waited for who was not just woken.
_FAST: Final = 0.0005


class _Waiter:
    """One thread that waits, for its batch or, without one, for its turn to sync."""

    __slots__ = ("batch", "called", "leads")

    def __init__(self, batch: Batch | None) -> None:
        self.batch = batch
        self.called = threading.Lock()
        self.called.acquire()
        self.leads = False


@attrs.define(eq=False)
class Syncing:
    """One sync for all who wait: who finds nobody syncing does it, for all that was written until then.

    Attributes:
        sync: writes and syncs all there is, and returns up to which record that was; calls what it is given
            when nothing is left but to wait for the disk.

    """

    sync: Callable[[Callable[[], None]], int]
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _waiting: list[_Waiter] = attrs.field(factory=list, init=False)
    #: Whom a sync was for, and who still sleep; the last is woken first.
    _done: list[_Waiter] = attrs.field(factory=list, init=False)
    #: Whether somebody syncs, or has been called to.
    _leads: bool = attrs.field(default=False, init=False)
    #: Whether somebody does, or will be when those who are done have been woken.
    _busy: bool = attrs.field(default=False, init=False)
    #: Until when that is waited for.
    _until: float = attrs.field(default=0.0, init=False)
    #: What the one who leads sleeps on, until as many wait as are expected.
    _all_here: threading.Lock | None = attrs.field(default=None, init=False)
    _synced: int = attrs.field(default=0, init=False)
    _expected: int = attrs.field(default=1, init=False)
    _took: float = attrs.field(default=0.0, init=False)
    _error: ZdbError | None = attrs.field(default=None, init=False)

    def wait(self, batch: Batch) -> None:
        """Return when the records of *batch* survive a loss of power; ZdbWriteError if they never will."""
        with self._lock:
            if self._is_done(batch):
                return
            waiter = self._queue(batch)
        if waiter is None or self._sleep(waiter):
            self._lead()
        self._is_done(batch)

    def run(self) -> None:
        """Sync all that was written until now; ZdbWriteError if that cannot be."""
        with self._lock:
            waiter = self._queue(None)
        if waiter is None or self._sleep(waiter):
            self._lead()
        if self._error is not None:
            raise _again(self._error)

    def _is_done(self, batch: Batch) -> bool:
        if batch.error is not None:
            raise _again(batch.error)
        if 0 <= batch.last <= self._synced:
            return True
        if self._error is not None:
            raise _again(self._error)
        return False

    def _queue(self, batch: Batch | None) -> _Waiter | None:
        """Return who is to wait now, or None for the one who is to sync."""
        if not self._busy:
            self._busy = self._leads = True
            return None
        waiter = _Waiter(batch)
        self._waiting.append(waiter)
        if self._all_here is not None and len(self._waiting) + 1 >= self._expected:
            self._all_here.release()
            self._all_here = None
        return waiter

    def _sleep(self, waiter: _Waiter) -> bool:
        """Sleep until called, and say whether that is to sync; if not, the next one has been called."""
        try:
            waiter.called.acquire()
        except BaseException:  # a signal's handler may raise; others must not wait for ever for that
            with self._lock:
                found = next((some for some in (self._waiting, self._done) if waiter in some), None)
                if found is not None:
                    found.remove(waiter)
            if waiter.leads:
                self._lead()
            elif found is None:
                self._call()
            raise
        if not waiter.leads:
            self._call()
        return waiter.leads

    def _call(self) -> None:
        """Wake the next of those who are done; after them, or if it is high time, who is to sync."""
        if self._leads and not self._done:
            return  # who leads calls again at the end
        with self._lock:
            in_time = self._leads or not self._waiting or time.perf_counter() < self._until
            if self._done and in_time:
                called = self._done.pop()
            elif self._leads:
                return
            elif self._waiting:
                called = self._waiting.pop(0)
                called.leads = self._leads = True
            else:
                self._busy = False
                return
        called.called.release()

    def _gather(self) -> None:
        """Let those come who wrote just now, where one sync for all is sooner done than two."""
        patience = min((self._took - _FAST) / 2, _PATIENCE)
        if patience <= 0:
            return
        with self._lock:
            if len(self._waiting) + 1 >= self._expected:
                return
            self._all_here = all_here = threading.Lock()
            all_here.acquire()
        self._call()
        all_here.acquire(timeout=patience)
        with self._lock:
            self._all_here = None

    def _lead(self) -> None:
        done, error, start = 0, None, time.perf_counter()
        try:
            self._gather()
            start = time.perf_counter()
            done = self.sync(self._call)
        except ZdbError as failed:
            error = failed
        finally:
            with self._lock:
                end = time.perf_counter()
                self._error = error or self._error
                self._synced = max(self._synced, done)
                self._took, self._expected = end - start, len(self._waiting) + 1
                self._until = end + min(_SYNCS * self._took, _PATIENCE)
                done_now = [waiter for waiter in self._waiting if self._is_ready(waiter)]
                self._waiting = [waiter for waiter in self._waiting if not self._is_ready(waiter)]
                self._done = [*reversed(done_now), *self._done]
                self._leads = False
            self._call()

    def _is_ready(self, waiter: _Waiter) -> bool:
        batch = waiter.batch
        if self._error is not None:
            return True
        return batch is not None and (batch.error is not None or 0 <= batch.last <= self._synced)


def _again(error: ZdbError) -> ZdbError:
    """Return *error* as one to be raised by one more thread."""
    return type(error)(error.message, hint=error.hint)

"""Group commit: one sync for all who wait.

What a write costs beside its share of a sync is that its thread sleeps and is woken. So nobody is woken in
vain: a sync wakes those whom it was for, and of the others the one who does the next. They are woken one by
another, each by the one before, not all at once to fight for the interpreter: measured, that saves a third.
While some are being woken and write again, the next sync is under way for the rest.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Final

import attrs

from statehold_zdb.engine._batch import Batch
from statehold_zdb.engine._errors import ZdbError

#: The most seconds that a sync waits for more to come.
_PATIENCE: Final = 0.001
#: Where a sync takes no longer than so many seconds, it is the threads that are waited for, not the disk.
_FAST: Final = 0.0002


class _Waiter:
    """One thread that waits, for its batch or, without one, for its turn to sync."""

    __slots__ = ("batch", "called", "leads", "next")

    def __init__(self, batch: Batch | None) -> None:
        self.batch = batch
        self.called = threading.Lock()
        self.called.acquire()
        self.leads = False
        #: Whom it is to wake.
        self.next: _Waiter | None = None


@attrs.define(eq=False)
class Syncing:
    """One sync for all who wait: who finds nobody syncing does it, for all that was written until then.

    Attributes:
        sync: writes and syncs all there is, and returns up to which record that was.

    """

    sync: Callable[[], int]
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _waiting: list[_Waiter] = attrs.field(factory=list, init=False)
    _leads: bool = attrs.field(default=False, init=False)
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
        if not self._leads:
            self._leads = True
            return None
        waiter = _Waiter(batch)
        self._waiting.append(waiter)
        return waiter

    def _sleep(self, waiter: _Waiter) -> bool:
        """Sleep until called, and say whether that is to sync; whoever is to be called by *waiter* is."""
        try:
            waiter.called.acquire()
        except BaseException:  # a signal's handler may raise; others must not wait for ever for that
            with self._lock:
                waits = waiter in self._waiting
                if waits:
                    self._waiting.remove(waiter)
            if not waits:
                waiter.called.acquire()
                self._pass_on(waiter)
                if waiter.leads:
                    self._lead()
            raise
        self._pass_on(waiter)
        return waiter.leads

    def _pass_on(self, waiter: _Waiter) -> None:
        if waiter.next is not None:
            waiter.next.called.release()

    def _gather(self) -> None:
        """Let those come who wrote just now, where one sync for all is sooner done than two."""
        end = time.perf_counter() + min((self._took - _FAST) / 2, _PATIENCE)
        while len(self._waiting) + 1 < self._expected and time.perf_counter() < end:
            time.sleep(0)

    def _lead(self) -> None:
        done, error, start = 0, None, 0.0
        try:
            self._gather()
            start = time.perf_counter()
            done = self.sync()
        except ZdbError as failed:
            error = failed
        finally:
            with self._lock:
                self._error = error or self._error
                self._synced = max(self._synced, done)
                self._took, self._expected = time.perf_counter() - start, len(self._waiting) + 1
                ready = [waiter for waiter in self._waiting if self._is_ready(waiter)]
                self._waiting = [waiter for waiter in self._waiting if not self._is_ready(waiter)]
                self._leads = bool(self._waiting)
                leader = self._waiting.pop(0) if self._waiting else None
            for waiter, later in pairwise(ready):
                waiter.next = later
            if leader is not None:
                leader.leads = True
                leader.called.release()
            if ready:
                ready[0].called.release()

    def _is_ready(self, waiter: _Waiter) -> bool:
        batch = waiter.batch
        if self._error is not None:
            return True
        return batch is not None and (batch.error is not None or 0 <= batch.last <= self._synced)


def _again(error: ZdbError) -> ZdbError:
    """Return *error* as one to be raised by one more thread."""
    return type(error)(error.message, hint=error.hint)

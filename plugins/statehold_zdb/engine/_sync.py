from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import attrs

from statehold_zdb.engine._errors import ZdbError
from statehold_zdb.engine._log import Batch

#: The most seconds that a sync waits for more to come.
_PATIENCE: Final = 0.001


@attrs.define(eq=False)
class Syncing:
    """One sync for all who wait: who finds nobody syncing does it, for all that was written until then.

    Attributes:
        sync: writes and syncs all there is, and returns up to which record that was.

    """

    sync: Callable[[], int]
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _waiting: list[threading.Lock] = attrs.field(factory=list, init=False)
    _leads: bool = attrs.field(default=False, init=False)
    _synced: int = attrs.field(default=0, init=False)
    _expected: int = attrs.field(default=1, init=False)
    _took: float = attrs.field(default=0.0, init=False)
    _error: ZdbError | None = attrs.field(default=None, init=False)

    def wait(self, batch: Batch) -> None:
        """Return when the records of *batch* survive a loss of power; ZdbWriteError if they never will."""
        while True:
            turn = None
            with self._lock:
                if batch.error is not None:
                    raise type(batch.error)(batch.error.message, hint=batch.error.hint)
                if self._error is not None:
                    raise type(self._error)(self._error.message, hint=self._error.hint)
                if 0 <= batch.last <= self._synced:
                    return
                if self._leads:
                    turn = threading.Lock()
                    turn.acquire()
                    self._waiting.append(turn)
                else:
                    self._leads = True
            if turn is not None:
                turn.acquire()
            else:
                self._gather()
                self._lead()

    def run(self) -> None:
        """Sync all that was written until now; ZdbWriteError if that cannot be."""
        while True:
            with self._lock:
                if not self._leads:
                    self._leads = True
                    break
                turn = threading.Lock()
                turn.acquire()
                self._waiting.append(turn)
            turn.acquire()
        self._lead()
        if self._error is not None:
            raise type(self._error)(self._error.message, hint=self._error.hint)

    def _gather(self) -> None:
        """Let those come who wrote just now: one sync for all is sooner done than two."""
        end = time.perf_counter() + min(self._took, _PATIENCE)
        while len(self._waiting) + 1 < self._expected and time.perf_counter() < end:
            time.sleep(0)

    def _lead(self) -> None:
        done = 0
        error: ZdbError | None = None
        start = time.perf_counter()
        try:
            done = self.sync()
        except ZdbError as failed:
            error = failed
        finally:
            with self._lock:
                self._leads = False
                self._synced = max(self._synced, done)
                self._error = error or self._error
                waiting, self._waiting = self._waiting, []
                self._took, self._expected = time.perf_counter() - start, len(waiting) + 1
            for turn in waiting:
                turn.release()

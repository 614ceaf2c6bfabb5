from __future__ import annotations

import threading
from collections.abc import Callable

import attrs

from statehold_zdb.engine._errors import ZdbError
from statehold_zdb.engine._log import Batch


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
                if batch.last and batch.last <= self._synced:
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

    def _lead(self) -> None:
        done = 0
        error: ZdbError | None = None
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
            for turn in waiting:
                turn.release()

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import attrs

from statehold.sdk import StateholdError

_MOST: Final = 1_000


@attrs.define(eq=False)
class Later:
    """Does behind those who call what they need not wait for; what is too much is left to the monitor."""

    _log: logging.Logger
    _threads: ThreadPoolExecutor = attrs.field(
        factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="zstor-later"), init=False
    )
    _due: set[object] = attrs.field(factory=set, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def do(self, what: object, work: Callable[[], object]) -> None:
        """Do *work*, unless *what* is due already."""

        def run() -> None:
            try:
                work()
            except (StateholdError, OSError) as error:
                self._log.warning("%s; it is tried again by the monitor", error)
            finally:
                with self._lock:
                    self._due.discard(what)

        with self._lock:
            if what in self._due or len(self._due) >= _MOST:
                return
            self._due.add(what)
            self._threads.submit(run)

    def settle(self) -> None:
        """Wait for what is due now."""
        self._threads.submit(lambda: None).result()

    def close(self) -> None:
        """Wait for what is due, and give the thread back."""
        self._threads.shutdown(wait=True)

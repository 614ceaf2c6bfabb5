from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from statehold.sdk import FreedError, StorageLogger


class Work:
    """The background threads and the pending hooks of one storage in this process, and how they end."""

    def __init__(self, storage: str, logger: StorageLogger) -> None:
        self._storage = storage
        self._logger = logger
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._pending: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._closed = False

    def background(self, function: Callable[[threading.Event], None]) -> None:
        """Run *function* on a thread of its own; it is to return when the event it is given is set."""

        def run() -> None:
            try:
                function(self._stop)
            except Exception:
                self._logger.exception("background work of %s failed", self._storage)

        # A daemon, so that work which ignores its event cannot keep the process from ending.
        thread = threading.Thread(target=run, name=f"{self._logger.name}.background", daemon=True)
        with self._changed:
            self._refuse("background work", when=self._stop.is_set())
            thread.start()
            # Only now: where none could be started, there is none to wait for.
            self._threads.append(thread)

    @contextmanager
    def pending(self, name: str) -> Iterator[None]:
        """Keep the storage from being freed while the block runs."""
        with self._changed:
            self._refuse(f"pending hook {name!r}", when=self._closed)
            self._pending[name] += 1
        try:
            yield
        finally:
            with self._changed:
                self._pending[name] -= 1
                self._changed.notify_all()

    def _refuse(self, what: str, *, when: bool) -> None:
        if when:
            raise FreedError(
                f"{self._storage} is being freed, no {what} can begin",
                hint="Begin it before free() is called, or do it in free() itself",
            )

    def finish(self, timeout: float) -> tuple[str, ...]:
        """Stop the background work, wait for pending hooks, and return what did not end in time."""
        deadline = time.monotonic() + timeout
        self._stop.set()
        with self._changed:
            threads = tuple(self._threads)
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        problems = [
            f"background work did not stop within {timeout:g} s of its event being set"
            for thread in threads
            if thread.is_alive()
        ]
        with self._changed:
            self._changed.wait_for(lambda: not +self._pending, max(0.0, deadline - time.monotonic()))
            self._closed = True
            problems += [f"pending hook {name!r} did not end within {timeout:g} s" for name in +self._pending]
        return tuple(problems)

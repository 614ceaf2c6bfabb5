from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import final


@final
class Work:
    """Keeps what a storage asked for through `background` and `pending`, and ends it before `free()`."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._idle = threading.Condition()
        self._pending: list[str] = []

    def background(self, run: Callable[[threading.Event], None]) -> None:
        """Run *run* on a thread of its own; the event it is given is set by `end()`."""
        thread = threading.Thread(target=run, args=(self._stop,), name="statehold-background", daemon=True)
        self._threads.append(thread)
        thread.start()

    @contextmanager
    def pending(self, name: str) -> Iterator[None]:
        """Let `end()` wait until the block is left; *name* tells people what it waits for."""
        with self._idle:
            self._pending.append(name)
        try:
            yield
        finally:
            with self._idle:
                self._pending.remove(name)
                self._idle.notify_all()

    def end(self, *, timeout: float = 10.0) -> tuple[str, ...]:
        """Stop the background threads, wait for what is pending, and return the names of what did not end.

        Further calls return the same without waiting longer than *timeout* seconds.
        """
        until = time.monotonic() + timeout
        self._stop.set()
        with self._idle:
            self._idle.wait_for(lambda: not self._pending, timeout)
            left = list(self._pending)
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return (*left, *(f"thread {t.name}" for t in self._threads if t.is_alive()))

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Final

TICK: Final = 0.01
_IDLE_TICKS: Final = 50
#: A machine, or a process, that was stopped for long is no reason to stop its guests.
_MOST_AT_ONCE: Final = 25


class Ticker:
    """Lets time pass for the deadlines of guests, on one thread, as long as any of them runs.

    `ticks` is the time, in units of 10 ms; it stands still when no guest has run for half a second.
    """

    def __init__(self, tick: Callable[[], None]) -> None:
        self.ticks = 0
        self._tick = tick
        self._running = 0
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._process = 0

    def enter(self) -> None:
        """Say that a guest begins to run."""
        with self._lock:
            self._running += 1
            # A process that was forked has the object, and not the thread.
            if self._thread is None or self._process != os.getpid():
                self._process = os.getpid()
                self._thread = threading.Thread(target=self._run, name="statehold-wasm-ticker", daemon=True)
                self._thread.start()
        if not self._wake.is_set():
            self._wake.set()

    def leave(self) -> None:
        """Say that a guest has stopped running."""
        with self._lock:
            self._running -= 1

    def end(self) -> None:
        """Stop for good, after the last guest."""
        self._ended.set()
        self._wake.set()
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        idle = 0
        last = time.monotonic()
        while not self._ended.wait(TICK):
            now = time.monotonic()
            # More than one when other threads have kept the interpreter from this one.
            count = int((now - last) / TICK)
            last += count * TICK
            for _ in range(min(count, _MOST_AT_ONCE)):
                self.ticks += 1
                self._tick()
            idle = 0 if self._running else idle + 1
            if idle >= _IDLE_TICKS:
                # Clear first, look then: who enters in between sets it again.
                self._wake.clear()
                if not self._running:
                    self._wake.wait()
                idle = 0
                last = time.monotonic()


def ticks(seconds: float) -> int:
    """Return how many ticks *seconds* are at least; one more, because the first may come at once."""
    return int(seconds / TICK) + 2

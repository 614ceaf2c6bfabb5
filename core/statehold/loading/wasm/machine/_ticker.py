from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

TICK: Final = 0.01
_IDLE_TICKS: Final = 50
#: A machine, or a process, that was stopped for long is no reason to stop its guests.
_MOST_AT_ONCE: Final = 25


class Ticker:
    """Lets time pass for the deadlines of guests, on one thread, as long as any of them runs.

    `ticks` is the time, in units of 10 ms; it stands still when no guest has run for half a second. Guests
    either say that they run, by `enter` and `leave`, or are watched and look at `awake` each time.
    """

    def __init__(self, tick: Callable[[], None]) -> None:
        self.ticks = 0
        #: Whether time passes; who is watched and finds it False calls `wake`.
        self.awake = False
        self._tick = tick
        self._watched: list[Callable[[], bool]] = []
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
            self._start()
        if not self._wake.is_set():
            self._wake.set()

    def leave(self) -> None:
        """Say that a guest has stopped running."""
        with self._lock:
            self._running -= 1

    def watch(self, running: Callable[[], bool]) -> None:
        """Ask *running* whether its guest runs, before time stands still."""
        with self._lock:
            self._watched.append(running)

    def unwatch(self, running: Callable[[], bool]) -> None:
        """Ask *running* no more."""
        with self._lock, suppress(ValueError):
            self._watched.remove(running)

    def wake(self) -> None:
        """Let time pass from now on; *running* has to say so already."""
        with self._lock:
            if not self._ended.is_set():
                self._start()
        self.awake = True
        self._wake.set()

    def end(self) -> None:
        """Stop for good, after the last guest."""
        self._ended.set()
        self._wake.set()
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def _start(self) -> None:
        # A process that was forked has the object, and not the thread.
        if self._thread is None or self._process != os.getpid():
            self._process = os.getpid()
            self._thread = threading.Thread(target=self._run, name="statehold-wasm-ticker", daemon=True)
            self._thread.start()

    def _is_used(self) -> bool:
        return self._running > 0 or any(running() for running in tuple(self._watched))

    def _run(self) -> None:
        self.awake = True
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
            idle = 0 if self._is_used() else idle + 1
            if idle >= _IDLE_TICKS:
                # In this order: who begins to run in between either wakes it again, or is seen to run.
                self._wake.clear()
                self.awake = False
                if not self._is_used():
                    self._wake.wait()
                self.awake = True
                idle = 0
                last = time.monotonic()


def ticks(seconds: float) -> int:
    """Return how many ticks *seconds* are at least; one more, because the first may come at once."""
    return int(seconds / TICK) + 2

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from statehold.processing import TooSlowError

_TICK: Final = 0.005
_SWEEP: Final = 0.1


class Waiting(Protocol):
    """Who waits on the event loop: a future, or what behaves as one."""

    def done(self) -> bool:
        """Return whether nothing is waited for any more."""

    def set_result(self, result: Any, /) -> None:
        """Take the result."""

    def set_exception(self, exception: Any, /) -> None:
        """Take an error."""


class Wait:
    """Who waits on the event loop, and what a thread has for him: a result or an error."""

    __slots__ = ("deadline", "error", "future", "result")

    def __init__(self, future: Waiting, deadline: float) -> None:
        self.future = future
        self.deadline = deadline
        self.result: Any = None
        self.error: BaseException | None = None


class Waits:
    """Brings results from threads to those who wait for them on an event loop: many per wake-up.

    Args:
        time_limit: seconds after which whoever waits gets a `TooSlowError`.
        on_tick: called on the loop, every few milliseconds while anybody waits.

    """

    def __init__(self, *, time_limit: float, on_tick: Callable[[], None]) -> None:
        self._time_limit = time_limit
        self._on_tick = on_tick
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pending: set[Wait] = set()
        self._done: deque[Wait] = deque()
        self._posted = False
        self._ticking = False
        self._sweep_at = 0.0

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._pending)

    def open(self, waiting: Waiting) -> Wait:
        """Return what *waiting* is to wait for; on the loop."""
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        wait = Wait(waiting, time.monotonic() + self._time_limit)
        self._pending.add(wait)
        if not self._ticking:
            self._ticking = True
            loop.call_later(_TICK, self._tick)
        return wait

    def drop(self, wait: Wait) -> None:
        """Wait for it no more, because it was not begun; on the loop."""
        self._pending.discard(wait)

    def put(self, wait: Wait) -> None:
        """Lay down a wait that has its result or error, to be brought with the next `post`; on any thread."""
        self._done.append(wait)

    def post(self) -> None:
        """Wake the loop for what was laid down, unless it has been already; on any thread."""
        if self._done and not self._posted and self._loop is not None:
            self._posted = True
            try:
                self._loop.call_soon_threadsafe(self._deliver)
            except RuntimeError:
                self._done.clear()  # The loop is closed: nobody waits any more.

    def _deliver(self) -> None:
        self._posted = False
        done, pending = self._done, self._pending
        while done:
            wait = done.popleft()
            pending.discard(wait)
            if wait.future.done():
                continue
            if wait.error is None:
                wait.future.set_result(wait.result)
            else:
                wait.future.set_exception(wait.error)

    def _tick(self) -> None:
        # What one slow call holds up would otherwise wait for its end.
        self._deliver()
        self._on_tick()
        now = time.monotonic()
        if now >= self._sweep_at:
            self._sweep_at = now + _SWEEP
            self._sweep(now)
        if self._pending and self._loop is not None:
            self._loop.call_later(_TICK, self._tick)
        else:
            self._ticking = False

    def _sweep(self, now: float) -> None:
        for wait in [wait for wait in self._pending if wait.deadline <= now or wait.future.done()]:
            self._pending.discard(wait)
            if not wait.future.done():
                wait.future.set_exception(
                    TooSlowError(
                        f"no answer within {self._time_limit:g} s",
                        hint="What was begun goes on: a command may still be carried out",
                    )
                )

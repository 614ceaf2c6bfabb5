from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from typing import Final

from statehold.sdk import Clock

#: The most seconds to sleep: a clock may be turned while nobody tells.
_LONGEST: Final = 60.0


class Alarm:
    """Something that is to happen at a time, unless it is cancelled before."""

    __slots__ = ("action", "is_cancelled")

    def __init__(self, action: Callable[[], None]) -> None:
        self.action = action
        self.is_cancelled = False

    def cancel(self) -> None:
        """Let it not happen; too late once it has begun."""
        self.is_cancelled = True


class Timer:
    """Does things when their time has come, on one thread: they must be quick, or hand work on."""

    def __init__(self, clock: Clock, *, failed: Callable[[Exception], None]) -> None:
        self._clock = clock
        self._failed = failed
        self._changed = threading.Condition()
        self._acting = threading.RLock()
        self._alarms: list[tuple[float, int, Alarm]] = []
        self._numbers = itertools.count()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="statehold-timer", daemon=True)
        self._thread.start()

    def after(self, seconds: float, action: Callable[[], None]) -> Alarm:
        """Do *action* after so many seconds of the clock."""
        alarm = Alarm(action)
        with self._changed:
            heapq.heappush(
                self._alarms, (self._clock.monotonic() + max(seconds, 0.0), next(self._numbers), alarm)
            )
            if self._alarms[0][2] is alarm:
                self._changed.notify()
        return alarm

    def tick(self) -> None:
        """Do what is due by the clock now, on the calling thread."""
        with self._acting:
            while (alarm := self._due()) is not None:
                try:
                    alarm.action()
                except Exception as error:  # noqa: BLE001 - the others have their time too
                    self._failed(error)

    def close(self) -> None:
        """Do nothing more, and end the thread."""
        with self._changed:
            self._closed = True
            self._alarms.clear()
            self._changed.notify()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _due(self) -> Alarm | None:
        with self._changed:
            while self._alarms and self._alarms[0][0] <= self._clock.monotonic():
                alarm = heapq.heappop(self._alarms)[2]
                if not alarm.is_cancelled:
                    return alarm
        return None

    def _run(self) -> None:
        while not self._closed:
            self.tick()
            with self._changed:
                if self._closed:
                    return
                wait = _LONGEST
                if self._alarms:
                    wait = min(wait, self._alarms[0][0] - self._clock.monotonic())
                if wait > 0:
                    self._changed.wait(wait)

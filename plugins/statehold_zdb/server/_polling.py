"""Busy polling: the next request of a client that asks at once again is waited for without sleeping.

Waking a process that sleeps takes several times as long as what it does for a request. Who asks one thing
after another, each when the one before is answered, waits for that every time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

import attrs

#: How many answers are passed over at most before it is tried again.
_MOST_PASSED: Final = 1024


@attrs.define(eq=False)
class Polling:
    """Keeps the loop awake for a moment after an answer, as long as that is worth it.

    Where nothing came in time, so is the next answer passed over, then two, four and so on: a server that is
    asked now and then, or whose clients need its processor to ask, sleeps as if there were no polling.
    """

    #: How many seconds after an answer it polls; 0 for never.
    seconds: float
    _now: Callable[[], float] = monotonic
    _until: float = attrs.field(default=0.0, init=False)
    _polls: bool = attrs.field(default=False, init=False)
    _answered: bool = attrs.field(default=False, init=False)
    _passes: int = attrs.field(default=0, init=False)
    _missed: int = attrs.field(default=0, init=False)

    def answered(self) -> None:
        """Wait awake for what comes next; called after each answer."""
        self._answered = True
        if self._polls:
            return
        if self._passes:
            self._passes -= 1
        elif self.seconds:
            self._polls = True
            self._missed = min(2 * self._missed + 1, _MOST_PASSED)  # until something comes
            asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        self._answered = False
        self._until = self._now() + self.seconds
        self._poll()

    def _poll(self) -> None:
        if self._answered:  # something came in time
            self._answered = False
            self._missed = 0
            self._until = self._now() + self.seconds
        elif self._now() > self._until:
            self._polls = False
            self._passes = self._missed
            return
        # A loop that has something to call soon looks whether anything has come, and does not sleep.
        asyncio.get_running_loop().call_soon(self._poll)

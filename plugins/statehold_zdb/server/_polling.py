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
#: Of how many answers in a row the next request has to come in time for it to be worth it.
_WORTH: Final = 8
#: After how many seconds without its processor, or the interpreter, somebody else has more need of it.
_TAKEN: Final = 0.0005


@attrs.define(eq=False)
class Polling:
    """Keeps the loop awake for a moment after an answer, as long as that is worth it.

    Where nothing came in time, so is the next answer passed over, then three, seven and so on, and more of
    them at once where others want the processor: a server that is asked now and then, or whose clients need
    its processor to ask, sleeps as if there were no polling.
    """

    #: How many seconds after an answer it polls; 0 for never.
    seconds: float
    _now: Callable[[], float] = monotonic
    _until: float = attrs.field(default=0.0, init=False)
    _looked: float = attrs.field(default=0.0, init=False)
    _polls: bool = attrs.field(default=False, init=False)
    _answered: bool = attrs.field(default=False, init=False)
    _in_time: int = attrs.field(default=0, init=False)
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
            self._in_time = -1  # this answer, which `_poll` sees first, was none of them
            asyncio.get_running_loop().call_soon(self._poll)

    def _poll(self) -> None:
        now = self._now()
        if self._answered:
            self._answered = False
            self._in_time += 1
            self._until = now + self.seconds
        elif now - self._looked > _TAKEN:
            self._rest(8 * self._missed + 63)
            return
        elif now > self._until:
            self._rest(0 if self._in_time >= _WORTH else 2 * self._missed + 1)
            return
        self._looked = now
        # A loop that has something to call soon looks whether anything has come, and does not sleep.
        asyncio.get_running_loop().call_soon(self._poll)

    def _rest(self, missed: int) -> None:
        self._polls = False
        self._passes = self._missed = min(missed, _MOST_PASSED)

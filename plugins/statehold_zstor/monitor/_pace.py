from __future__ import annotations

import threading
import time
from typing import Final

import attrs

#: What may be read at once, in seconds of the rate.
_BURST: Final = 1.0


class StoppedError(Exception):
    """The monitor is to end."""


@attrs.define(eq=False)
class Pace:
    """Holds back who reads faster than so many bytes a second, and ends his work when the monitor ends."""

    _stop: threading.Event
    _rate: float = float("inf")
    _ahead: float = 0.0
    _last: float = attrs.field(factory=time.monotonic)

    def __call__(self, count: int) -> None:
        """Wait for as long as *count* bytes take; StoppedError where the monitor is to end."""
        now = time.monotonic()
        self._ahead = max(0.0, self._ahead - (now - self._last)) + count / self._rate
        self._last = now
        if self._stop.wait(max(0.0, self._ahead - _BURST)):
            raise StoppedError

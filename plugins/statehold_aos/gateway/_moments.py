from __future__ import annotations

import time


class Moments:
    """The time as messages have it, in UTC with milliseconds; many are of the same second."""

    def __init__(self) -> None:
        self._last = (-1, "")

    def now(self) -> str:
        """Return the time, such as `2026-01-31T12:00:00.000Z`."""
        seconds, part = divmod(time.time_ns() // 1_000_000, 1000)
        last, text = self._last
        if seconds != last:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
            self._last = seconds, text
        return f"{text}.{part:03d}Z"

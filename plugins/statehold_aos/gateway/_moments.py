from __future__ import annotations

import datetime as dt
import time


class Moments:
    """The time as messages have it, in UTC with milliseconds; many are of the same one."""

    def __init__(self) -> None:
        self._last = (-1, "")

    def now(self) -> str:
        """Return the time, such as `2026-01-31T12:00:00.000Z`."""
        now = time.time_ns() // 1_000_000
        last, text = self._last
        if now != last:
            moment = dt.datetime.fromtimestamp(now / 1000, dt.UTC)
            text = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            self._last = now, text
        return text

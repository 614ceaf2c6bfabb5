from __future__ import annotations

from typing import final

import attrs


@final
@attrs.define(eq=False)
class FakeClock:
    """A clock that stands still until it is turned.

    Attributes:
        time: seconds since 1970 that `now()` returns; set it to any value, also to an earlier one.

    """

    time: float = 1_700_000_000.0
    _elapsed: float = attrs.field(default=0.0, init=False)

    def now(self) -> float:
        """Return the seconds since 1970."""
        return self.time

    def monotonic(self) -> float:
        """Return the seconds by which the clock was advanced."""
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass; they may not be negative, because `monotonic()` never runs backwards."""
        if seconds < 0:
            raise ValueError(f"expected seconds >= 0, got {seconds}: set `time` to turn the clock back")
        self.time += seconds
        self._elapsed += seconds

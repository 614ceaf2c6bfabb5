from __future__ import annotations

from typing import Final

from statehold.sdk import Clock

#: Seconds by which a clock is set while it only goes a little wrong.
_LITTLE: Final = 60.0


class SteadyClock:
    """Says whether what a clock shows can be believed: it has gone on for a while without a jump.

    One that is set wrong, and right again soon, is never believed in between.

    Args:
        clock: that which is looked at.
        seconds: for how long it must have gone on.

    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock: Final = clock
        self._seconds: Final = seconds
        self._since = clock.monotonic()
        self._ahead = clock.now() - self._since

    def is_believed(self) -> bool:
        """Look at the clock; who asks seldom hears of a jump only then."""
        now = self._clock.monotonic()
        ahead = self._clock.now() - now
        if abs(ahead - self._ahead) > _LITTLE:
            self._since = now
        self._ahead = ahead
        return now - self._since >= self._seconds

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Deadline(float):
    """A time-out in seconds that remembers when it began, so that many waits share it.

    It is a float because network libraries pass a time-out through unread to where it is used.
    """

    end: float

    def __new__(cls, seconds: float) -> Deadline:  # noqa: PYI034 - `Self` of a float has no `end`
        """Return a deadline *seconds* from now."""
        made = super().__new__(cls, seconds)
        made.end = time.monotonic() + seconds
        return made

    def left(self) -> float:
        """Return the seconds that are left; TimeoutError if there are none."""
        left = self.end - time.monotonic()
        if left <= 0:
            raise self.passed()
        return left

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let the time that the block takes not count."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.end += time.monotonic() - began

    def passed(self) -> TimeoutError:
        """Return the error to raise when the time is over."""
        return TimeoutError(f"not done in {self * 1000:.0f} ms")

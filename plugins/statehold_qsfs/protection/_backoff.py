from __future__ import annotations

import logging
import random
from typing import Final

import attrs

from statehold.sdk import StateholdError

_FIRST: Final = 0.25
_LONGEST: Final = 10.0


@attrs.define
class Backoff:
    """How long to wait after a failure: longer each time, and not all at the same time."""

    failures: int = 0

    def failed(self) -> float:
        """Return the seconds to wait, after one more failure."""
        self.failures += 1
        longest = min(_LONGEST, _FIRST * 2.0 ** min(self.failures - 1, 20))
        return random.uniform(longest / 2, longest)  # noqa: S311 - not a secret

    def succeeded(self) -> None:
        """Begin anew."""
        self.failures = 0


def told(error: Exception, logger: logging.Logger) -> str:
    """Return what to say of an error; one that nobody has foreseen is logged with where it comes from."""
    if not isinstance(error, StateholdError | OSError):
        logger.error("an error of the protection itself", exc_info=error)
    return str(error) or repr(error)

from __future__ import annotations

from typing import Final

#: The most digits of a number; what has thousands is no `int` to Python.
_DIGITS: Final = 20


def number_of(said: bytes) -> int | None:
    """Return the number that a client has written, or None where that is none."""
    return int(said) if said.isdigit() and len(said) <= _DIGITS else None

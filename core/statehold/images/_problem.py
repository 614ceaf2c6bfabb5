from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

import attrs

_SHOWN = 20


@attrs.frozen(kw_only=True)
class Problem:
    """One thing that keeps an image from being used: what, in which file of it, and how to mend it."""

    code: str
    message: str
    path: str = ""
    hint: str = ""

    def __str__(self) -> str:
        where = f"{_printable(self.path)}: " if self.path else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{where}{self.message}{hint}"


def summary(subject: str, problems: Sequence[Problem | str]) -> str:
    """Return the text of an error about *subject* that has all of *problems*."""
    lines = [str(problem) for problem in problems]
    if len(lines) == 1:
        return f"{subject}: {lines[0]}"
    shown = "".join(f"\n  - {line}" for line in lines[:_SHOWN])
    more = f"\n  ... and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return f"{subject}: {len(lines)} problems:{shown}{more}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint with the one of *known* that *name* was probably meant to be."""
    known = sorted(map(str, known))
    lowered = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    if close:
        return f"did you mean {lowered[close[0]]!r}?"
    return f"there is {', '.join(map(repr, known[:_SHOWN]))}" if known else ""


def _printable(text: str) -> str:
    return text if text.isprintable() else repr(text)

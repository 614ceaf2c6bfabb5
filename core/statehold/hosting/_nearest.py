from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint for a name that is not among the *known* ones."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, 1)
    if near:
        return f"Did you mean {near[0]!r}?"
    if not known:
        return "There is none"
    return f"There {'is' if len(known) == 1 else 'are'} {', '.join(known)}"

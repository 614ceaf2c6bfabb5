from __future__ import annotations

from statehold.testing import OpenStorage


def do(opened: OpenStorage, what: str) -> str | None:
    """Let the wild storage do something in a GET, and return what it answers."""
    found = opened.facade.get(opened.key(1, What=what))
    return None if found is None else str(found["Text"])

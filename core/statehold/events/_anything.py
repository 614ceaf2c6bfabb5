"""Values of no declared type, which a request may bring."""

from __future__ import annotations

from typing import Any, Final

#: How deep values may lie in each other: what was written is also read where the stack is deep already.
MAX_DEPTH: Final = 100


def is_deep(value: Any) -> bool:
    """Return whether objects or lists lie in each other more than `MAX_DEPTH` deep."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for one in level
            if isinstance(one, (dict, list, tuple))
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return False
    return any(isinstance(one, (dict, list, tuple)) for one in level)

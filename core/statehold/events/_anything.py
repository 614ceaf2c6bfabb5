"""Values of no declared type, which a request may bring."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from statehold.sdk import SchemaError

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


def check_anything(command: str, argument: Any) -> None:
    """Raise SchemaError unless an argument of any type can be stored, and be read again everywhere."""
    problem = "more than that" if is_deep(argument) else ""
    if not problem:
        try:
            msgspec.msgpack.encode(argument)
        except (OverflowError, TypeError, UnicodeEncodeError) as error:
            problem = str(error)
    if problem:
        expected = f"what JSON can say, in ints of 64 bits and at most {MAX_DEPTH} levels"
        raise SchemaError(
            f"{command}: argument: expected {expected}, got {problem}",
            storage=command,
            field="",
            expected=expected,
            got=problem,
        )

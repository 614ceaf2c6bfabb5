from __future__ import annotations

from collections.abc import Callable

from statehold.sdk import ScopeError


def assert_denied(operation: Callable[..., object], *arguments: object) -> ScopeError:
    """Fail unless calling *operation* with *arguments* raises ScopeError; return the error.

    `assert_denied(facade.insert, facade.key(1, Device="d1", Point="p1"), {"Reading": 1.5})`
    """
    try:
        got = operation(*arguments)
    except ScopeError as error:
        return error
    name = getattr(operation, "__qualname__", repr(operation))
    raise AssertionError(f"expected {name} to be denied with ScopeError, but it returned {got!r:.200}")

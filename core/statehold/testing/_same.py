from __future__ import annotations

import math
from collections.abc import Iterable

from statehold.sdk import Key, Value, fields


def assert_same(expected: Value | None, got: object, where: str) -> None:
    """Fail unless *got* is a value like *expected*, each field equal and of the same type."""
    if expected is None:
        assert got is None, f"{where}: expected None, got {got!r:.200}"
        return
    assert isinstance(got, Value), f"{where}: expected a Value, got {got!r:.200}"
    assert type(got) is type(expected), f"{where}: the Value is not one of this storage's schema"
    for name, wanted in fields(expected).items():
        found = getattr(got, name)
        assert _typed(found) == _typed(wanted), (
            f"{where}: {name}: expected {wanted!a:.200}, got {found!a:.200}"
        )


def assert_rows(
    expected: dict[Key, Value], got: Iterable[tuple[Key, Value]], where: str, *, may_forget: bool
) -> None:
    """Fail unless *got* yields exactly the rows of *expected*, each once, in any order."""
    found: dict[Key, Value] = {}
    for key, value in got:
        assert isinstance(key, Key), f"{where}: expected a Key, got {key!r:.200}"
        assert key not in found, f"{where}: yielded {key!a:.200} twice"
        assert key in expected, f"{where}: yielded {key!a:.200}, which is not under that prefix"
        assert_same(expected[key], value, f"{where}, row {key!a:.200}")
        found[key] = value
    left_out = expected.keys() - found.keys()
    assert may_forget or not left_out, f"{where}: left out {sorted(map(ascii, left_out))[:3]}"


def _typed(value: object) -> object:
    if isinstance(value, tuple):
        return [_typed(one) for one in value]
    # NaN is like NaN here.
    return type(value), "NaN" if isinstance(value, float) and math.isnan(value) else value

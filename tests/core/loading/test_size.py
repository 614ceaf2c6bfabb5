from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statehold.loading._size import MOST_VALUES, has_too_many

encode = msgspec.msgpack.encode
PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.binary() | st.text()
LONG = st.sampled_from([b"x" * 300, b"x" * 70_000, "x" * 20, "x" * 300, "x" * 70_000, [None] * 300])
VALUES = st.recursive(
    PLAIN | LONG,
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(), inner)
        | inner.map(lambda one: msgspec.msgpack.Ext(1, encode(one)))
    ),
)


def count(value: object) -> int:
    if isinstance(value, list):
        return 1 + sum(map(count, value))
    if isinstance(value, dict):
        return 1 + sum(count(key) + count(one) for key, one in value.items())
    if isinstance(value, msgspec.msgpack.Ext):
        return 1 + count(msgspec.msgpack.decode(value.data))
    return 1


@given(VALUES)
def test_values_are_counted_at_any_depth(value: object) -> None:
    data = encode(value)
    found = count(value)
    assert not has_too_many(data, most=found)
    # What is shorter than it may have values is not looked at.
    assert has_too_many(data, most=found - 1) or len(data) == found - 1


def test_what_an_extension_says_of_its_last_value_hides_nothing_behind_it() -> None:
    hidden = b"\xd4\x01\xc6" + b"\xff" * 4 + b"\x90" * MOST_VALUES
    assert has_too_many(hidden)


@pytest.mark.parametrize("first", range(256))
def test_what_is_no_msgpack_is_no_error(first: int) -> None:
    has_too_many(bytes([first]) * 9, most=1)

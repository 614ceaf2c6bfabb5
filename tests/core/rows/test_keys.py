from __future__ import annotations

import enum
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statehold.rows import RowKeyError, decode, encode
from statehold.testing.rows._ordering import _COLUMN, in_order

KEYS = st.lists(_COLUMN, max_size=4).map(tuple)


@pytest.mark.parametrize(
    ("columns", "data"),
    [
        ((), ""),
        ((None,), "01"),
        ((False,), "02"),
        ((True,), "03"),
        ((0,), "18"),
        ((1,), "19 01"),
        ((255,), "19 ff"),
        ((256,), "1a 0100"),
        ((2**64 - 1,), "20 ffffffffffffffff"),
        ((-1,), "17 fe"),
        ((-255,), "17 00"),
        ((-256,), "16 feff"),
        ((-(2**64) + 1,), "10 0000000000000000"),
        ((0.0,), "21 8000000000000000"),
        ((1.0,), "21 bff0000000000000"),
        ((-1.0,), "21 400fffffffffffff"),
        (("",), "22 0001"),
        (("a\x00ä",), "22 61 00ff c3a4 0001"),
        ((b"",), "23 0001"),
        ((b"\x00\xff",), "23 00ff ff 0001"),
        ((1, "a", None), "19 01 22 61 0001 01"),
    ],
)
def test_format_is_what_the_page_says(columns, data):
    assert encode(columns).hex() == data.replace(" ", "")


@given(KEYS, KEYS)
def test_bytes_sort_as_keys_do(one, other):
    assert (encode(one) < encode(other)) == (in_order(one) < in_order(other))
    assert (encode(one) == encode(other)) == (in_order(one) == in_order(other))


@given(KEYS)
def test_keys_come_back(key):
    assert in_order(decode(encode(key))) == in_order(key)


@given(KEYS, KEYS)
def test_bytes_begin_alike_only_where_keys_do(one, other):
    begins = in_order(other)[: len(one)] == in_order(one)
    assert encode(other).startswith(encode(one)) == begins


@given(st.binary(max_size=20))
def test_other_bytes_are_refused_or_are_a_key(data):
    try:
        key = decode(data)
    except RowKeyError:
        return
    assert isinstance(key, tuple)


def test_subclasses_are_what_they_derive_from():
    colour = enum.IntEnum("colour", ["RED"])
    name = enum.StrEnum("name", {"A": "a"})
    assert encode((colour.RED, name.A)) == encode((1, "a"))


def test_nan_is_refused_with_a_reason():
    with pytest.raises(RowKeyError, match="order"):
        encode((1, math.nan))

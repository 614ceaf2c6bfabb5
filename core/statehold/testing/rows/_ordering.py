from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from statehold.rows import Column, Columns, Delete, Put, RowDriver, RowKeyError, RowStore
from statehold.testing.rows._case import Case

#: Per type, in order: bounds, neighbours, signs, NULs, and what UTF-8 and UTF-16 would sort otherwise.
ORDERED: dict[str, list[Column]] = {
    "bool": [False, True],
    "int": [
        -(2**64) + 1,
        -(2**63) - 1,
        -(2**63),
        -(2**56),
        -(2**32) - 1,
        -(2**32),
        -65537,
        -65536,
        -65535,
        -257,
        -256,
        -255,
        -128,
        -2,
        -1,
        0,
        1,
        127,
        128,
        255,
        256,
        65535,
        65536,
        2**31,
        2**32 - 1,
        2**32,
        2**53,
        2**63 - 1,
        2**63,
        2**64 - 1,
    ],
    "float": [
        -math.inf,
        -sys.float_info.max,
        -1e10,
        -2.5,
        -1.0,
        -sys.float_info.min,
        -5e-324,
        0.0,
        5e-324,
        sys.float_info.min,
        0.1,
        1.0,
        1.0000000000000002,
        2.0,
        1e300,
        math.inf,
    ],
    "str": [
        "",
        "\x00",
        "\x00\x00",
        "\x00\x01",
        "\x00\xff",
        "\x01",
        "A",
        "a",
        "a\x00",
        "a\x00b",
        "a\x01",
        "aa",
        "ab",
        "b",
        "z",
        "\x7f",
        "\x80",
        "ä",
        "\u07ff",
        "\ud800",
        "\uffff",
        "\U00010000",
        "😀",
        "\U0010ffff",
    ],
    "bytes": [
        b"",
        b"\x00",
        b"\x00\x00",
        b"\x00\x01",
        b"\x00\x02",
        b"\x00\xff",
        b"\x00\xff\x00",
        b"\x01",
        b"a",
        b"a\x00",
        b"a\x00\xff",
        b"a\x01",
        b"aa",
        b"\x7f",
        b"\xfe",
        b"\xff",
        b"\xff\x00",
        b"\xff\xff",
    ],
}
_COLUMN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**64) + 1, 2**64 - 1),
    st.integers(-300, 300),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.sampled_from([column for columns in ORDERED.values() for column in columns]),
)
_KINDS = (type(None), bool, int, float, str, bytes)


def in_order(columns: Columns) -> tuple[Any, ...]:
    """Return what sorts in Python as *columns* do in a store."""
    return tuple((_KINDS.index(type(column)), 0 if column is None else column) for column in columns)


class Ordering(Case):
    """Rows stand in the order of their clustering columns, as Python sorts them."""

    @pytest.mark.parametrize("kind", ORDERED)
    def test_o1_each_type(self, store: RowStore, kind: str) -> None:
        """Every type is in order, with its bounds, signs, NULs and empty values, and comes back the same."""
        columns = ORDERED[kind]
        store.write([Put(("p",), (column,), repr(column).encode()) for column in reversed(columns)])
        found = list(store.read(("p",)))
        assert [row.clustering for row in found] == [(column,) for column in columns]
        assert all(type(row.clustering[0]).__name__ == kind for row in found)
        assert [row.value for row in found] == [repr(column).encode() for column in columns]

    @pytest.mark.parametrize("kind", ORDERED)
    def test_o2_each_bound(self, store: RowStore, kind: str) -> None:
        """Every value is a bound too: a READ from it or to it parts the rows there."""
        columns = ORDERED[kind]
        store.write([Put(("p",), (column,), b"") for column in columns])
        for place, column in enumerate(columns):
            assert [row.clustering[0] for row in store.read(("p",), (column,))] == columns[place:]
            assert [row.clustering[0] for row in store.read(("p",), (), (column,))] == columns[:place]

    @pytest.mark.parametrize("kind", ORDERED)
    def test_o3_each_partition(self, store: RowStore, kind: str) -> None:
        """Every value is a partition of its own."""
        store.write([Put((column,), (0,), repr(column).encode()) for column in ORDERED[kind]])
        for column in ORDERED[kind]:
            assert list(store.read((column,))) == [((0,), repr(column).encode())]

    def test_o4_types(self, store: RowStore) -> None:
        """Of different types, None is first, then bool, int, float, str and bytes; equal ones are apart."""
        columns: list[Column] = [None, False, True, -1, 0, 1, 2, -1.0, 0.0, 1.0, "", "1", b"", b"1"]
        store.write([Put(("p",), (column,), b"") for column in reversed(columns)])
        found = [row.clustering[0] for row in store.read(("p",))]
        assert [(type(column), column) for column in found] == [(type(column), column) for column in columns]

    def test_o5_shorter_first(self, store: RowStore) -> None:
        """A key stands before all that begin with it, and a later column decides only between equals."""
        keys: list[Columns] = [(), (None,), (None, None), (1,), (1, "a"), (1, "a", 0), (1, "b"), (2,)]
        store.write([Put(("p",), key, b"") for key in reversed(keys)])
        assert [row.clustering for row in store.read(("p",))] == keys

    def test_o6_zero(self, store: RowStore) -> None:
        """0.0 and -0.0, which are equal, are one key."""
        store.write([Put(("p",), (-0.0,), b"x")])
        assert store.get(("p",), (0.0,)) == b"x"
        assert math.copysign(1, float(str(next(store.read(("p",))).clustering[0]))) == 1

    @pytest.mark.parametrize("column", [math.nan, 2**64, -(2**64), [1], (1,), 1j, bytearray(b"x")], ids=repr)
    def test_o7_no_column(self, store: RowStore, column: Any) -> None:
        """What has no order, no bound or no place in a key is refused by every method."""
        for call in (
            lambda: store.get(("p",), (column,)),
            lambda: store.get((column,)),
            lambda: store.get_many([((column,), ())]),
            lambda: store.ttl((column,)),
            lambda: store.read((column,)),
            lambda: store.read(("p",), (column,)),
            lambda: store.read(("p",), (), (column,)),
            lambda: store.write([Delete(("p",), (column,))]),
        ):
            with pytest.raises(RowKeyError):
                call()

    def test_o8_random(self, factory: Callable[..., RowDriver]) -> None:
        """Random keys of all types are in order and come back the same."""
        names = iter(range(10**6))
        with factory() as driver:

            @settings(
                max_examples=self.examples,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
            )
            @given(st.lists(st.lists(_COLUMN, max_size=3).map(tuple), min_size=1, max_size=20))
            def check(keys: list[Columns]) -> None:
                expected = sorted({in_order(key): key for key in keys}.items())
                with driver.create(f"o8.{next(names)}") as store:
                    store.write([Put(("p",), key, repr(key).encode()) for key in keys])
                    found = [row.clustering for row in store.read(("p",))]
                    assert [in_order(key) for key in found] == [order for order, _ in expected]
                    for _, key in expected:
                        assert store.get(("p",), key) is not None

            check()

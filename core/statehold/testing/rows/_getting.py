from __future__ import annotations

from typing import Any

import pytest

from statehold.rows import MAX_KEY, MAX_VALUE, Put, RowKeyError, RowStore, RowValueError
from statehold.testing.rows._case import Case


class Getting(Case):
    """What was put is found, byte by byte."""

    def test_g1_missing(self, store: RowStore) -> None:
        """What is not there is None, in a partition that is there and in one that is not."""
        store.write([Put(("p",), (1,), b"x")])
        assert store.get(("p",), (2,)) is None
        assert store.get(("q",), (1,)) is None
        assert store.get(("p",)) is None
        assert store.get((), ()) is None

    def test_g2_found(self, store: RowStore) -> None:
        """What was put is there, and a second put replaces it."""
        assert store.write([Put(("p",), (1,), b"x")])
        assert store.get(("p",), (1,)) == b"x"
        assert store.write([Put(("p",), (1,), b"y")])
        assert store.get(("p",), (1,)) == b"y"

    def test_g3_no_columns(self, store: RowStore) -> None:
        """No columns are a key like any other, of both parts."""
        store.write([Put((), (), b"none"), Put(("p",), (), b"partition"), Put((), ("c",), b"clustering")])
        assert store.get(()) == b"none"
        assert store.get(("p",)) == b"partition"
        assert store.get((), ("c",)) == b"clustering"

    def test_g4_parts_apart(self, store: RowStore) -> None:
        """A column belongs to the partition key or to the clustering columns, not to their sum."""
        store.write([Put((1, 2), (3,), b"2+1"), Put((1,), (2, 3), b"1+2")])
        assert store.get((1, 2), (3,)) == b"2+1"
        assert store.get((1,), (2, 3)) == b"1+2"

    def test_g5_many(self, store: RowStore) -> None:
        """Many are answered where they were asked: missing ones, twice the same, any partitions."""
        store.write([Put((p,), (c,), b"%d/%d" % (p, c)) for p in range(3) for c in range(3)])
        asked = [((2,), (1,)), ((0,), (9,)), ((0,), (0,)), ((9,), (0,)), ((2,), (1,)), ((2,), ())]
        assert store.get_many(asked) == [b"2/1", None, b"0/0", None, b"2/1", None]
        assert store.get_many([]) == []

    def test_g6_values(self, store: RowStore) -> None:
        """Values come back byte by byte: none, all 256, NULs, a megabyte."""
        values = [b"", b"\x00", bytes(range(256)), b"\x00" * 100, bytes(range(251)) * 4300]
        store.write([Put(("p",), (place,), value) for place, value in enumerate(values)])
        assert [store.get(("p",), (place,)) for place in range(len(values))] == values
        assert [row.value for row in store.read(("p",))] == values

    @pytest.mark.parametrize(
        "value", [None, "text", 5, bytearray(b"x"), memoryview(b"x")], ids=lambda value: type(value).__name__
    )
    def test_g7_no_value(self, store: RowStore, value: Any) -> None:
        """A value that is not bytes is refused, so that nobody changes it afterwards."""
        with pytest.raises(RowValueError, match="expected a value of bytes"):
            store.write([Put(("p",), (1,), b"x"), Put(("p",), (2,), value)])
        assert store.get(("p",), (1,)) is None

    def test_g8_too_large(self, store: RowStore) -> None:
        """A value or a key of more than the limit is refused, and one of the limit's size is taken."""
        with pytest.raises(RowValueError, match="at most"):
            store.write([Put(("p",), (1,), bytes(MAX_VALUE + 1))])
        longest = "k" * (MAX_KEY - 6)
        with pytest.raises(RowKeyError, match="at most"):
            store.write([Put(("p",), (longest,), b"x")])
        store.write([Put((), (longest,), b"x")])
        assert store.get((), (longest,)) == b"x"

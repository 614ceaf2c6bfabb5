from __future__ import annotations

import random
from itertools import islice

import pytest

from statehold.rows import Columns, Delete, Put, RowStore
from statehold.testing.rows._case import Case


def _numbers(
    store: RowStore, start: Columns = (), stop: Columns | None = None, **options: object
) -> list[object]:
    return [row.clustering[-1] for row in store.read(("p",), start, stop, **options)]  # type: ignore[arg-type]


class Reading(Case):
    """Rows of a partition are read in order, between bounds, and reading holds nothing."""

    def test_r1_in_order(self, store: RowStore) -> None:
        """All rows of a partition come in order with their values, and none of its neighbours."""
        numbers = random.Random(1).sample(range(-100, 100), 200)  # noqa: S311 - no secret
        store.write([Put(("p",), (n,), b"%d" % n) for n in numbers])
        store.write([Put((p,), (0,), b"other") for p in ("o", "q", "p\x00", "pp", "")])
        store.write([Put((), (0,), b"other"), Put(("p", 1), (0,), b"other")])
        assert list(store.read(("p",))) == [((n,), b"%d" % n) for n in range(-100, 100)]

    def test_r2_bounds(self, store: RowStore) -> None:
        """The start is included and the end is not; both may be left open, and need not be there."""
        store.write([Put(("p",), (n,), b"") for n in range(0, 20, 2)])
        assert _numbers(store, (4,), (8,)) == [4, 6]
        assert _numbers(store, (3,), (9,)) == [4, 6, 8]
        assert _numbers(store, (14,)) == [14, 16, 18]
        assert _numbers(store, (), (5,)) == [0, 2, 4]
        assert _numbers(store, (-5,), (99,)) == list(range(0, 20, 2))

    def test_r3_absurd_bounds(self, store: RowStore) -> None:
        """Bounds with nothing between them, and a partition without rows, yield nothing."""
        store.write([Put(("p",), (n,), b"") for n in range(5)])
        for start, stop in [((3,), (3,)), ((4,), (1,)), ((9,), None), ((), ()), ((9,), (-9,)), ((), (-1,))]:
            assert _numbers(store, start, stop) == [], (start, stop)
        assert list(store.read(("absent",))) == []

    def test_r4_prefix(self, store: RowStore) -> None:
        """A prefix selects the rows that begin with it, and bounds count from there."""
        store.write([Put(("p",), (year, n), b"") for year in (2023, 2024, 2025) for n in range(5)])
        store.write([Put(("p",), (2024,), b"short")])
        everything = list(store.read(("p",), prefix=(2024,)))
        assert everything[0] == ((2024,), b"short")
        assert [row.clustering for row in everything[1:]] == [(2024, n) for n in range(5)]
        assert _numbers(store, (1,), (3,), prefix=(2024,)) == [1, 2]
        assert _numbers(store, (2024, 3), (2025, 1)) == [3, 4, 0]
        assert _numbers(store, (3,), prefix=(2024,), reverse=True) == [4, 3]
        assert _numbers(store, prefix=(2026,)) == []

    def test_r5_prefix_of_text(self, store: RowStore) -> None:
        """A prefix is of whole columns: `a` does not select what begins with `a` in its text."""
        for name in ("a", "a\x00", "a\x01", "ab", "b", "\x00"):
            store.write([Put(("p",), (name, 1), b"")])
        assert [row.clustering for row in store.read(("p",), prefix=("a",))] == [("a", 1)]
        assert [row.clustering for row in store.read(("p",), prefix=("a\x00",))] == [("a\x00", 1)]

    def test_r6_limit_and_reverse(self, store: RowStore) -> None:
        """A limit ends early, and reverse yields the same rows from the end."""
        store.write([Put(("p",), (n,), b"") for n in range(10)])
        assert _numbers(store, limit=3) == [0, 1, 2]
        assert _numbers(store, limit=0) == []
        assert _numbers(store, limit=99) == list(range(10))
        assert _numbers(store, reverse=True) == list(range(9, -1, -1))
        assert _numbers(store, (2,), (6,), limit=2, reverse=True) == [5, 4]
        with pytest.raises(ValueError, match="limit"):
            store.read(("p",), limit=-1)

    def test_r7_long(self, store: RowStore) -> None:
        """Thousands of rows come whole and in order, both ways and up to any limit."""
        store.write([Put(("p",), (n,), b"%d" % n) for n in range(3000)])
        assert _numbers(store) == list(range(3000))
        assert _numbers(store, reverse=True) == list(range(2999, -1, -1))
        for limit in (31, 32, 33, 160, 161, 2999):
            assert _numbers(store, limit=limit) == list(range(limit))

    def test_r8_large(self, store: RowStore) -> None:
        """Large values come whole, whatever the size of a row before them."""
        store.write([Put(("p",), (n,), bytes([n]) * (1_000_000 if n % 10 == 9 else 10)) for n in range(40)])
        assert [(row.clustering[0], set(row.value)) for row in store.read(("p",))] == [
            (n, {n}) for n in range(40)
        ]

    def test_r9_left(self, store: RowStore) -> None:
        """A READ that is left at any row, closed or not, stops nobody: all can read and write."""
        store.write([Put(("p",), (n,), b"old") for n in range(100)])
        left = [store.read(("p",)) for _ in range(50)]
        for place, reading in enumerate(left):
            assert len(list(islice(reading, place))) == place
            store.write([Put(("p",), (place,), b"new")])
        for reading in left[::2]:
            reading.close()  # type: ignore[attr-defined]
        assert store.write([Delete(("p",), (n,)) for n in range(100)])
        assert _numbers(store) == []

    def test_r10_under_way(self, store: RowStore) -> None:
        """While a READ is under way, rows may come and go; what stays is seen once and in order."""
        store.write([Put(("p",), (n,), b"") for n in range(0, 2000, 2)])
        seen = []
        for row in store.read(("p",)):
            (n,) = row.clustering
            assert isinstance(n, int)
            seen.append(n)
            if n % 2 == 0:
                store.write([Put(("p",), (n + 1,), b""), Delete(("p",), (n - 4,)), Put(("p",), (-n,), b"")])
        assert seen == sorted(set(seen))
        assert set(range(0, 2000, 2)) <= set(seen)

    def test_r11_in_turns(self, store: RowStore) -> None:
        """Two READs in turns yield the same as one."""
        store.write([Put(("p",), (n,), b"") for n in range(200)])
        pairs = list(zip(store.read(("p",)), store.read(("p",)), strict=True))
        assert [first.clustering[0] for first, second in pairs if first == second] == list(range(200))

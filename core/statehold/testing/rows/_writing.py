from __future__ import annotations

import pytest

from statehold.rows import (
    CompareAndDelete,
    CompareAndSwap,
    Delete,
    Outcome,
    Put,
    PutIfAbsent,
    RowStore,
    RowStoreError,
)
from statehold.testing.rows._case import Case

P, C = ("p",), (1,)


class Writing(Case):
    """A batch happens whole or not at all, and its conditions tell what they found."""

    def test_w1_partitions(self, store: RowStore) -> None:
        """One batch puts and deletes rows of many partitions."""
        store.write([Put((p,), (0,), b"old") for p in range(50)])
        batch = [Delete((p,), (0,)) if p % 2 else Put((p,), (0,), b"new") for p in range(50)]
        assert store.write(batch) == Outcome()
        found = store.get_many([((p,), (0,)) for p in range(50)])
        assert found == [None if p % 2 else b"new" for p in range(50)]

    def test_w2_in_order(self, store: RowStore) -> None:
        """Of several changes of one row in a batch, the last one stands."""
        assert store.write([Put(P, C, b"1"), Put(P, C, b"2"), Delete(P, C), Put(P, C, b"3")])
        assert store.get(P, C) == b"3"
        assert store.write([Put(P, C, b"4"), Delete(P, C)])
        assert store.get(P, C) is None

    def test_w3_delete_missing(self, store: RowStore) -> None:
        """To delete what is not there is no error."""
        assert store.write([Delete(P, C), Delete(("q",), ())])

    def test_w4_put_if_absent(self, store: RowStore) -> None:
        """Put-if-absent puts a row that is not there, and leaves one that is."""
        assert store.write([PutIfAbsent(P, C, b"first")])
        refused = store.write([PutIfAbsent(P, C, b"second")])
        assert not refused
        assert refused.refused == (0,)
        assert store.get(P, C) == b"first"

    def test_w5_compare_and_swap(self, store: RowStore) -> None:
        """Compare-and-swap changes a row of the expected value, and no other, nor one that is not there."""
        assert not store.write([CompareAndSwap(P, C, b"", b"new")])
        store.write([Put(P, C, b"old")])
        assert not store.write([CompareAndSwap(P, C, b"odd", b"new")])
        assert not store.write([CompareAndSwap(P, C, b"old\x00", b"new")])
        assert store.get(P, C) == b"old"
        assert store.write([CompareAndSwap(P, C, b"old", b"new")])
        assert store.get(P, C) == b"new"
        assert store.write([CompareAndSwap(P, C, b"new", b"new")])

    def test_w6_compare_and_delete(self, store: RowStore) -> None:
        """Compare-and-delete removes a row of the expected value, and no other, nor one that is not there."""
        assert not store.write([CompareAndDelete(P, C, b"")])
        store.write([Put(P, C, b"old")])
        assert not store.write([CompareAndDelete(P, C, b"odd")])
        assert store.get(P, C) == b"old"
        assert store.write([CompareAndDelete(P, C, b"old")])
        assert store.get(P, C) is None

    def test_w7_none_or_all(self, store: RowStore) -> None:
        """If one condition fails nothing of the batch happens, and the outcome has every failed place."""
        store.write([Put(P, (n,), b"old") for n in range(4)])
        outcome = store.write(
            [
                Put(P, (0,), b"new"),
                CompareAndSwap(P, (1,), b"odd", b"new"),
                CompareAndSwap(P, (2,), b"old", b"new"),
                PutIfAbsent(P, (3,), b"new"),
                CompareAndDelete(P, (9,), b"old"),
                PutIfAbsent(P, (8,), b"new"),
            ]
        )
        assert outcome == Outcome((1, 3, 4))
        assert [row.value for row in store.read(P)] == [b"old"] * 4

    def test_w8_sees_earlier(self, store: RowStore) -> None:
        """A condition sees what changes before it in the batch have done, and not those after it."""
        assert store.write(
            [PutIfAbsent(P, C, b"1"), CompareAndSwap(P, C, b"1", b"2"), CompareAndDelete(P, C, b"2")]
        )
        assert store.get(P, C) is None
        assert store.write([Put(P, C, b"1"), Delete(P, C), PutIfAbsent(P, C, b"3")])
        assert store.get(P, C) == b"3"
        assert store.write([CompareAndSwap(P, C, b"4", b"5"), Put(P, C, b"4")]) == Outcome((0,))
        # A change that was refused is left out for those after it.
        assert store.write([CompareAndSwap(P, C, b"4", b"5"), CompareAndSwap(P, C, b"5", b"6")]) == Outcome(
            (0, 1)
        )
        assert store.write([CompareAndSwap(P, C, b"4", b"5"), CompareAndSwap(P, C, b"3", b"6")]) == Outcome(
            (0,)
        )
        assert store.get(P, C) == b"3"

    def test_w9_empty(self, store: RowStore) -> None:
        """A batch without changes is written."""
        assert store.write([]) == Outcome()

    def test_w10_bad_change(self, store: RowStore) -> None:
        """A batch with a change that cannot be is refused whole, and the store works on."""
        for bad in (Put(P, (float("nan"),), b""), Put(P, C, "text"), Put(P, C, b"", ttl=0)):  # type: ignore[arg-type]
            with pytest.raises(RowStoreError):
                store.write([Put(P, (0,), b"x"), bad])
        assert store.get(P, (0,)) is None
        assert store.write([Put(P, (0,), b"x")])

    def test_w11_large(self, store: RowStore) -> None:
        """Thousands of changes are one batch."""
        assert store.write([Put((n % 7,), (n,), b"%d" % n) for n in range(5000)])
        assert sum(1 for p in range(7) for _ in store.read((p,))) == 5000
        assert store.write([*(Delete((n % 7,), (n,)) for n in range(5000)), PutIfAbsent(P, C, b"")])
        assert sum(1 for p in range(7) for _ in store.read((p,))) == 0

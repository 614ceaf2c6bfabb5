from __future__ import annotations

import functools
import threading
from collections.abc import Callable

from statehold.rows import Change, CompareAndSwap, Put, PutIfAbsent, RowDriver, RowStore, StoreClosedError
from statehold.testing._patience import together
from statehold.testing.rows._case import NAME, Case

P, C = ("p",), (1,)


class Sharing(Case):
    """Any number of threads use a store at once."""

    def test_c1_counter(self, store: RowStore) -> None:
        """Threads that count by compare-and-swap lose no step."""
        store.write([Put(P, C, b"0")])

        def count() -> None:
            for _ in range(self.calls):
                while True:
                    before = store.get(P, C)
                    assert before is not None
                    if store.write([CompareAndSwap(P, C, before, b"%d" % (int(before) + 1))]):
                        break

        together(self.patience, [count] * self.callers)
        assert store.get(P, C) == b"%d" % (self.callers * self.calls)

    def test_c2_one_wins(self, store: RowStore) -> None:
        """Of threads that put the same row if it is absent, one does."""

        def claim(caller: int) -> list[int]:
            return [n for n in range(self.calls) if store.write([PutIfAbsent(P, (n,), b"%d" % caller)])]

        won = together(self.patience, [functools.partial(claim, caller) for caller in range(self.callers)])
        assert sorted(n for wins in won for n in wins) == list(range(self.calls))
        for caller, wins in enumerate(won):
            assert all(store.get(P, (n,)) == b"%d" % caller for n in wins)

    def test_c3_whole(self, store: RowStore) -> None:
        """Nobody sees a batch half: rows that are written together are equal at any moment."""
        store.write([Put((n,), (), b"0") for n in range(5)])
        writing = threading.Event()

        def write() -> None:
            for number in range(self.calls * 4):
                store.write([Put((n,), (), b"%d" % number) for n in range(5)])
            writing.set()

        def look() -> None:
            while not writing.is_set():
                assert len(set(store.get_many([((n,), ()) for n in range(5)]))) == 1

        together(self.patience, [write, look, look])

    def test_c4_own_result(self, store: RowStore) -> None:
        """Batches that are refused harm none of those that are written at the same time."""
        store.write([Put(P, C, b"taken")])

        def write(caller: int) -> None:
            for n in range(self.calls):
                row = Put(("row", caller), (n,), b"%d" % n)
                if caller % 2:
                    assert store.write([row])
                else:
                    assert store.write([row, PutIfAbsent(P, C, b"")]).refused == (1,)

        together(self.patience, [functools.partial(write, caller) for caller in range(self.callers)])
        for caller in range(self.callers):
            assert sum(1 for _ in store.read(("row", caller))) == (self.calls if caller % 2 else 0)

    def test_c5_circles(self, store: RowStore) -> None:
        """Batches that write the same rows in different orders do not wait for each other for ever."""
        rows: list[Change] = [Put(P, (n,), b"x") for n in range(10)]
        forth: list[Change] = [PutIfAbsent(("q",), (0,), b""), *rows]

        def write(caller: int) -> None:
            for _ in range(self.calls):
                store.write(rows if caller % 3 == 0 else rows[::-1] if caller % 3 == 1 else forth[::-1])

        together(self.patience, [functools.partial(write, caller) for caller in range(self.callers)])
        assert sum(1 for _ in store.read(P)) == 10

    def test_c6_many_threads(self, store: RowStore) -> None:
        """A hundred threads may have a READ open, read and write at once."""
        store.write([Put(P, (n,), b"") for n in range(100)])

        def use(caller: int) -> None:
            for place, _ in enumerate(store.read(P, limit=40)):
                if place % 10 == 0:
                    store.write([Put(("own",), (caller,), b"%d" % place)])
                    assert store.get(("own",), (caller,)) == b"%d" % place

        together(self.patience, [functools.partial(use, caller) for caller in range(100)])
        assert sum(1 for _ in store.read(("own",))) == 100

    def test_c7_closed_meanwhile(self, driver: RowDriver) -> None:
        """`close` while calls are in flight ends each with its result or `StoreClosedError`, and no later."""
        store = driver.create(NAME)
        started, busy = threading.Barrier(self.callers + 1), threading.Event()

        def use(call: Callable[[int], object]) -> int:
            started.wait(self.patience)
            for number in range(10**9):
                try:
                    call(number)
                except StoreClosedError:
                    return number
                if number == self.calls:
                    busy.set()
            raise AssertionError("unreachable")

        def write(caller: int) -> Callable[[], int]:
            return lambda: use(lambda number: store.write([Put(("row", caller), (number,), b"")]))

        calls = [write(caller) for caller in range(self.callers - 2)]
        calls += [lambda: use(lambda _: store.get(P, C)), lambda: use(lambda _: list(store.read(("row", 0))))]

        def close() -> int:
            started.wait(self.patience)
            busy.wait(self.patience)
            store.close()
            return 0

        written = together(self.patience, [*calls, close])
        with driver.open(NAME) as again:
            for caller in range(self.callers - 2):
                assert sum(1 for _ in again.read(("row", caller))) == written[caller]

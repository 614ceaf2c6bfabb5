from __future__ import annotations

import math

import pytest

from statehold.rows import (
    CompareAndDelete,
    CompareAndSwap,
    Delete,
    Put,
    PutIfAbsent,
    RowStore,
    RowValueError,
)
from statehold.testing._clock import FakeClock
from statehold.testing.rows._case import Case

P, C = ("p",), (1,)


class Expiring(Case):
    """A row whose time to live is over is not there, whether it has been removed yet or not."""

    def test_e1_get(self, store: RowStore, clock: FakeClock) -> None:
        """A row is there until its time is over, and then not, for a get and for many."""
        store.write([Put(P, C, b"x", ttl=10), Put(P, (2,), b"y")])
        clock.advance(9.5)
        assert store.get_many([(P, C), (P, (2,))]) == [b"x", b"y"]
        assert store.get(P, C) == b"x"
        clock.advance(0.5)
        assert store.get_many([(P, C), (P, (2,))]) == [None, b"y"]
        assert store.get(P, C) is None

    def test_e2_read(self, store: RowStore, clock: FakeClock) -> None:
        """A READ leaves out what has expired, before it and while it is under way, and limits the rest."""
        store.write([Put(P, (n,), b"", ttl=5 if n % 2 else None) for n in range(400)])
        reading = store.read(P)
        assert [next(reading).clustering[0] for _ in range(4)] == [0, 1, 2, 3]
        clock.advance(5)
        later = [row.clustering[0] for row in reading]
        assert later[-100:] == list(range(200, 400, 2))
        assert [row.clustering[0] for row in store.read(P, limit=3)] == [0, 2, 4]
        assert [row.clustering[0] for row in store.read(P, limit=3, reverse=True)] == [398, 396, 394]

    def test_e3_ttl(self, store: RowStore, clock: FakeClock) -> None:
        """The time that is left can be asked: infinite without one, None without a row."""
        store.write([Put(P, C, b"x", ttl=10), Put(P, (2,), b"y")])
        clock.advance(4)
        assert store.ttl(P, C) == pytest.approx(6, abs=1e-3)
        assert store.ttl(P, (2,)) == math.inf
        assert store.ttl(P, (3,)) is None
        clock.advance(6)
        assert store.ttl(P, C) is None

    def test_e4_put_again(self, store: RowStore, clock: FakeClock) -> None:
        """Each change sets the time anew: a put or a swap without one makes the row stay."""
        store.write([Put(P, (n,), b"x", ttl=10) for n in range(3)])
        store.write([Put(P, (0,), b"y"), CompareAndSwap(P, (1,), b"x", b"y"), Put(P, (2,), b"y", ttl=20)])
        clock.advance(15)
        assert [row.clustering[0] for row in store.read(P)] == [0, 1, 2]
        clock.advance(1e9)
        assert [row.clustering[0] for row in store.read(P)] == [0, 1]

    def test_e5_conditions(self, store: RowStore, clock: FakeClock) -> None:
        """For a condition, what has expired is not there."""
        store.write([Put(P, C, b"x", ttl=10)])
        assert not store.write([PutIfAbsent(P, C, b"y")])
        clock.advance(10)
        assert not store.write([CompareAndSwap(P, C, b"x", b"y")])
        assert not store.write([CompareAndDelete(P, C, b"x")])
        assert store.write([PutIfAbsent(P, C, b"z", ttl=10)])
        assert store.get(P, C) == b"z"
        assert store.write([CompareAndSwap(P, C, b"z", b"new", ttl=30)])
        clock.advance(20)
        assert store.get(P, C) == b"new"
        clock.advance(10)
        assert store.get(P, C) is None
        assert store.write([Delete(P, C)])

    def test_e6_no_time(self, store: RowStore, clock: FakeClock) -> None:
        """Without a time to live a row put on a condition stays."""
        assert store.write([PutIfAbsent(P, C, b"x")])
        clock.advance(1e9)
        assert store.write([CompareAndSwap(P, C, b"x", b"y")])
        clock.advance(1e9)
        assert store.get(P, C) == b"y"

    @pytest.mark.parametrize("ttl", [0, -1, 0.0, math.nan, math.inf])
    def test_e7_no_ttl(self, store: RowStore, ttl: float) -> None:
        """A time to live that is no positive number of seconds is refused."""
        for change in (Put(P, C, b"", ttl), PutIfAbsent(P, C, b"", ttl), CompareAndSwap(P, C, b"", b"", ttl)):
            with pytest.raises(RowValueError, match="time to live"):
                store.write([change])

    def test_e8_long_ttl(self, store: RowStore, clock: FakeClock) -> None:
        """A time to live of any length is taken."""
        assert store.write([Put(P, (0,), b"x", ttl=1e-9), Put(P, (1,), b"x", ttl=1e300)])
        clock.advance(1e9)
        assert [row.clustering[0] for row in store.read(P)] == [1]

    def test_e9_sweep(self, store: RowStore, clock: FakeClock) -> None:
        """A sweep removes what has expired, up to its limit, and nothing else."""
        store.write([Put((n % 3,), (n,), b"", ttl=(None, 5, 50)[n % 3]) for n in range(30)])
        assert store.sweep() == 0
        clock.advance(5)
        assert store.sweep(limit=4) == 4
        assert store.sweep() == 6
        assert store.sweep() == 0
        assert [sum(1 for _ in store.read((p,))) for p in range(3)] == [10, 0, 10]
        # Removed for good: turned back, the clock shows no row again.
        clock.time -= 5
        assert [sum(1 for _ in store.read((p,))) for p in range(3)] == [10, 0, 10]

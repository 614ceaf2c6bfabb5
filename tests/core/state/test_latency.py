from __future__ import annotations

import pytest

from statehold.sdk import Field, IStateStorage, Operation
from statehold.state import LATENCIES, CallCounts, Facade, compile_facade, compile_rows


class Shelf:
    """A storage that takes its time."""

    def __init__(self, clock):
        self.clock = clock
        self.closed = 0

    def get(self, key):
        self.clock.now += 0.002
        if key.Name == "broken":
            raise OSError("broken")
        return

    def get_batch(self, keys):
        self.clock.now += 0.02
        return [None for _ in keys]

    def read(self, key):
        try:
            for _ in range(3):
                self.clock.now += 0.3
                yield key, None
        finally:
            self.closed += 1

    def free(self):
        pass


class Clock:
    now = 0.0


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("time.perf_counter", lambda: clock.now)
    return clock


@pytest.fixture
def shelf(clock):
    return Shelf(clock)


@pytest.fixture
def counts():
    return CallCounts(is_timed=True)


@pytest.fixture
def facade(shelf: IStateStorage, counts) -> Facade:
    rows = compile_rows("acme.Shelf", [Field("Name", "text", required=True)], [])
    allowed = (Operation.GET, Operation.GETBATCH, Operation.READ)
    return compile_facade(rows, shelf, allowed, refuse=lambda _: OSError(), counts=counts)


def took(counts, operation):
    latency = counts.latency(operation)
    return sum(latency.buckets), round(latency.seconds, 6)


def test_each_get_is_timed_also_one_that_fails(facade, counts):
    facade.get(facade.key(WSID=1, Name="a"))
    facade.find(WSID=1, Name="a")
    with pytest.raises(OSError, match="broken"):
        facade.find(WSID=1, Name="broken")
    assert took(counts, Operation.GET) == (3, 0.006)
    assert counts.calls(Operation.GET) == 3
    assert counts.latency(Operation.GET).buckets[LATENCIES.index(0.0025)] == 3


def test_a_batch_is_timed_as_one(facade, counts):
    facade.get_batch([facade.key(WSID=1, Name=name) for name in "abc"])
    assert took(counts, Operation.GETBATCH) == (1, 0.02)


def test_a_read_takes_as_long_as_the_storage_does_for_its_rows_and_not_as_long_as_its_reader(
    facade, counts, clock
):
    for _ in facade.read(facade.key(WSID=1, Name="a")):
        clock.now += 100
    assert took(counts, Operation.READ) == (1, 0.9)


def test_a_read_that_is_left_lets_go_of_the_storage_at_once(facade, counts, shelf):
    rows = facade.read(facade.key(WSID=1, Name="a"))
    next(rows)
    rows.close()
    assert shelf.closed == 1
    assert took(counts, Operation.READ) == (1, 0.3)

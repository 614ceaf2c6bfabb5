from __future__ import annotations

import threading

import pytest

from statehold.sdk import CallContext, Field, IStateStorage, Operation, Scope
from statehold.state import (
    LATENCIES,
    CallCounts,
    Facade,
    State,
    Uses,
    compile_facade,
    compile_rows,
    compile_slot,
)


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

    def value_to_insert(self, key, value):
        return value

    def value_to_update(self, key, existing, changes):
        return existing

    def validate(self, items):
        pass

    def apply_batch(self, items):
        self.clock.now += 0.1 * len(items)
        if any(item.key.Name == "broken" for item in items):
            raise OSError("broken")

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
    return CallCounts(frozenset(Operation))


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


@pytest.fixture
def make_state(shelf: IStateStorage):
    """Return a function that makes the state of a call that may do everything with the shelf."""

    def make(counts):
        rows = compile_rows("acme.Shelf", [Field("Name", "text", required=True)], [Field("Text", "text")])
        slot = compile_slot("acme.Shelf", rows, shelf, Operation, refuse=lambda _: OSError(), counts=counts)
        call = CallContext(scope=Scope.COMMANDS, workspace=1, extension="t.Do")
        return State(Uses("COMMAND t.Do", [slot]), call)

    return make


def put(state, name, *, is_new=True):
    key = state.key("acme.Shelf", Name=name)
    if is_new:
        state.new_value(key, Text="x")
    else:
        state.update_value(key, state.uses.slot("acme.Shelf").rows.value(Text="x"), Text="y")


def test_what_is_applied_is_timed_as_the_batch_it_is_in(make_state, counts):
    state = make_state(counts)
    for name in "abc":
        put(state, name)
    state.apply_intents()
    assert took(counts, Operation.INSERT) == (1, 0.3)
    assert took(counts, Operation.UPDATE) == (0, 0)
    assert counts.calls(Operation.INSERT) == 3
    put(state, "a", is_new=False)
    state.apply_intents()
    assert took(counts, Operation.INSERT) == (1, 0.3)
    assert took(counts, Operation.UPDATE) == (1, 0.1)


def test_a_batch_of_both_kinds_counts_for_both(make_state, counts):
    state = make_state(counts)
    put(state, "a")
    put(state, "b", is_new=False)
    state.apply_intents()
    assert took(counts, Operation.INSERT) == took(counts, Operation.UPDATE) == (1, 0.2)


def test_a_batch_that_fails_is_timed_too(make_state, counts):
    state = make_state(counts)
    put(state, "broken")
    with pytest.raises(OSError, match="broken"):
        state.apply_intents()
    assert took(counts, Operation.INSERT) == (1, 0.1)


def test_what_is_not_to_be_timed_is_not(make_state):
    counts = CallCounts(frozenset({Operation.GET}))
    state = make_state(counts)
    put(state, "a")
    state.apply_intents()
    assert took(counts, Operation.INSERT) == (0, 0)


def test_no_time_is_lost_where_many_threads_add_and_one_looks():
    latency = CallCounts().latency(Operation.GET)
    begin = threading.Barrier(5)

    def add():
        begin.wait()
        for _ in range(5000):
            latency.add(0.5)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    begin.wait()
    while any(thread.is_alive() for thread in threads):
        assert latency.seconds <= 10_000
    assert sum(latency.buckets) == latency.buckets[LATENCIES.index(1.0)] == 20_000
    assert latency.seconds == pytest.approx(10_000)


@pytest.mark.parametrize(("seconds", "bucket"), [(0.0, 0), (1e-6, 0), (2e-6, 1), (5.0, 10), (6.0, 11)])
def test_a_time_falls_into_the_bucket_that_it_does_not_exceed(seconds, bucket):
    latency = CallCounts().latency(Operation.GET)
    latency.add(seconds)
    assert latency.buckets.index(1) == bucket

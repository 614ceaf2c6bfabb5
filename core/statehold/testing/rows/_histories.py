from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from statehold.rows import (
    Change,
    CompareAndDelete,
    CompareAndSwap,
    Delete,
    Outcome,
    Put,
    PutIfAbsent,
    RowDriver,
    RowStore,
)
from statehold.testing._clock import FakeClock
from statehold.testing.rows._case import Case

_PARTITION = st.sampled_from([(), (1,), ("p", None)])
_CLUSTERING = st.sampled_from([(), (-1,), (0,), (0, ""), (0, "\x00"), (0, "a"), (1,)])
_VALUE = st.sampled_from([b"", b"a", b"b"])
_TTL = st.sampled_from([None, 1, 3])
_KEY = (_PARTITION, _CLUSTERING)
_CHANGE = st.one_of(
    st.builds(Put, *_KEY, _VALUE, _TTL),
    st.builds(Delete, *_KEY),
    st.builds(PutIfAbsent, *_KEY, _VALUE, _TTL),
    st.builds(CompareAndSwap, *_KEY, _VALUE, _VALUE, _TTL),
    st.builds(CompareAndDelete, *_KEY, _VALUE),
)
_STEP = st.one_of(
    st.lists(_CHANGE, max_size=4),
    st.lists(_CHANGE, max_size=4),
    st.sampled_from(["sweep", "second"]),
)


class _Model:
    """What a store ought to do, as plainly as can be."""

    def __init__(self) -> None:
        self.rows: dict[tuple[Any, Any], tuple[bytes, float | None]] = {}
        self.now = 0.0

    def alive(self) -> dict[tuple[Any, Any], bytes]:
        return {key: value for key, (value, end) in self.rows.items() if end is None or end > self.now}

    def write(self, changes: list[Change]) -> Outcome:
        before, refused = dict(self.rows), []
        for place, change in enumerate(changes):
            key = (change.partition, change.clustering)
            there = self.alive().get(key)
            if isinstance(change, PutIfAbsent):
                holds = there is None
            elif isinstance(change, CompareAndSwap | CompareAndDelete):
                holds = there == change.expected
            else:
                holds = True
            if not holds:
                refused.append(place)
            elif isinstance(change, Delete | CompareAndDelete):
                self.rows.pop(key, None)
            else:
                self.rows[key] = change.value, None if change.ttl is None else self.now + change.ttl
        if refused:
            self.rows = before
        return Outcome(tuple(refused))


class Histories(Case):
    """Whatever is written in whatever order, a store does what a dict would."""

    def test_h1_history(self, factory: Callable[..., RowDriver]) -> None:
        """Random batches, with time that passes and sweeps, leave the rows and outcomes of a dict model."""
        names = iter(range(10**6))
        clock = FakeClock()
        with factory(clock=clock) as driver:

            @settings(
                max_examples=self.examples,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
            )
            @given(st.lists(_STEP, max_size=15))
            def check(history: list[list[Change] | str]) -> None:
                with driver.create(f"h1.{next(names)}") as store:
                    _follow(store, clock, history)

            check()


def _follow(store: RowStore, clock: FakeClock, history: list[list[Change] | str]) -> None:
    model = _Model()
    for step in history:
        if step == "second":
            clock.advance(1)
            model.now += 1
        elif isinstance(step, str):
            assert store.sweep() == len(model.rows) - len(model.alive())
            model.rows = {key: row for key, row in model.rows.items() if key in model.alive()}
        else:
            assert store.write(step) == model.write(step)
        expected = model.alive()
        for partition in ((), (1,), ("p", None)):
            found = {(partition, row.clustering): row.value for row in store.read(partition)}
            assert found == {key: value for key, value in expected.items() if key[0] == partition}
        keys = sorted(model.rows, key=repr)
        assert store.get_many(keys) == [expected.get(key) for key in keys]

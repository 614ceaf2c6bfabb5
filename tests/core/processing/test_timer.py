from __future__ import annotations

import threading
import time

import pytest

from statehold.processing._timer import Timer
from statehold.testing import FakeClock


class Monotonic:
    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)


@pytest.fixture
def timers():
    made = []

    def timers(clock, failed=print):
        made.append(Timer(clock, failed=failed))
        return made[-1]

    yield timers
    for one in made:
        one.close()
        assert not one._thread.is_alive()


def test_what_is_due_happens_in_the_order_of_its_time(timers):
    clock, seen = FakeClock(), []
    timer = timers(clock)
    timer.after(2, lambda: seen.append("b"))
    timer.after(1, lambda: seen.append("a"))
    timer.after(2, lambda: seen.append("c"))
    timer.after(9, lambda: seen.append("d"))
    timer.tick()
    assert seen == []
    clock.advance(2)
    timer.tick()
    assert seen == ["a", "b", "c"]


def test_what_is_cancelled_does_not_happen(timers):
    clock, seen = FakeClock(), []
    timer = timers(clock)
    timer.after(1, lambda: seen.append("a")).cancel()
    clock.advance(1)
    timer.tick()
    assert seen == []


def test_it_wakes_by_itself_also_for_what_comes_in_between(timers):
    done, timer = threading.Event(), timers(Monotonic())
    timer.after(3600, print)
    timer.after(0.01, done.set)
    assert done.wait(60)


def test_an_error_is_told_and_the_others_have_their_time(timers):
    clock, errors, seen = FakeClock(), [], []
    timer = timers(clock, errors.append)
    timer.after(1, lambda: 1 / 0)
    timer.after(1, lambda: seen.append(1))
    clock.advance(1)
    timer.tick()
    assert len(errors) == 1
    assert seen == [1]

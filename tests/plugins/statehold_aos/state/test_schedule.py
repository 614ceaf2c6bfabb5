from __future__ import annotations

from statehold_aos._state._schedule import Schedule
from statehold_aos.gateway import ClaimId

ANN, BOB = ClaimId(1, "nav", "ann"), ClaimId(1, "nav", "bob")


def test_each_is_due_at_its_time_and_once() -> None:
    times = Schedule()
    times.look(ANN, 5.0)
    times.wake(ANN, 9.0)
    times.wake(BOB, 7.0)
    assert times.wait(0.0, 60.0) == 5.0
    assert times.due(4.0) == []
    assert times.due(8.0) == [ANN, BOB]
    assert times.is_to_look(ANN, 8.0)
    times.looked(ANN)
    assert not times.is_to_look(ANN, 8.0)
    assert times.due(10.0) == [ANN]
    assert times.due(1000.0) == []
    assert times.wait(1000.0, 60.0) == 60.0


def test_both_times_of_one_that_come_together_are_one() -> None:
    times = Schedule()
    times.look(ANN, 5.0)
    times.wake(ANN, 5.0)
    assert times.due(5.0) == [ANN]


def test_what_is_put_off_ten_thousand_times_waits_once() -> None:
    times = Schedule()
    for at in range(10_000):
        times.look(ANN, at + 1.0)
        times.wake(ANN, at + 100.0)
    assert [len(timers._heap) for timers in (times._look_timers, times._send_timers)] == [1, 1]
    assert times.due(1.0) == [ANN]
    assert not times.is_to_look(ANN, 1.0), "it comes up at the first of its times, and is put off"
    times.wake(ANN, None)
    assert times.wait(1.0, 60_000.0) == 99.0, "the first time at which it was to be sent again"


def test_an_earlier_time_counts() -> None:
    times = Schedule()
    times.wake(ANN, 50.0)
    times.wake(ANN, 5.0)
    assert times.due(5.0) == [ANN]
    assert times.due(60.0) == []

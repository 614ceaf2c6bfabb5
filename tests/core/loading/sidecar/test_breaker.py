from __future__ import annotations

from statehold.loading.sidecar.host._breaker import Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_first_start_is_at_once_and_each_further_one_waits_twice_as_long() -> None:
    breaker = Breaker(Clock())
    waits = [breaker.failed() for _ in range(12)]
    assert waits[:5] == [0.0, 0.1, 0.2, 0.4, 0.8]
    assert waits[-1] == 30.0


def test_five_failures_in_a_minute_are_too_many() -> None:
    breaker = Breaker(Clock())
    assert [breaker.failed() and breaker.open for _ in range(5)] == [0.0, False, False, False, True]


def test_a_start_that_works_lets_callers_wait_again() -> None:
    breaker = Breaker(Clock())
    for _ in range(5):
        breaker.failed()
    breaker.works()
    assert not breaker.open
    breaker.failed()
    assert breaker.open, "one more failure in the same minute is again too many"


def test_failures_are_forgotten_after_a_minute() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(4):
        breaker.failed()
    clock.now += 61
    assert breaker.failed() == 0.0
    assert not breaker.open

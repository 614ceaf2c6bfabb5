from __future__ import annotations

import os
import threading

import pytest

from statehold.loading.wasm.machine._ticker import Ticker, ticks


class Clock:
    """Tells when so many ticks have come."""

    def __init__(self, count):
        self.left = count
        self.come = threading.Event()

    def __call__(self):
        self.left -= 1
        if not self.left:
            self.come.set()


@pytest.fixture
def clock():
    return Clock(3)


@pytest.fixture
def ticker(clock):
    ticker = Ticker(clock)
    yield ticker
    ticker.end()


def test_time_passes_while_a_guest_runs(ticker, clock):
    ticker.enter()
    assert clock.come.wait(60)
    ticker.leave()
    assert ticker.ticks >= 3


def test_no_time_passes_before_the_first_guest_runs(ticker):
    assert ticker.ticks == 0
    assert ticker._thread is None


def test_time_that_was_missed_is_made_up_for_up_to_a_limit(ticker, clock, monkeypatch):
    now = iter([0.0, 0.01, 0.04, 1000.04, *(1000.05 + i / 100 for i in range(100_000))])
    monkeypatch.setattr("statehold.loading.wasm.machine._ticker.time.monotonic", lambda: next(now))
    seen = []
    ticker._tick = lambda: (seen.append(ticker.ticks), len(seen) > 30 and clock.come.set())
    ticker.enter()
    assert clock.come.wait(60)
    assert seen[:30] == list(range(1, 31))
    assert ticker.ticks < 200


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_time_passes_in_a_forked_process_too(ticker):
    ticker.enter()
    ticker.leave()
    child = os.fork()
    if not child:
        come = threading.Event()
        ticker._tick = come.set
        ticker.enter()
        os._exit(0 if come.wait(30) else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_ticks_are_never_fewer_than_the_seconds():
    assert ticks(0.05) * 0.01 >= 0.05
    assert ticks(0) >= 1


def test_time_passes_for_a_guest_that_is_watched(ticker, clock):
    ticker.watch(lambda: True)
    assert not ticker.awake
    ticker.wake()
    assert clock.come.wait(60)
    assert ticker.awake


def test_time_stands_still_when_what_is_watched_does_not_run_and_passes_again_when_it_is_woken(clock):
    still = threading.Event()
    ticker = Ticker(lambda: None)
    running = [False]

    def asked():
        if not ticker.awake:
            still.set()
        return running[0]

    ticker.watch(asked)
    ticker.wake()
    try:
        assert still.wait(60)
        ticker._tick = clock
        running[0] = True
        ticker.wake()
        assert clock.come.wait(60)
        ticker.unwatch(asked)
        ticker.unwatch(asked)
    finally:
        ticker.end()

from __future__ import annotations

import pytest

from statehold.testing import FakeClock
from statehold_sys._network import Deadline, _deadline


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    clock = FakeClock()
    monkeypatch.setattr(_deadline, "time", clock)
    return clock


def fail(clock: FakeClock) -> None:
    clock.advance(100)
    raise ZeroDivisionError


def test_many_waits_share_one_deadline(clock: FakeClock) -> None:
    """What one has used is gone for the next."""
    deadline = Deadline(2.0)
    clock.advance(1.5)
    assert deadline.left() == 0.5
    clock.advance(0.5)
    with pytest.raises(TimeoutError, match="not done in 2000 ms"):
        deadline.left()


def test_a_pause_does_not_count_also_when_it_ends_with_an_error(clock: FakeClock) -> None:
    """The time before and after it does."""
    deadline = Deadline(2.0)
    clock.advance(0.5)
    with pytest.raises(ZeroDivisionError), deadline.paused():
        fail(clock)
    clock.advance(0.5)
    assert deadline.left() == 1.0

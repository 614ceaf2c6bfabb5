from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from statehold.loading.sidecar.child import _resting
from statehold.loading.sidecar.child._resting import Resting


class Pages:
    """Stands for the memory that is given back, in steps."""

    def __init__(self) -> None:
        self.steps: list[bool] = []
        self.resting: Any = None

    def give_back(self) -> Iterator[None]:
        for _ in range(3):
            self.steps.append(self.resting.busy)
            yield


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def until_asked(
    monkeypatch: pytest.MonkeyPatch, ends: tuple[socket.socket, socket.socket], *, threads: int, rests: bool
) -> list[bool]:
    """Wait on the control lane with one other lane; return the steps until the host asks, after a while."""
    ours, theirs = ends
    looks = iter(range(100))

    def count() -> int:
        if next(looks) == 10:
            ours.send(b"x")
        return threads

    monkeypatch.setattr(_resting, "_AFTER", [0.0] * 12)
    monkeypatch.setattr(_resting.threading, "active_count", count)
    pages = Pages()
    pages.resting = resting = Resting(theirs, pages)  # type: ignore[arg-type]
    with resting.lane() as main, resting.lane() as lane:
        main[0], lane[0] = True, rests
        resting.stir()
        resting.until_asked()
    assert not resting.busy
    resting.wait()
    return pages.steps


def test_memory_is_given_back_while_all_lanes_rest_and_whoever_wakes_up_waits(monkeypatch, ends) -> None:
    assert until_asked(monkeypatch, ends, threads=2, rests=True)[:3] == [True, True, True]


def test_none_is_given_back_while_a_lane_works(monkeypatch, ends) -> None:
    assert until_asked(monkeypatch, ends, threads=2, rests=False) == []


def test_none_is_given_back_while_a_thread_of_the_plugin_could_be_anywhere(monkeypatch, ends) -> None:
    assert until_asked(monkeypatch, ends, threads=3, rests=True) == []

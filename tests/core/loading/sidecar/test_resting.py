from __future__ import annotations

import gc
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from statehold.loading.sidecar.child import _resting
from statehold.loading.sidecar.child._resting import Resting


class Pages:
    """Stands for the memory that is given back, in steps."""

    def __init__(self) -> None:
        self.steps: list[bool] = []
        self.resting: Any = None
        self.threads: Callable[[], int] = lambda: 1

    def give_back(self) -> Iterator[None]:
        for _ in range(3):
            self.steps.append(self.resting.busy and not gc.isenabled())
            yield


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def until_asked(
    monkeypatch: pytest.MonkeyPatch,
    ends: tuple[socket.socket, socket.socket],
    *,
    threads: int = 2,
    rests: bool = True,
    pages: Pages | None = None,
) -> list[bool]:
    """Wait on the control lane with one other lane; return the steps until the host asks, after a while."""
    ours, theirs = ends
    looks = iter(range(100))

    def count() -> int:
        if next(looks) == 10:
            ours.send(b"x")
        return threads

    monkeypatch.setattr(_resting, "_AFTER", [0.0] * 12)
    pages = Pages() if pages is None else pages
    pages.threads = count
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


def test_none_is_given_back_while_code_of_the_plugin_may_run_between_any_two_steps(monkeypatch, ends) -> None:
    asked = iter(range(100))

    def handlers(_: int) -> object:
        if not next(asked):
            ends[0].send(b"x")
        return print

    monkeypatch.setattr(_resting.signal, "getsignal", handlers)
    assert until_asked(monkeypatch, ends) == []


def test_what_goes_wrong_while_memory_is_given_back_ends_that_and_nothing_else(monkeypatch, ends) -> None:
    class Broken(Pages):
        def give_back(self) -> Iterator[None]:
            self.steps.append(True)
            ends[0].send(b"x")
            raise MemoryError
            yield

    before = gc.isenabled(), sys.getswitchinterval()
    assert until_asked(monkeypatch, ends, pages=Broken()) == [True]
    assert (gc.isenabled(), sys.getswitchinterval()) == before

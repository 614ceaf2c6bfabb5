"""What a crash has lost is asked again if that changes nothing, and within the deadline of the call."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from wild_use import do

from statehold.loading.sidecar import Limits, Reason, SidecarError
from statehold.loading.sidecar.host import _breaker
from statehold.loading.sidecar.host._health import check
from statehold.loading.sidecar.host._lane import Lane
from statehold.testing import OpenStorage

Wild = Callable[..., OpenStorage]


def test_a_read_that_has_yielded_rows_is_not_asked_again(wild: Wild) -> None:
    opened = wild()
    reading = opened.facade.read(opened.key(1, What="rows 100000 1000"))
    next(reading)
    with pytest.raises(SidecarError):
        opened.insert(opened.key(1, What="x"), opened.value(Text="exit 4"))
    with pytest.raises(SidecarError) as caught:
        list(reading)
    assert caught.value.reason is Reason.CRASHED
    assert not caught.value.unknown


def test_a_validation_is_not_asked_again(wild: Wild, tmp_path: Path) -> None:
    opened = wild()
    died = tmp_path / "died"
    intent = opened.facade.insert(opened.key(1, What=f"validate die-once {died}"), opened.value(Text=""))
    with pytest.raises(SidecarError) as caught:
        opened.writer.validate([intent])
    assert (caught.value.reason, caught.value.unknown) == (Reason.CRASHED, False)
    opened.writer.validate([intent])


def test_a_get_is_asked_again_once_only(wild: Wild, tmp_path: Path) -> None:
    opened = wild()
    died = tmp_path / "died"
    with pytest.raises(SidecarError) as caught:
        do(opened, f"die-always {died}")
    assert caught.value.reason is Reason.CRASHED
    assert died.read_text() == "xx"


def test_who_finds_that_the_process_ended_when_it_needs_a_further_lane_asks_the_next_one(
    wild: Wild, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = wild(limits=Limits(deadline=60.0))
    process = opened.storage.group.lanes.process  # type: ignore[attr-defined]
    add_lane, killed = process.add_lane, []

    def killed_before(started: float) -> Lane:
        killed.append(signal.pidfd_send_signal(process.pidfd, signal.SIGKILL))
        return add_lane(started)

    reading = opened.facade.read(opened.key(1, What="rows 100000 1000"))  # keeps the only lane
    next(reading)
    monkeypatch.setattr(process, "add_lane", killed_before)
    # It would not be asked again, had it been asked.
    opened.insert(opened.key(1, What="x"), opened.value(Text=""))
    assert killed
    reading.close()


def test_who_waited_for_a_lane_has_what_is_left_of_the_deadline(wild: Wild) -> None:
    opened = wild(limits=Limits(deadline=3.0))
    tooks: list[float] = []
    reasons = []

    def call() -> None:
        begun = os.times().elapsed
        try:
            do(opened, "hang")
        except SidecarError as error:
            reasons.append(error.reason)
        tooks.append(os.times().elapsed - begun)

    threads = [threading.Thread(target=call) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(reasons) == 20
    assert set(reasons) <= {Reason.DEADLINE, Reason.CRASHED, Reason.BUSY, Reason.START}
    assert max(tooks) < 9.0, (
        "twice the deadline or more, had each step a deadline of its own; and a machine may be busy"
    )


def test_a_sidecar_that_failed_too_often_serves_again_once_a_start_works(
    wild: Wild, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_breaker, "_FIRST", 0.02)
    opened = wild(limits=Limits(deadline=30.0))
    reasons = set()
    while Reason.BROKEN not in reasons:
        with pytest.raises(SidecarError) as caught:
            opened.insert(opened.key(1, What="x"), opened.value(Text="exit 1"))
        reasons.add(caught.value.reason)
    group = opened.storage.group  # type: ignore[attr-defined]
    while group._breaker.open:
        with group.lanes.lock:
            pass
    assert do(opened, "eval 1 + 1") == "2"


def test_one_that_stopped_while_nobody_called_is_replaced_before_anybody_does(wild: Wild, records) -> None:
    opened = wild(limits=Limits(deadline=2.0))
    before = do(opened, "pid")
    group = opened.storage.group  # type: ignore[attr-defined]
    check(group.lanes)
    assert do(opened, "pid") == before
    process = group.lanes.process
    signal.pidfd_send_signal(group.pidfd, signal.SIGSTOP)
    while not process.dead:  # it may still answer once, before it stops
        check(group.lanes)
    records.wait_for("no answer within 2 s")
    assert do(opened, "pid") != before


def test_no_process_is_ended_by_its_number(wild: Wild, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError("a number may be another's by now")

    for name in ("kill", "killpg"):
        monkeypatch.setattr(os, name, forbidden)
    opened = wild(limits=Limits(deadline=2.0))
    before = do(opened, "pid")
    with pytest.raises(SidecarError):
        do(opened, "hang")
    assert do(opened, "pid") != before

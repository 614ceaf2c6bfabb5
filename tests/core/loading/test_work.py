from __future__ import annotations

import logging
import threading
from types import SimpleNamespace

import pytest

from statehold.hosting._logger import HostedLogger
from statehold.loading import _work
from statehold.loading._work import Work
from statehold.sdk import FreedError


@pytest.fixture
def work():
    return Work("bills.Scada", HostedLogger("statehold.acme.bills.1.0.bills.Scada"))


def test_background_work_ends_when_its_event_is_set(work):
    began, ended = threading.Event(), threading.Event()

    def poll(stop):
        began.set()
        stop.wait()
        ended.set()

    work.background(poll)
    assert began.wait(60)
    assert work.finish(10) == ()
    assert ended.is_set()


def test_background_work_that_could_not_begin_need_not_end(work, monkeypatch):
    class NoThread(threading.Thread):
        def start(self):
            raise RuntimeError("can't start new thread")

    # Of that module alone: other threads may begin meanwhile.
    monkeypatch.setattr(_work, "threading", SimpleNamespace(Thread=NoThread))
    with pytest.raises(RuntimeError, match="can't start"):
        work.background(lambda stop: None)
    assert work.finish(10) == ()


def test_background_work_that_fails_is_logged(work, caplog):
    def fail(stop):
        raise ValueError("no such device")

    work.background(fail)
    assert work.finish(10) == ()
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "background work of bills.Scada failed")
    assert str(record.exc_info[1]) == "no such device"


def test_background_work_that_ignores_its_event_is_reported(work):
    release = threading.Event()
    work.background(lambda stop: release.wait(60))
    (problem,) = work.finish(0)
    assert problem == "background work did not stop within 0 s of its event being set"
    release.set()


def test_finishing_waits_for_pending_hooks(work):
    inside, leave, finished = threading.Event(), threading.Event(), []

    def hook():
        with work.pending("confirm"):
            inside.set()
            leave.wait(60)
            finished.append("hook")

    thread = threading.Thread(target=hook)
    thread.start()
    assert inside.wait(60)
    leave.set()
    assert work.finish(10) == ()
    assert finished == ["hook"]
    thread.join()


def test_a_pending_hook_that_does_not_end_is_reported_by_name(work):
    with work.pending("confirm"):
        assert work.finish(0) == ("pending hook 'confirm' did not end within 0 s",)


def test_a_hook_that_fails_is_no_longer_pending(work):
    with pytest.raises(ValueError, match="lost"), work.pending("confirm"):
        raise ValueError("lost")
    assert work.finish(0) == ()


def test_nothing_can_begin_after_the_end(work):
    work.finish(0)
    with pytest.raises(FreedError, match="no background work can begin"):
        work.background(lambda stop: None)
    with pytest.raises(FreedError, match="no pending hook 'late' can begin"), work.pending("late"):
        pass


def test_background_work_may_end_with_a_pending_hook(work):
    done = []

    def poll(stop):
        stop.wait()
        with work.pending("last words"):
            done.append(True)

    work.background(poll)
    assert work.finish(10) == ()
    assert done == [True]

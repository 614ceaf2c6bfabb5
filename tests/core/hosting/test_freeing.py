from __future__ import annotations

import gc
import threading
import weakref

import pytest

from statehold.hosting._freeing import free_storages
from statehold.hosting._logger import HostedLogger
from statehold.hosting._opened import OpenStorage
from statehold.hosting._trouble import Trouble
from statehold.loading._work import Work

PLAIN = Trouble(lambda text: text)


class Storage:
    def __init__(self, log, name, action=None):
        self.log, self.name, self.action = log, name, action

    def free(self):
        self.log.append(self.name)
        if self.action:
            self.action()


def opened(storage):
    logger = HostedLogger(f"statehold.acme.bills.1.0.bills.{storage.name}")
    return OpenStorage(
        name=f"bills.{storage.name}",
        provider=storage.name,
        impl=storage,
        work=Work(f"bills.{storage.name}", logger),
        logger=logger,
        where="partition 0 of acme.bills 1",
    )


def free(storages, *, timeout=10.0, trouble=PLAIN):
    return free_storages(storages, trouble, free_timeout=timeout, pending_timeout=timeout)


def test_storages_are_freed_once_each_in_reverse():
    log = []
    storages = [opened(Storage(log, name)) for name in "ABC"]
    assert free(storages) == ()
    assert free(storages) == ()
    assert log == ["C", "B", "A"]


def test_each_is_freed_after_its_own_background_work_has_stopped():
    log = []
    storage = opened(Storage(log, "A"))

    def poll(stop):
        stop.wait()
        log.append("stopped")

    storage.work.background(poll)
    assert free([storage]) == ()
    assert log == ["stopped", "A"]


def test_one_that_raises_is_reported_with_the_place_and_the_others_are_freed():
    log = []

    def fail():
        raise OSError("the disk is gone")

    problems = free([opened(Storage(log, "A")), opened(Storage(log, "B", fail)), opened(Storage(log, "C"))])
    assert log == ["C", "B", "A"]
    (problem,) = problems
    assert problem.startswith(
        "bills.B of partition 0 of acme.bills 1: free() raised OSError: the disk is gone ("
    )
    assert "test_freeing.py:" in problem


def test_one_that_ends_the_thread_is_reported_too():
    (problem,) = free([opened(Storage([], "A", lambda: exec("raise SystemExit(3)")))])
    assert "free() raised SystemExit: 3" in problem


def test_one_whose_error_cannot_be_told_does_not_keep_the_others():
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError("no words")

    def fail():
        raise Mute

    log = []
    (problem,) = free([opened(Storage(log, "A")), opened(Storage(log, "B", fail))])
    assert log == ["B", "A"]
    assert "bills.B of partition 0 of acme.bills 1: free() raised Mute: its message cannot be told" in problem


def test_one_that_hangs_is_reported_and_left_behind():
    log, release = [], threading.Event()
    problems = free(
        [opened(Storage(log, "A")), opened(Storage(log, "B", lambda: release.wait(60)))], timeout=1.0
    )
    assert log == ["B", "A"]
    assert problems == ("bills.B of partition 0 of acme.bills 1: free() did not return within 1 s",)
    release.set()


def test_a_secret_that_an_error_quotes_is_not_shown():
    def fail():
        raise ValueError("wrong password hunter2")

    trouble = Trouble(lambda text: text.replace("hunter2", "***"))
    (problem,) = free([opened(Storage([], "A", fail))], trouble=trouble)
    assert "wrong password ***" in problem


def test_freeing_keeps_nothing_of_a_storage():
    def fail():
        raise ValueError("lost")

    storage = Storage([], "A", fail)
    gone = weakref.ref(storage)
    free([opened(storage)])
    del storage
    gc.collect()
    assert gone() is None


def test_a_storage_that_is_collected_without_being_freed_warns():
    storage = opened(Storage([], "A"))
    with pytest.warns(ResourceWarning, match=r"bills\.A of partition 0 of acme\.bills 1 was not freed"):
        del storage

"""One sync for all who wait: whoever is let go, the disk has what was waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from statehold_zdb.engine._batch import Batch
from statehold_zdb.engine._errors import ZdbWriteError
from statehold_zdb.engine._sync import Syncing

LIMIT = 60


class Log:
    """Numbers that are written, and a sync of a few of its seconds."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.lock = threading.Lock()
        self.written = self.synced = self.syncs = 0
        self.running = 0
        self.most = 0
        self.error: ZdbWriteError | None = None
        self.go = threading.Event()
        self.go.set()
        self.entered = threading.Event()

    def write(self) -> Batch:
        with self.lock:
            self.written += 1
            return Batch(self.written)

    def sync(self, before: Callable[[], None]) -> int:
        self.running += 1
        self.most = max(self.most, self.running)
        upto = self.written
        before()
        self.entered.set()
        assert self.go.wait(LIMIT)
        if self.seconds:
            time.sleep(self.seconds)
        self.running -= 1
        if self.error is not None:
            raise self.error
        self.synced = upto
        self.syncs += 1
        return upto


def _start(*runs: Callable[[], None]) -> list[threading.Thread]:
    threads = [threading.Thread(target=run) for run in runs]
    for thread in threads:
        thread.start()
    return threads


def _join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(LIMIT)
        assert not thread.is_alive()


def _until(condition: Callable[[], bool]) -> None:
    for _ in range(LIMIT * 100):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to that")


@pytest.mark.parametrize(
    ("seconds", "think"),
    [(0.0, 0.0), (0.0002, 0.0), (0.002, 0.0), (0.002, 0.0003)],
    ids=[
        "a disk that takes no time",
        "a fast disk",
        "a slow disk",
        "a slow disk, and writers with other work",
    ],
)
def test_who_waits_is_let_go_when_the_disk_has_it_and_never_before(seconds: float, think: float) -> None:
    """Also where time is up before all have been woken, and where those who are expected do not come."""
    log = Log(seconds)
    syncing = Syncing(log.sync)
    early: list[int] = []
    ended = [0] * 9

    def run(name: int) -> None:
        for turn in range(60):
            if name == 8:
                syncing.run()
            else:
                batch = log.write()
                syncing.wait(batch)
                if log.synced < batch.last:
                    early.append(batch.last)
            if think and turn % 3:
                time.sleep(think * name)
            if name % 4 == 3 and turn > 20:
                break  # those who are left do not wait for it
        ended[name] = 1

    _join(_start(*(partial(run, name) for name in range(9))))
    assert sum(ended) == 9
    assert not early
    assert log.most == 1
    assert log.syncs > 1
    syncing.wait(log.write())  # and nobody is thought to be at it still
    assert log.synced == log.written


def test_the_next_sync_is_for_all_who_wrote_while_one_was_under_way() -> None:
    """Those whom the first was for, and who write again, come into the next as well."""
    log = Log()
    syncing = Syncing(log.sync)
    log.go.clear()
    first = _start(lambda: syncing.wait(log.write()))
    assert log.entered.wait(LIMIT)
    later = _start(*[lambda: syncing.wait(log.write())] * 6)
    _until(lambda: len(syncing._waiting) == 6)
    log.go.set()
    _join(first + later)
    assert log.syncs == 2
    assert log.synced == 7


def test_one_who_is_expected_and_does_not_come_keeps_nobody_waiting() -> None:
    """A slow sync had several; the next one has a single writer."""
    log = Log(0.005)
    syncing = Syncing(log.sync)
    log.go.clear()
    threads = _start(*[lambda: syncing.wait(log.write())] * 5)
    _until(lambda: len(syncing._waiting) == 4)
    log.go.set()
    _join(threads)
    for _ in range(3):
        syncing.wait(log.write())
    assert log.synced == log.written == 8


def test_a_sync_that_fails_is_told_to_all_who_wait_and_to_all_who_come() -> None:
    """Whether they wait for records or for a sync."""
    log = Log()
    syncing = Syncing(log.sync)
    log.go.clear()
    log.error = ZdbWriteError("default: a sync failed")
    failed: list[str] = []

    def expect(run: Callable[[], None]) -> None:
        try:
            run()
        except ZdbWriteError as error:
            failed.append(error.message)

    first = _start(lambda: expect(lambda: syncing.wait(log.write())))
    assert log.entered.wait(LIMIT)
    later = _start(*[lambda: expect(lambda: syncing.wait(log.write()))] * 4, lambda: expect(syncing.run))
    _until(lambda: len(syncing._waiting) == 5)
    log.go.set()
    _join(first + later)
    for run in (lambda: syncing.wait(log.write()), syncing.run):
        expect(run)
    assert failed == ["default: a sync failed"] * 8

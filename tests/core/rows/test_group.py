from __future__ import annotations

import signal
import threading

import pytest

from statehold.rows._group import GroupCommit
from statehold.testing._patience import together, within


class Closed(Exception):
    pass


def test_who_waits_is_written_in_one_group():
    entered, go, groups = threading.Event(), threading.Event(), []

    def commit(group):
        groups.append([request.work for request in group])
        entered.set()
        go.wait(60)
        for request in group:
            request.finish(request.work * 10)

    pen = GroupCommit(commit, closed=Closed)
    first = threading.Thread(target=pen.do, args=(0,))
    first.start()
    entered.wait(60)
    results = []
    others = [threading.Thread(target=lambda n=n: results.append(pen.do(n))) for n in range(1, 6)]
    for thread in others:
        thread.start()
    while len(pen._waiting) < 5:
        pass
    go.set()
    for thread in [first, *others]:
        thread.join(60)
    assert groups[0] == [0]
    assert sorted(groups[1]) == [1, 2, 3, 4, 5]
    assert sorted(results) == [10, 20, 30, 40, 50]


def test_each_gets_its_own_error():
    def commit(group):
        for request in group:
            if request.work % 3:
                request.finish(request.work)
            else:
                request.fail(ValueError(request.work))

    pen = GroupCommit(commit, closed=Closed)

    def call(number):
        for _ in range(50):
            if number % 3:
                assert pen.do(number) == number
            else:
                with pytest.raises(ValueError, match=f"^{number}$"):
                    pen.do(number)

    together(60, [lambda n=n: call(n) for n in range(12)])


def test_interrupted_leader_leaves_the_rest_to_the_next():
    interrupts = iter([True] * 20)

    def commit(group):
        if len(group) > 1 and next(interrupts, False):
            raise KeyboardInterrupt
        for request in group:
            request.finish(request.work)

    pen = GroupCommit(commit, closed=Closed)

    def call(number):
        done = 0
        for _ in range(200):
            try:
                assert pen.do(number) == number
                done += 1
            except KeyboardInterrupt:
                pass
        return done

    assert sum(together(60, [lambda n=n: call(n) for n in range(8)])) >= 8 * 200 - 20
    within(5, pen.close)


def test_interrupted_waiter_stops_nobody():
    entered, go = threading.Event(), threading.Event()

    def commit(group):
        entered.set()
        go.wait(60)
        for request in group:
            request.finish(request.work)

    pen = GroupCommit(commit, closed=Closed)
    threads = [threading.Thread(target=pen.do, args=(n,)) for n in range(3)]
    threads[0].start()
    entered.wait(60)
    interrupter = threading.Thread(
        target=lambda: (
            _until(lambda: pen._waiting),
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT),
        )
    )
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        pen.do(9)
    for thread in threads[1:]:
        thread.start()
    go.set()
    for thread in [*threads, interrupter]:
        thread.join(60)
        assert not thread.is_alive()
    assert pen.do(5) == 5


def test_close_waits_for_what_is_under_way():
    entered, go, finished = threading.Event(), threading.Event(), []

    def commit(group):
        entered.set()
        go.wait(60)
        finished.append(True)
        for request in group:
            request.finish(None)

    pen = GroupCommit(commit, closed=Closed)
    writer = threading.Thread(target=pen.do, args=(1,))
    writer.start()
    entered.wait(60)
    closer = threading.Thread(target=pen.close)
    closer.start()
    _until(lambda: pen._is_closed)
    with pytest.raises(Closed):
        pen.do(2)
    assert not finished
    go.set()
    closer.join(60)
    writer.join(60)
    assert finished == [True]


def _until(condition):
    while not condition():
        pass

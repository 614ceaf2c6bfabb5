from __future__ import annotations

import threading

import pytest

from statehold.processing._workers import Workers


@pytest.fixture
def workers():
    made = []

    def workers(**more):
        one = Workers("statehold-test", size=more.pop("size", 2), failed=more.pop("failed", print), **more)
        made.append(one)
        return one

    yield workers
    for one in made:
        assert one.close(10) == []


def test_jobs_run_on_named_threads_that_do_not_keep_the_process(workers):
    seen, done = [], threading.Event()

    def job():
        seen.append((threading.current_thread().name, threading.current_thread().daemon))
        done.set()

    assert workers().submit(job)
    assert done.wait(60)
    assert seen == [("statehold-test-1", True)]


def test_no_more_run_at_a_time_than_asked_for(workers):
    pool, gate, running, most, lock, left = workers(size=3), threading.Event(), [0], [0], threading.Lock(), 20
    done = threading.Semaphore(0)

    def job():
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        gate.wait(60)
        with lock:
            running[0] -= 1
        done.release()

    for _ in range(left):
        pool.submit(job)
    gate.set()
    for _ in range(left):
        assert done.acquire(timeout=60)
    assert most[0] <= 3


def test_a_job_that_hangs_holds_up_nobody(workers):
    pool, hang, done = workers(size=1, patience=0.0), threading.Event(), threading.Event()
    began = threading.Event()
    pool.submit(lambda: (began.set(), hang.wait(60)))
    assert began.wait(60)
    pool.submit(done.set)
    for _ in range(1000):
        pool.check()
        if done.wait(0.01):
            break
    assert done.is_set()
    hang.set()


def test_an_error_is_told_and_the_thread_goes_on(workers):
    errors, done = [], threading.Event()
    pool = workers(size=1, failed=errors.append)

    def fails():
        raise ValueError("told to")

    pool.submit(fails)
    pool.submit(done.set)
    assert done.wait(60)
    assert [str(one) for one in errors] == ["told to"]


def test_closing_forgets_what_waits_and_takes_nothing_more(workers):
    pool, gate, began, ran = workers(size=1), threading.Event(), threading.Event(), []
    pool.submit(lambda: (began.set(), gate.wait(60)))
    assert began.wait(60)
    pool.submit(lambda: ran.append(1))
    assert pool.close(0) == ["statehold-test-1"]
    gate.set()
    assert pool.close(10) == []
    assert not pool.submit(print)
    assert ran == []

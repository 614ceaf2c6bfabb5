from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from statehold.processing import BusyError, ClosedError
from statehold.processing._lane import Lane


class Runner:
    """Runs what a lane gives it: work is a function, or the text `left` to leave it for the next batch."""

    def __init__(self):
        self.batches = []
        self.threads = []

    def __call__(self, batch, wake):
        try:
            return self.run(batch)
        finally:
            wake([pending for pending in batch if pending.is_done])

    def run(self, batch):
        self.batches.append([pending.work for pending in batch])
        self.threads.append(threading.current_thread().name)
        for place, pending in enumerate(batch):
            if place and pending.work == "left":
                return batch[place:]
            try:
                pending.finish(pending.work() if callable(pending.work) else pending.work)
            except Exception as error:
                pending.finish(error)
        return []


@pytest.fixture
def lane():
    pool = ThreadPoolExecutor(4, thread_name_prefix="lane")
    runner = Runner()
    made = Lane("partition 0", runner, start=pool.submit, most=10)
    made.runner = runner
    yield made
    pool.shutdown()


def test_who_finds_the_lane_free_does_his_own_work(lane):
    assert lane.do(lambda: 5, timeout=60, what="it") == 5
    assert lane.runner.threads == [threading.current_thread().name]


def test_errors_are_raised_where_it_was_asked_for(lane):
    with pytest.raises(ZeroDivisionError):
        lane.do(lambda: 1 / 0, timeout=60, what="it")
    assert lane.do(lambda: 1, timeout=60, what="it") == 1


def hold(lane):
    """Keep the lane busy; return what ends that, and waits until it is over."""
    began, go = threading.Event(), threading.Event()
    thread = threading.Thread(
        target=lane.do, args=(lambda: (began.set(), go.wait(60)),), kwargs={"timeout": 10, "what": "hold"}
    )
    thread.start()
    assert began.wait(60)

    def end():
        go.set()
        thread.join(60)

    return end


def test_what_is_asked_for_meanwhile_is_done_in_one_batch_on_another_thread(lane):
    end, results = hold(lane), []
    done = threading.Semaphore(0)
    for number in range(5):
        lane.submit(number, lambda result: (results.append(result), done.release()))
    end()
    for _ in range(5):
        assert done.acquire(timeout=60)
    assert results == [0, 1, 2, 3, 4]
    assert lane.runner.batches[1] == [0, 1, 2, 3, 4]
    assert lane.runner.threads[1].startswith("lane")


def test_a_batch_has_no_more_than_it_may_and_what_is_left_comes_first_in_the_next(lane):
    end, done = hold(lane), threading.Semaphore(0)
    for work in ["a", "left", *range(12)]:
        lane.submit(work, lambda _: done.release())
    end()
    for _ in range(14):
        assert done.acquire(timeout=60)
    assert lane.runner.batches[1:] == [["a", "left", *range(8)], ["left", *range(9)], [9, 10, 11]]


def test_who_waits_too_long_is_told_that_it_has_not_happened(lane):
    end, seen = hold(lane), []
    with pytest.raises(BusyError, match="partition 0 did not come to the end of it within 0 s") as caught:
        lane.do(lambda: seen.append(1), timeout=0, what="it")
    assert not caught.value.unknown
    end()
    assert lane.do(lambda: 1, timeout=60, what="it") == 1
    assert seen == []


def test_who_waits_too_long_for_what_has_begun_is_told_that_it_may_happen(lane):
    end, began, go = hold(lane), threading.Event(), threading.Event()
    lane.submit(lambda: (began.set(), go.wait(60)), lambda _: None)
    waiting, told = threading.Event(), []

    def wait():
        try:
            lane.do(lambda: 1, timeout=0.05, what="it")
        except BusyError as error:
            told.append(error.unknown)
        waiting.set()

    thread = threading.Thread(target=wait)
    thread.start()
    while len(lane) < 2:
        waiting.wait(0.001)
    end()
    assert waiting.wait(60)
    thread.join(60)
    assert told == [True]
    go.set()


def test_after_closing_nothing_is_taken_and_what_was_asked_for_is_done(lane):
    end, results = hold(lane), []
    lane.submit(1, results.append)
    assert not lane.close(0)
    with pytest.raises(ClosedError, match="takes no more requests"):
        lane.do(lambda: 1, timeout=60, what="it")
    with pytest.raises(ClosedError):
        lane.submit(1, results.append)
    end()
    assert lane.close(10)
    assert results == [1]


def test_whoever_asks_runs_what_is_queued_if_he_brings_a_thread(lane):
    begun, results = [], []
    lane.submit(1, results.append, start=begun.append)
    lane.submit(2, results.append, start=begun.append)
    assert results == []
    (work,) = begun
    work()
    assert results == [1, 2]


def test_many_clients_get_their_own_answers(lane):
    def client(number):
        return [lane.do(lambda: (number, turn), timeout=60, what="it") for turn in range(200)]  # noqa: B023

    with ThreadPoolExecutor(8) as pool:
        for number, answers in enumerate(pool.map(client, range(8))):
            assert answers == [(number, turn) for turn in range(200)]
    assert sum(map(len, lane.runner.batches)) == 1600


def test_a_defect_leaves_nobody_waiting():
    def broken(batch, wake):
        raise SystemExit

    begun, told = [], []
    lane = Lane("partition 0", broken, start=begun.append, most=10)
    lane.submit(1, told.append)
    lane.submit(2, told.append)
    with pytest.raises(SystemExit):
        begun[0]()
    assert [type(one) for one in told] == [SystemExit, SystemExit]
    assert lane.close(0)

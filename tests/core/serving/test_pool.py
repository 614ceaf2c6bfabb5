from __future__ import annotations

import asyncio
import threading
import weakref

import pytest

from statehold.processing import BusyError, TooSlowError
from statehold.serving._pool import Pool


def pool(*, threads=4, queue=1000, time_limit=20.0) -> Pool:
    return Pool("test", threads=threads, queue=queue, time_limit=time_limit)


def run(main):
    return asyncio.run(asyncio.wait_for(main, 30))


def test_results_and_errors_reach_who_waits_for_them():
    async def main():
        async def one(n):
            try:
                return await calls.submit(lambda: 1 // n)
            except ZeroDivisionError:
                return "error"

        return await asyncio.gather(*map(one, range(3)))

    calls = pool()
    assert run(main()) == ["error", 1, 0]
    assert calls.close(10)


@pytest.mark.parametrize("error", [StopIteration("x"), SystemExit(3), KeyboardInterrupt()])
def test_what_would_end_the_loop_is_an_error_like_others(error):
    def fail():
        raise error

    async def main():
        with pytest.raises(RuntimeError):
            await calls.submit(fail)
        return await calls.submit(lambda: "goes on")

    calls = pool()
    assert run(main()) == "goes on"


def test_calls_that_do_not_block_need_one_thread():
    async def main():
        for _ in range(20):
            await asyncio.gather(*(calls.submit(threading.get_ident) for _ in range(50)))

    calls = pool()
    run(main())
    assert len(calls._workers) == 1


def test_a_call_that_blocks_is_overtaken_and_holds_up_no_result(gate):
    async def main():
        quick = [calls.submit(int, n) for n in range(3)]
        stuck = calls.submit(gate.wait)
        late = calls.submit(lambda: "late")
        assert await asyncio.gather(*quick) == [0, 1, 2]
        assert await late == "late"
        assert not stuck.done()
        gate.set()
        return await stuck

    calls = pool()
    assert run(main()) is True
    assert len(calls._workers) == 2


def test_no_more_threads_are_started_than_there_may_be(gate):
    async def main():
        stuck = [calls.submit(gate.wait) for _ in range(10)]
        late = calls.submit(lambda: "late")
        while calls.busy < 3:
            await asyncio.sleep(0)
        assert calls.waiting >= 8
        assert not late.done()
        gate.set()
        await asyncio.gather(*stuck)
        return await late

    calls = pool(threads=3)
    assert run(main()) == "late"
    assert len(calls._workers) == 3


def test_work_of_its_own_gets_a_thread_of_its_own_at_once():
    async def main():
        meet = threading.Barrier(4, timeout=60)
        done = threading.Event()
        for _ in range(4):
            calls.run(lambda: meet.wait() == 0 and done.set())
        return await calls.submit(done.wait, 20)

    calls = pool(threads=5)
    assert run(main())


def test_work_that_fails_ends_no_thread(caplog):
    def fail():
        raise RuntimeError("a defect")

    async def main():
        calls.run(fail)
        return await calls.submit(lambda: "goes on")

    calls = pool(threads=1)
    assert run(main()) == "goes on"
    assert "a defect" in caplog.text


def test_who_waits_too_long_is_told_and_the_call_goes_on(gate):
    ended = threading.Event()

    def work():
        gate.wait()
        ended.set()

    async def main():
        with pytest.raises(TooSlowError, match=r"no answer within 0\.1 s"):
            await calls.submit(work)

    calls = pool(time_limit=0.1)
    run(main())
    assert not ended.is_set()
    gate.set()
    assert ended.wait(20)


def test_what_nobody_waits_for_any_more_is_not_begun(gate):
    begun = []

    async def main():
        stuck = calls.submit(gate.wait)
        gone = calls.submit(begun.append, 1)
        gone.cancel()
        gate.set()
        await stuck
        await calls.submit(lambda: None)

    calls = pool(threads=1)
    run(main())
    assert begun == []


def test_more_calls_than_may_wait_are_refused(gate):
    async def main():
        stuck = [calls.submit(gate.wait) for _ in range(3)]
        with pytest.raises(BusyError):
            calls.submit(lambda: None)
        gate.set()
        await asyncio.gather(*stuck)
        await calls.submit(lambda: None)

    calls = pool(queue=3)
    run(main())


def test_a_resting_thread_holds_nothing_of_what_it_ran():
    class Held:
        pass

    async def main():
        held = Held()
        found = weakref.ref(held)
        await calls.submit(lambda it: None, held)
        return found

    calls = pool()
    found = run(main())
    assert calls.close(10)
    assert found() is None


def test_a_pool_that_is_closed_ends_its_threads_and_takes_nothing(gate):
    async def main():
        stuck = calls.submit(gate.wait)
        while not calls.busy:
            await asyncio.sleep(0)
        assert not calls.close(0.05)
        with pytest.raises(BusyError):
            calls.submit(lambda: None)
        gate.set()
        await stuck

    calls = pool()
    run(main())
    assert calls.close(10)
    assert calls.busy == 0


def test_no_call_is_lost_or_run_twice_under_load():
    counts: dict[int, int] = {}
    lock = threading.Lock()

    def work(n):
        with lock:
            counts[n] = counts.get(n, 0) + 1
        if n % 97 == 0:
            threading.Event().wait(0.002)
        return n

    async def main():
        async def client(first):
            for n in range(first, 4000, 40):
                assert await calls.submit(work, n) == n

        await asyncio.gather(*map(client, range(40)))

    calls = pool()
    run(main())
    assert counts == dict.fromkeys(range(4000), 1)

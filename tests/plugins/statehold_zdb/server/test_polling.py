"""Waiting without sleeping for a client that asks at once again: when it is done, and when no more."""

from __future__ import annotations

import asyncio

import pytest

from statehold_zdb.server._polling import Polling

WINDOW = 0.0001


class Clock:
    """A clock that is set by hand, and counts who looks at it."""

    def __init__(self) -> None:
        self.time = 0.0
        self.looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return self.time

    async def is_watched(self) -> bool:
        """Whether somebody looks at it again and again, as one does who does not sleep."""
        before = self.looks
        for _ in range(5):
            await asyncio.sleep(0)
        return self.looks - before >= 4


async def missed(polling: Polling, clock: Clock, *, after: float = 1.1) -> int:
    """Answer until it polls, let nothing come in time, and return how many answers were passed over."""
    passed = 0
    polling.answered()
    while not await clock.is_watched():
        passed += 1
        polling.answered()
    clock.time += after * WINDOW
    assert not await clock.is_watched()
    return passed


async def in_time(polling: Polling, clock: Clock, times: int) -> None:
    """Answer what comes in time, so often."""
    for _ in range(times):
        assert await clock.is_watched()
        clock.time += 0.9 * WINDOW
        polling.answered()


def test_a_server_is_awake_while_what_it_answers_is_followed_by_more_in_time() -> None:
    async def main() -> None:
        polling = Polling(WINDOW, clock := Clock())
        assert not await clock.is_watched()
        polling.answered()
        await in_time(polling, clock, 20)
        assert await clock.is_watched()
        clock.time += 1.1 * WINDOW
        assert not await clock.is_watched()

    asyncio.run(main())


def test_each_time_nothing_comes_more_answers_are_passed_over() -> None:
    async def main() -> None:
        polling = Polling(WINDOW, clock := Clock())
        assert [await missed(polling, clock) for _ in range(13)] == [
            0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 1023, 1024, 1024,
        ]  # fmt: skip

    asyncio.run(main())


@pytest.mark.parametrize(("times", "passed"), [(7, 15), (8, 0)])
def test_none_is_passed_over_after_as_many_in_time_as_make_it_worth_it(times: int, passed: int) -> None:
    async def main() -> None:
        polling = Polling(WINDOW, clock := Clock())
        for _ in range(3):
            await missed(polling, clock)
        while not await clock.is_watched():
            polling.answered()
        await in_time(polling, clock, times)
        assert await missed(polling, clock) == 0
        assert await missed(polling, clock) == passed

    asyncio.run(main())


def test_more_are_passed_over_at_once_where_others_want_the_processor() -> None:
    async def main() -> None:
        polling = Polling(WINDOW, clock := Clock())
        polling.answered()
        await in_time(polling, clock, 100)
        assert [await missed(polling, clock, after=10) for _ in range(4)] == [0, 63, 567, 1024]

    asyncio.run(main())


def test_a_server_that_is_told_so_never_polls() -> None:
    async def main() -> None:
        polling = Polling(0.0, clock := Clock())
        polling.answered()
        assert not await clock.is_watched()

    asyncio.run(main())

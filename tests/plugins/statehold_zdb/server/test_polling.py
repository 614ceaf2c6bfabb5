"""Waiting without sleeping for a client that asks at once again: when it is done, and when no more."""

from __future__ import annotations

import asyncio

from statehold_zdb.server._polling import Polling


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


async def missed(polling: Polling, clock: Clock) -> int:
    """Answer until it polls, let nothing come in time, and return how many answers were passed over."""
    passed = 0
    polling.answered()
    while not await clock.is_watched():
        passed += 1
        polling.answered()
    clock.time += 2 * polling.seconds
    assert not await clock.is_watched()
    return passed


def test_a_server_is_awake_while_what_it_answers_is_followed_by_more_in_time() -> None:
    async def main() -> None:
        polling = Polling(1.0, clock := Clock())
        assert not await clock.is_watched()
        polling.answered()
        for _ in range(3):
            assert await clock.is_watched()
            clock.time += 0.9
            polling.answered()
        assert await clock.is_watched()
        clock.time += 1.1
        assert not await clock.is_watched()

    asyncio.run(main())


def test_each_time_nothing_comes_more_answers_are_passed_over() -> None:
    async def main() -> None:
        polling = Polling(1.0, clock := Clock())
        assert [await missed(polling, clock) for _ in range(13)] == [
            0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 1023, 1024, 1024,
        ]  # fmt: skip

    asyncio.run(main())


def test_one_that_comes_in_time_is_enough_for_none_to_be_passed_over() -> None:
    async def main() -> None:
        polling = Polling(1.0, clock := Clock())
        for _ in range(5):
            await missed(polling, clock)
        while not await clock.is_watched():
            polling.answered()
        polling.answered()
        assert await clock.is_watched()
        clock.time += 2
        assert not await clock.is_watched()
        assert await missed(polling, clock) == 0

    asyncio.run(main())


def test_a_server_that_is_told_so_never_polls() -> None:
    async def main() -> None:
        polling = Polling(0.0, clock := Clock())
        polling.answered()
        assert not await clock.is_watched()

    asyncio.run(main())

from __future__ import annotations

import asyncio

import pytest

from statehold.serving._results import Results
from statehold.serving._stream import Stream

MANY = [{"Dish": "x" * 1000}] * 200


async def nothing_comes():
    await asyncio.Event().wait()


async def sent(stream):
    """Return the body that a stream sends."""
    pieces = []

    async def send(message):
        pieces.append(message.get("body", b""))

    await asyncio.wait_for(stream.send(nothing_comes, send), 20)
    return b"".join(pieces)


def much(sink):
    sink(MANY)
    return []


@pytest.mark.parametrize("first", ["the end", "the beginning"])
def test_whoever_hears_of_the_end_before_the_beginning_gets_the_whole_answer(first):
    """Both come to the loop on ways of their own: on a busy machine, in either order."""

    async def ask():
        results = Results(asyncio.get_running_loop())
        waiting = results.begun = asyncio.get_running_loop().create_future()
        ended = results.run(much)
        assert isinstance(ended, Stream)
        if first == "the end":
            waiting.set_result(ended)
        return await sent(await waiting)

    body = asyncio.run(ask())
    assert body.startswith(b'{"results":[{"Dish":"xxx')
    assert body.endswith(b"]}")


def test_a_query_that_nobody_waits_for_any_more_is_told_before_it_has_read_all():
    async def ask():
        results = Results(asyncio.get_running_loop())
        results.begun = asyncio.get_running_loop().create_future()
        results.begun.cancel()

        def read(sink):
            for _ in range(100):
                sink(MANY)
            return []

        return await asyncio.get_running_loop().run_in_executor(None, results.run, read)

    stream = asyncio.run(ask())
    assert stream.ended

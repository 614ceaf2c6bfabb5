"""A connection of protocol 7 over a channel that a test has made up."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, cast

import pytest

from statehold_aos.gateway import ClaimId, Protocol7, StateRequest
from statehold_aos.gateway._channel import Channel, Closed
from statehold_aos.gateway._exchange import Exchange, Terms
from statehold_aos.gateway._session import Session

CODEC = Protocol7(system="s1")
ASKS = StateRequest(claim=ClaimId(1, "nav", "ann"), correlation="c")


class Ending:
    """Has one message, and nothing after it."""

    waiting = 0
    heard = 0.0

    def __init__(self) -> None:
        self.left = [CODEC.encode(ASKS, "n")]

    def send(self, messages: Iterable[bytes]) -> None:
        assert list(messages) == []

    def prepare(self) -> bool:
        return True

    def read(self) -> list[bytes]:
        if not self.left:
            raise Closed("the end")
        return [self.left.pop()]


def test_what_came_just_before_the_end_is_settled() -> None:
    delivered: list[Any] = []
    settled: list[Any] = []

    def deliver(message: Any) -> bool:
        delivered.append(message)
        return True

    def settle() -> bool:
        settled.extend(delivered)
        delivered.clear()
        return bool(settled)

    session = Session(
        cast("Channel", Ending()),
        Exchange(CODEC, Terms(), lambda _: None),
        deliver=deliver,
        settle=settle,
        bad=lambda error: pytest.fail(str(error)),
        alive=1e9,
        gather=1e-3,
    )
    session._settled = time.monotonic() + 0.05  # so that it waits for more
    with pytest.raises(Closed):
        session.turn(0.0)
    assert settled == [ASKS]

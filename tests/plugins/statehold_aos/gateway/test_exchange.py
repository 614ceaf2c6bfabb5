"""One side of a connection of protocol 7, on a clock that is turned by hand."""

from __future__ import annotations

from typing import Any

import pytest

from statehold_aos.gateway import (
    Ack,
    ClaimId,
    MessageError,
    Nack,
    NewState,
    Protocol7,
    StateAcceptance,
    StateRequest,
    StateStatus,
    checksum_of,
)
from statehold_aos.gateway._exchange import Exchange, Terms

ANN = ClaimId(1, "nav", "ann")
CODEC = Protocol7(system="s1")


def new(state: bytes = b"a", correlation: str = "c", claim: ClaimId = ANN) -> NewState:
    return NewState(claim=claim, correlation=correlation, checksum=checksum_of(state), state=state)


ANSWER = StateAcceptance(claim=ANN, correlation="c", checksum=checksum_of(b"a"), accepted=True)


class Side:
    """An exchange, and what it has delivered and dropped."""

    def __init__(self, **terms: Any) -> None:
        self.delivered: list[Any] = []
        self.dropped: list[Any] = []
        self.taking = True
        self.exchange = Exchange(CODEC, Terms(**terms), self.dropped.append)

    def deliver(self, message: Any) -> bool:
        if self.taking:
            self.delivered.append(message)
        return self.taking

    def out(self, now: float) -> list[tuple[str, Any]]:
        frames = [CODEC.decode(body) for body in self.exchange.outgoing(now)]
        return [(one.number, one.content) for one in frames]

    def take(self, content: Any, number: str, now: float = 0) -> None:
        self.exchange.take(CODEC.encode(content, number), self.deliver, now)


def test_what_is_not_answered_comes_again_with_its_number_and_is_dropped_in_the_end() -> None:
    side = Side(wait=10, tries=3)
    side.exchange.put(new())
    ((number, content),) = side.out(0)
    assert content == new()
    assert side.out(9.9) == []
    assert side.exchange.due() == 10
    assert side.out(10) == [(number, new())]
    assert side.out(20) == [(number, new())]
    assert side.dropped == []
    assert side.out(30) == []
    assert side.dropped == [new()]
    assert side.exchange.due() is None
    assert side.out(100) == []


def test_what_is_answered_does_not_come_again() -> None:
    side = Side()
    side.exchange.put(new())
    ((number, _),) = side.out(0)
    side.take(Ack(), "of another one")
    side.take(Ack(), number)
    side.take(Ack(), number)
    assert side.exchange.due() is None
    assert side.out(1000) == []


def test_what_is_not_wanted_yet_comes_again_when_it_is() -> None:
    side = Side(wait=10, tries=1)
    side.exchange.put(new())
    ((number, _),) = side.out(0)
    for now in (0, 100, 200):
        side.take(Nack(25_000), number, now)
        assert side.exchange.put(new()), "the same once more, which waits already"
        assert side.out(now + 24.9) == []
        assert side.out(now + 25) == [(number, new())]
    assert side.dropped == []


def test_the_time_that_the_other_side_asks_for_is_within_bounds() -> None:
    side = Side()
    side.exchange.put(new())
    ((number, _),) = side.out(0)
    side.take(Nack(0), number)
    assert side.out(0) == []
    assert len(side.out(0.01)) == 1
    side.take(Nack(2**62), number, 1)
    assert len(side.out(3601)) == 1


def test_a_newer_state_takes_the_place_of_an_older_one_that_has_no_answer() -> None:
    side = Side(wait=10)
    side.exchange.put(new(b"a", "1"))
    side.exchange.put(new(b"b", "2"))
    ((first, content),) = side.out(0)
    assert content == new(b"b", "2")
    side.exchange.put(new(b"c", "3"))
    ((second, content),) = side.out(1)
    assert content == new(b"c", "3")
    side.take(Nack(5_000), second, 2)
    side.exchange.put(new(b"d", "4"))
    assert side.out(6.9) == [], "it waits as long as the one before it was to"
    ((third, content),) = side.out(7)
    assert content == new(b"d", "4")
    assert len({first, second, third}) == 3
    assert side.out(11) == [], "the first one is not sent again"
    side.take(Ack(), third, 12)
    assert side.exchange.due() is None


def test_other_kinds_and_claims_do_not_take_the_place_of_each_other() -> None:
    side = Side()
    bob = ClaimId(1, "nav", "bob")
    sent = [new(), new(claim=bob), StateRequest(claim=ANN, correlation="r"), ANSWER, ANSWER]
    sent += [StateStatus(states=((ANN, None),)), StateStatus(states=((bob, None),))]
    for message in sent:
        side.exchange.put(message)
    assert [content for _, content in side.out(0)] == sent


def test_only_so_many_messages_and_bytes_wait() -> None:
    side = Side(messages=3)
    claims = [ClaimId(1, "s", f"u{n}") for n in range(5)]
    assert [side.exchange.put(new(claim=one)) for one in claims] == [True, True, True, False, False]
    assert side.exchange.put(new(b"newer", claim=claims[0]))
    numbers = [number for number, _ in side.out(0)]
    assert not side.exchange.put(new(claim=claims[3])), "those without an answer count, too"
    side.take(Ack(), numbers[0])
    assert side.exchange.put(new(claim=claims[3]))

    side = Side(size=3_000)
    large = b"a" * 2_000
    assert side.exchange.put(new(large, claim=claims[0]))
    assert not side.exchange.put(new(large, claim=claims[1]))
    assert side.exchange.put(new(b"small", claim=claims[1]))
    side = Side(size=10)
    assert side.exchange.put(new(large)), "one alone may be of any size"


def test_a_message_is_delivered_once_and_answered_each_time() -> None:
    side = Side()
    side.take(ANSWER, "n")
    side.take(ANSWER, "n")
    assert side.delivered == [ANSWER]
    assert side.out(0) == [("n", Ack()), ("n", Ack())]


def test_a_message_that_cannot_be_taken_now_is_asked_for_again() -> None:
    side = Side(pause=125)
    side.taking = False
    side.take(ANSWER, "n")
    assert side.out(0) == [("n", Nack(125))]
    side.taking = True
    side.take(ANSWER, "n")
    assert side.delivered == [ANSWER]
    assert side.out(0) == [("n", Ack())]


def test_only_so_many_numbers_are_remembered() -> None:
    side = Side(remembered=2)
    for number in ("1", "2", "3", "1"):
        side.take(ANSWER, number)
    assert len(side.delivered) == 4
    side.take(ANSWER, "1")
    assert len(side.delivered) == 4


def test_what_cannot_be_read_is_told_and_answered_so_that_it_does_not_come_again() -> None:
    side = Side()
    body = CODEC.encode(new(), "n").replace(b"newState", b"alert")
    with pytest.raises(MessageError, match="alert"):
        side.exchange.take(body, side.deliver, 0)
    assert side.out(0) == [("n", Ack())]
    with pytest.raises(MessageError):
        side.exchange.take(b"{", side.deliver, 0)
    assert side.out(0) == []


def test_a_message_without_a_number_is_delivered_and_not_answered() -> None:
    side = Side()
    side.take(ANSWER, "")
    side.take(ANSWER, "")
    assert side.delivered == [ANSWER, ANSWER]
    assert side.out(0) == []

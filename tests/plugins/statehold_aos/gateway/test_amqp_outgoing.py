from __future__ import annotations

from statehold_aos.gateway import Options
from statehold_aos.gateway._amqp_outgoing import Outgoing, Parcel
from statehold_aos.gateway.amqp import AmqpTerms


def parcel(key: str, body: bytes = b"a") -> Parcel:
    return Parcel(key=key, body=body)


def test_what_waits_comes_in_order_and_of_each_key_the_newest() -> None:
    outgoing = Outgoing(most=10, most_bytes=100)
    assert all([outgoing.put(parcel("a", b"1")), outgoing.put(parcel("b")), outgoing.put(parcel("a", b"2"))])
    assert len(outgoing) == 2
    assert [outgoing.take(), outgoing.take(), outgoing.take()] == [parcel("a", b"2"), parcel("b"), None]


def test_only_so_many_wait_and_only_so_many_bytes_but_the_newest_takes_its_place() -> None:
    outgoing = Outgoing(most=2, most_bytes=10)
    assert outgoing.put(parcel("a", b"123"))
    assert outgoing.put(parcel("b"))
    assert not outgoing.put(parcel("c"))
    assert outgoing.put(parcel("a", b"123456789"))
    assert not outgoing.put(parcel("b", b"12"))
    outgoing.take()
    assert outgoing.put(parcel("b", b"12"))
    outgoing.clear()
    assert (outgoing.take(), len(outgoing)) == (None, 0)
    assert outgoing.put(parcel("a", b"1234567890"))


def test_what_did_not_arrive_is_the_next_unless_there_is_a_newer_one() -> None:
    outgoing = Outgoing(most=2, most_bytes=10)
    outgoing.put(parcel("a"))
    outgoing.put(parcel("b"))
    first = outgoing.take()
    assert first is not None
    outgoing.put_back(first)
    assert outgoing.take() == first
    outgoing.put(parcel("a", b"newer"))
    outgoing.put_back(first)
    assert [outgoing.take(), outgoing.take(), outgoing.take()] == [parcel("b"), parcel("a", b"newer"), None]


def test_attempts_come_less_and_less_often_and_not_all_at_once() -> None:
    terms = AmqpTerms.of(Options(system="u1", alive=30, first=0.5, longest=10))
    assert [terms.pause(failed, 0) for failed in (0, 1, 4, 5, 1000)] == [0.5, 1, 8, 10, 10]
    assert [terms.pause(failed, 1) for failed in (0, 1, 4, 5, 1000)] == [0.25, 0.5, 4, 5, 5]
    assert terms.heartbeat == 15

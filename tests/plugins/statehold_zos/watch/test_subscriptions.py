from __future__ import annotations

import threading

from statehold_zos.model import EventKind, PoolEvent
from statehold_zos.watch._subscriptions import Broker


def event(number: int) -> PoolEvent:
    return PoolEvent(kind=EventKind.ADDED, disk=str(number), pool="", message="", at=0.0)


def test_each_reader_gets_all_events_from_its_subscription_on() -> None:
    broker = Broker()
    broker.publish([event(0)])
    first = broker.subscribe()
    broker.publish([event(1)])
    second = broker.subscribe()
    broker.publish([event(2)])
    broker.close()
    assert [one.disk for one in first] == ["1", "2"]
    assert [one.disk for one in second] == ["2"]


def test_a_reader_that_does_not_read_keeps_nobody_waiting_and_is_told_how_much_it_missed() -> None:
    broker = Broker()
    slow, quick = broker.subscribe(kept=10), broker.subscribe(kept=1000)
    for number in range(100):
        broker.publish([event(number)])
    broker.close()
    assert [one.disk for one in slow] == [str(number) for number in range(90, 100)]
    assert slow.missed == 90
    assert len(list(quick)) == 100
    assert quick.missed == 0


def test_a_reader_waits_for_the_next_event() -> None:
    broker, got = Broker(), []
    with broker.subscribe() as subscription:
        reader = threading.Thread(target=lambda: got.append(subscription.get(30)))
        reader.start()
        broker.publish([event(7)])
        reader.join(30)
    assert got == [event(7)]


def test_a_reader_that_waits_is_let_go_when_its_subscription_is_closed() -> None:
    broker, got = Broker(), []
    subscription = broker.subscribe()
    reader = threading.Thread(target=lambda: got.extend(subscription))
    reader.start()
    subscription.close()
    subscription.close()
    reader.join(30)
    assert not reader.is_alive()
    assert got == []


def test_nothing_is_there_after_a_while() -> None:
    with Broker().subscribe() as subscription:
        assert subscription.get(timeout=0.01) is None


def test_a_closed_subscription_is_told_nothing_more() -> None:
    broker = Broker()
    subscription = broker.subscribe()
    broker.publish([event(1)])
    subscription.close()
    broker.publish([event(2)])
    assert [one.disk for one in subscription] == ["1"]

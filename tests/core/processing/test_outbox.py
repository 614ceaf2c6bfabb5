from __future__ import annotations

import threading
import time

import pytest

from statehold.processing import StoreError
from statehold.rows import MemoryDriver, StoreUnavailableError
from statehold.testing import FakeClock


def outbox(shop, workspace=1):
    app = shop.host.app("acme.shop")
    with app.borrow(workspace % len(app.current.partitions)) as partition:
        return list(partition.data.reader(partition.schemas).outbox())


def later(shop, clock):
    clock.advance(200)
    shop.runtime.tick()
    return True


def wait_until(reached):
    end = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < end
        threading.Event().wait(0.01)


def test_what_is_beyond_the_row_store_is_done_after_the_commit_and_before_the_answer(shop, probe):
    seen = []
    probe.hooks["apply"] = lambda _: seen.append(
        ([event.name for event in shop.events()][-1], len(outbox(shop)))
    )
    answer = shop.sell("pen", 3, "wire")
    assert probe.sent == [("pen", "3")]
    assert seen == [("shop.Sell", 1)]
    assert answer.problem == ""
    assert outbox(shop) == []


def test_nothing_of_a_command_that_fails_is_done(shop, probe):
    def refuse(_):
        raise ValueError("not this")

    probe.hooks["validate"] = refuse
    with pytest.raises(Exception, match="not this"):
        shop.sell("pen", 3, "wire")
    del probe.hooks["validate"]
    probe.hooks["count_sync"] = refuse
    with pytest.raises(Exception, match="not this"):
        shop.sell("pen", 3, "wire")
    assert probe.sent == []
    assert outbox(shop) == []


def test_what_fails_stays_in_the_outbox_and_is_tried_again(open_shop, probe, quiet):
    clock = FakeClock()
    shop = open_shop(runtime={"clock": clock})

    def fail(_):
        raise OSError("the wire is cut")

    probe.hooks["apply"] = fail
    answer = shop.sell("pen", 3, "wire")
    assert "the wire is cut" in answer.problem
    assert len(outbox(shop)) == 1
    again = threading.Event()

    def fail_again(_):
        again.set()
        raise OSError("the wire is cut")

    probe.hooks["apply"] = fail_again
    clock.advance(0.1)
    shop.runtime.tick()
    assert again.wait(60)
    assert len(outbox(shop)) == 1
    del probe.hooks["apply"]
    wait_until(lambda: later(shop, clock) and outbox(shop) == [])
    assert probe.sent == [("pen", "3")]


def test_what_is_tried_again_holds_up_no_command(open_shop, probe, quiet):
    clock = FakeClock()
    shop = open_shop(runtime={"clock": clock})
    trying, go = threading.Event(), threading.Event()

    def fail(_):
        raise OSError("the wire is cut")

    def hang(_):
        trying.set()
        go.wait(20)

    probe.hooks["apply"] = fail
    shop.sell("pen", 3, "wire")
    probe.hooks["apply"] = hang
    clock.advance(0.1)
    shop.runtime.tick()
    assert trying.wait(60)
    del probe.hooks["apply"]
    assert shop.sell().result.Total == 4
    shop.sell("ink", 1, "wire")
    assert probe.sent == [("ink", "1")]
    go.set()
    wait_until(lambda: outbox(shop) == [])
    assert probe.sent == [("ink", "1"), ("pen", "3")]


def test_what_belongs_to_a_commit_of_which_nobody_knows_is_done_if_it_was_made(open_shop, probe, quiet):
    clock, rows = FakeClock(), MemoryDriver()
    shop = open_shop(rows=rows, runtime={"clock": clock})
    store = shop.host.app("acme.shop").data.store
    write = store.write

    def lose(changes):
        store.write = write
        write(changes)
        raise StoreUnavailableError("the line broke", unknown=True)

    store.write = lose
    with pytest.raises(StoreError, match="stored or not"):
        shop.sell("pen", 3, "wire")
    assert len(outbox(shop)) == 1
    wait_until(lambda: later(shop, clock) and outbox(shop) == [])
    assert probe.sent == [("pen", "3")]


def test_what_a_host_that_was_killed_has_left_is_done_before_new_commands(open_shop, probe, quiet):
    class Killed(BaseException):
        pass

    def die(_):
        raise Killed

    rows = MemoryDriver()
    shop = open_shop(rows=rows)
    probe.hooks["apply"] = die
    failed = []

    def ask():
        try:
            shop.sell("pen", 3, "wire")
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(60)
    assert len(failed) == 1
    assert len(outbox(shop)) == 1
    del probe.hooks["apply"]
    shop.runtime.close()
    order = []
    probe.hooks["apply"] = lambda _: order.append("left")
    probe.hooks["nothing"] = lambda _: order.append("new")
    again = shop.__class__(shop.host, shop.runtime.__class__(shop.host))
    again.runtime.command(again.request(), "shop.Nothing")
    assert probe.sent == [("pen", "3")]
    assert order == ["left", "new"]
    assert outbox(shop) == []
    again.runtime.close()


def test_a_projector_s_changes_beyond_the_row_store_are_done_once(shop, probe):
    for number in range(5):
        shop.sell(f"a{number}", mode="announce")
    assert shop.caught_up()
    assert probe.sent == [("all", f"a{number}") for number in range(5)]
    assert outbox(shop) == []

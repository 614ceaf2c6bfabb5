from __future__ import annotations

import threading

import pytest

from statehold.processing import UnknownError
from statehold.processing._slice import Slice
from statehold.rows import MemoryDriver, StoreUnavailableError
from statehold.testing import FakeClock


def lag(shop, projector="shop.CountAsync", partition=1):
    (found,) = [
        one
        for one in shop.runtime.lags("acme.shop")
        if one.projector == projector and one.partition == partition
    ]
    return found


def data_of(shop, partition=1):
    return shop.host.app("acme.shop").data.partitions[partition]


def schemas_of(shop):
    return shop.host.app("acme.shop").current.schemas


def test_every_event_has_its_effect_once(shop):
    for number in range(250):
        shop.sell(f"a{number % 7}", number)
    assert shop.caught_up()
    turnover = shop.rows("Turnover")
    assert sum(row["Count"] for row in turnover.values()) == 250
    assert sum(row["Sold"] for row in turnover.values()) == sum(range(250))
    assert {one.events for one in shop.runtime.lags()} == {0}


def test_a_projector_sees_what_it_bundled_for_earlier_events(shop, probe):
    gate = threading.Event()
    probe.hooks["count_async"] = lambda _: gate.wait(60)
    for _ in range(20):
        shop.sell()
    assert lag(shop).events > 0
    gate.set()
    assert shop.caught_up()
    assert shop.rows("Turnover")["pen"]["Count"] == 20


def test_a_slow_projector_holds_up_neither_commands_nor_other_projectors(shop, probe):
    began, go = threading.Event(), threading.Event()
    probe.hooks["count_async"] = lambda _: (began.set(), go.wait(20))
    shop.sell(mode="announce")
    assert began.wait(60)
    for _ in range(30):
        shop.sell(mode="announce")
    while len(probe.sent) < 31:
        assert not go.wait(0.01)
    assert lag(shop).events >= 30
    assert not shop.runtime.wait_for_projectors(timeout=0.01)
    go.set()
    assert shop.caught_up()


def test_one_that_fails_tries_the_same_event_again_later_each_time_longer(open_shop, probe, quiet):
    clock = FakeClock()
    shop = open_shop(runtime={"clock": clock})
    failing = threading.Event()
    failing.set()

    def fail(call):
        if failing.is_set() and call.event.argument.Amount == 3:
            raise ValueError("no 3")

    probe.hooks["count_async"] = fail
    for amount in range(1, 6):
        shop.sell(amount=amount)

    def attempts(wanted):
        while lag(shop).attempts < wanted:
            shop.runtime.wait_for_projectors(timeout=0.01)
        return lag(shop)

    found = attempts(1)
    assert "no 3" in found.problem
    assert shop.rows("Turnover")["pen"]["Sold"] == 3  # 1 + 2: what was before it is written
    pauses = []
    for wanted in range(2, 6):
        pause = 0
        while lag(shop).attempts < wanted:
            clock.advance(0.1)
            pause += 1
            shop.runtime.tick()
            shop.runtime.wait_for_projectors(timeout=0.05)
        pauses.append(pause)
    assert pauses == sorted(pauses)
    assert pauses[-1] > pauses[0]
    assert lag(shop, "shop.Announce").events == 0
    failing.clear()
    clock.advance(180)
    shop.runtime.tick()
    assert shop.caught_up()
    assert shop.rows("Turnover")["pen"]["Sold"] == 15
    assert (lag(shop).problem, lag(shop).attempts) == ("", 0)


def test_lag_is_told_in_events_and_seconds(open_shop, probe, quiet):
    clock = FakeClock()
    shop = open_shop(runtime={"clock": clock}, host={"clock": clock})
    shop.sell()
    assert shop.caught_up()

    def fail(_):
        raise ValueError("told to")

    probe.hooks["count_async"] = fail
    shop.sell()
    clock.advance(30)
    shop.sell()
    while not lag(shop).problem:
        shop.runtime.wait_for_projectors(timeout=0.01)
    found = lag(shop)
    assert (found.events, found.seconds) == (2, 30.0)


def test_a_host_that_comes_back_goes_on_where_the_last_one_was(open_shop, probe):
    shop = open_shop()
    for _ in range(10):
        shop.sell()
    assert shop.caught_up()
    shop.runtime.close()
    seen = []
    probe.hooks["count_async"] = lambda call: seen.append(call.event.wlog_offset)
    again = shop.__class__(shop.host, shop.runtime.__class__(shop.host))
    again.sell()
    assert again.caught_up()
    assert len(seen) == 1
    assert again.rows("Turnover")["pen"]["Count"] == 11
    again.runtime.close()


def test_versions_are_replaced_while_projectors_run_and_no_event_is_lost(shop, image):
    stop, sold = threading.Event(), [0]

    def client():
        while not stop.is_set():
            shop.sell()
            sold[0] += 1

    thread = threading.Thread(target=client)
    thread.start()
    for version in ("2", "3"):
        shop.host.deploy(image(version))
    stop.set()
    thread.join(20)
    assert shop.caught_up()
    assert shop.rows("Turnover")["pen"]["Count"] == sold[0]


def test_a_projector_that_is_new_in_a_version_begins_with_the_first_event(shop, image):
    for _ in range(5):
        shop.sell()
    extensions = "PROJECTOR Late AFTER INSERT ON Sale STATE(sys.View(Totals)) INTENTS(sys.View(Totals));"
    view = "VIEW Totals (Zone int32 NOT NULL, Article text(40) NOT NULL, Sold int64, Count int64,"
    code = "\n\n@extension\ndef late(call):\n    count(call, call.View.Totals)\n"
    shop.host.deploy(
        image(
            "2",
            extensions=extensions,
            access=f"{view} PRIMARY KEY ((Zone), Article)) AS RESULT OF Late;",
            code=code,
        )
    )
    shop.sell()
    while not any(one.projector == "shop.Late" for one in shop.runtime.lags()):
        shop.runtime.wait_for_projectors(timeout=0.01)
    assert shop.caught_up()
    assert shop.rows("Totals")["pen"]["Count"] == 6


def test_one_that_failed_is_tried_at_once_by_another_version(open_shop, image, probe, quiet):
    shop = open_shop(runtime={"clock": FakeClock()})

    def fail(_):
        raise ValueError("told to")

    probe.hooks["count_async"] = fail
    shop.sell()
    while not lag(shop).problem:
        shop.runtime.wait_for_projectors(timeout=0.01)
    del probe.hooks["count_async"]
    shop.host.deploy(image("2"))
    assert shop.caught_up()
    assert shop.rows("Turnover")["pen"]["Count"] == 1


def test_without_background_no_projector_runs(open_shop):
    shop = open_shop(runtime={"background": False})
    shop.sell()
    assert shop.runtime.lags() == ()
    assert shop.rows("Stock")["pen"]["Count"] == 1
    assert shop.rows("Turnover") == {}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"bundle": 10, "bundle_seconds": 60.0}, [10, 10, 10, 5]),
        ({"bundle": 1000, "bundle_seconds": 60.0}, [35]),
        # Its time is over as soon as it holds anything.
        ({"bundle": 1000, "bundle_seconds": -1.0}, [1] * 35),
    ],
)
def test_a_bundle_is_written_when_it_is_full_or_its_time_is_over_or_the_log_ends(
    open_shop, probe, settings, expected
):
    rows, writes = MemoryDriver(), []
    shop = open_shop(rows=rows, runtime={"settings": settings})
    began, gate = threading.Event(), threading.Event()
    probe.hooks["count_async"] = lambda call: (began.set(), gate.wait(60))
    # It has looked at the log before there is more in it.
    shop.sell("first")
    assert began.wait(60)
    for number in range(35):
        shop.sell(f"a{number}")
    store = shop.host.app("acme.shop").data.store
    before = store.write

    def write(changes):
        writes.append(sum(change.partition[:2] == ("view", "shop.Turnover") for change in changes))
        return before(changes)

    store.write = write
    gate.set()
    assert shop.caught_up()
    assert [count for count in writes if count] == [1, *expected]


def test_a_projector_never_runs_beside_itself_while_its_app_is_taken_away_and_comes_back(shop, image, probe):
    began, go, running = threading.Event(), threading.Event(), []
    most = []

    def slow(call):
        running.append(call)
        most.append(len(running))
        began.set()
        go.wait(20)
        running.remove(call)

    probe.hooks["count_async"] = slow
    shop.sell()
    assert began.wait(60)
    for version in ("2", "3"):
        shop.host.undeploy("acme.shop")
        shop.host.deploy(image(version))
        assert shop.sell().result.Total == int(version)
    assert lag(shop).events >= 3  # and those that woke it not, until it has come past them again
    go.set()
    assert shop.caught_up()
    assert shop.rows("Turnover")["pen"]["Count"] == 3
    assert set(most) == {1}


def test_a_projector_that_a_version_has_not_and_the_next_has_never_runs_beside_itself(shop, image, probe):
    began, go, most, running = threading.Event(), threading.Event(), [], []

    def slow(call):
        running.append(call)
        most.append(len(running))
        began.set()
        go.wait(20)
        running.remove(call)

    extensions = "PROJECTOR Late AFTER INSERT ON Sale STATE(sys.View(Totals)) INTENTS(sys.View(Totals));"
    view = "VIEW Totals (Zone int32 NOT NULL, Article text(40) NOT NULL, Sold int64, Count int64,"
    more = {
        "extensions": extensions,
        "access": f"{view} PRIMARY KEY ((Zone), Article)) AS RESULT OF Late;",
        "code": '\n\n@extension\ndef late(call):\n    probe.call("late", call)\n'
        "    count(call, call.View.Totals)\n",
    }
    probe.hooks["late"] = slow
    shop.host.deploy(image("2", **more))
    shop.sell()
    assert began.wait(60)
    shop.host.deploy(image("3"), accept_breaking=True)
    while any(one.projector == "shop.Late" for one in shop.runtime.lags()):
        shop.runtime.wait_for_projectors(timeout=0.01)
    shop.sell()
    shop.host.deploy(image("4", **more))
    while not any(one.projector == "shop.Late" for one in shop.runtime.lags()):
        shop.runtime.wait_for_projectors(timeout=0.01)
    shop.sell()
    go.set()
    assert shop.caught_up()
    assert shop.rows("Totals")["pen"]["Count"] == 3
    assert set(most) == {1}


def test_what_another_one_has_projected_meanwhile_is_not_projected_again(shop, probe, quiet):
    def overtake(call):
        del probe.hooks["count_async"]
        unit = data_of(shop).begin(schemas_of(shop))
        unit.move_projector("shop.CountAsync", 0, call.event.offset)
        unit.commit()

    probe.hooks["count_async"] = overtake
    shop.sell()
    assert shop.caught_up()
    shop.sell()
    assert shop.caught_up()
    assert shop.rows("Turnover")["pen"]["Count"] == 1


@pytest.mark.parametrize("times", [1, 3])
def test_a_commit_of_which_nobody_knows_has_its_effect_once(shop, probe, quiet, times):
    store = shop.host.app("acme.shop").data.store
    write, lost = store.write, []

    def lose(changes):
        outcome = write(changes)
        if len(lost) < times and any(one.partition[:2] == ("view", "shop.Turnover") for one in changes):
            lost.append(outcome)
            raise StoreUnavailableError("the line broke", unknown=True)
        return outcome

    store.write = lose
    for number in range(1, 6):
        shop.sell()
        assert shop.caught_up()
        assert shop.rows("Turnover")["pen"]["Count"] == number
    assert len(lost) == times


def test_an_app_that_is_taken_away_stops_and_comes_back(shop, image):
    shop.sell()
    shop.host.undeploy("acme.shop")
    with pytest.raises(UnknownError, match=r"acme\.shop"):
        shop.sell()
    shop.host.deploy(image("2"))
    assert shop.sell().result.Total == 2
    assert shop.caught_up()
    assert shop.rows("Turnover")["pen"]["Count"] == 2


def test_an_app_that_comes_back_takes_no_request_before_its_projectors_go_on(shop, image, monkeypatch):
    shop.sell()
    entered, go, sold = threading.Event(), threading.Event(), threading.Event()
    refresh = Slice.refresh

    def hold(slice_, parts, *, background):
        entered.set()
        assert go.wait(20)
        refresh(slice_, parts, background=background)

    shop.host.undeploy("acme.shop")
    monkeypatch.setattr(Slice, "refresh", hold)
    shop.host.deploy(image("2"))
    assert entered.wait(20)
    seller = threading.Thread(target=lambda: (shop.sell(), sold.set()))
    seller.start()
    early = sold.wait(0.1)
    go.set()
    seller.join(20)
    assert shop.caught_up()
    assert (early, shop.rows("Turnover")["pen"]["Count"]) == (False, 2)

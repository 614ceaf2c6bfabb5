from __future__ import annotations

import logging
import shutil
import time

import pytest

from statehold.processing import (
    SYSTEM,
    ConflictError,
    ForbiddenError,
    LimitExceededError,
    ProcessingError,
    Request,
)
from statehold.sdk import DeployError


@pytest.fixture
def ada(restaurant):
    return restaurant.person("ada", "Waiter")


@pytest.fixture
def bob(restaurant):
    return restaurant.person("bob", "Waiter")


@pytest.fixture
def max_(restaurant):
    return restaurant.person("max", "Manager")


def _served(waiter, table=207):
    """Open a bill with a soup and two pizzas, and return its id."""
    bill = waiter.command("OpenBill", TableNumber=table).new_ids[1]
    waiter.command("AddDish", Bill=bill, Dish="soup", Quantity=1)
    waiter.command("AddDish", Bill=bill, Dish="pizza", Quantity=2)
    return bill


def _refused(status, act, *args, **kwargs):
    with pytest.raises(ProcessingError) as raised:
        act(*args, **kwargs)
    assert raised.value.status == status, raised.value
    return str(raised.value)


def test_the_floor_plan_is_true_when_the_answer_comes(ada):
    bill = _served(ada)
    (seats,) = ada.view("FloorPlan", Floor=2)
    assert (seats["TableNumber"], seats["Bill"], seats["Waiter"], seats["Total"]) == (
        207,
        bill,
        "ada",
        305_000,
    )
    ada.command("PayBill", Bill=bill, Currency="EUR")
    (seats,) = ada.view("FloorPlan", Floor=2)
    assert "Bill" not in seats


def test_a_bill_has_its_lines_at_the_price_of_that_day(ada, restaurant):
    bill = _served(ada)
    request = Request(app="acme.bills", workspace=restaurant.workspace, principal=SYSTEM)
    restaurant.runtime.patch(request, "bills.Dish", restaurant.menu["soup"], {"Price": 1})
    found = restaurant.runtime.document(request, "bills.Bill", bill, constraints={"include": "Lines"})
    assert [(line["Quantity"], line["Price"]) for line in found["Lines"]] == [(1, 65_000), (2, 120_000)]
    assert found["Total"] == 305_000


def test_a_table_has_one_open_bill(ada):
    _served(ada)
    assert "open bill" in _refused(409, ada.command, "OpenBill", TableNumber=207)


def test_a_table_is_served_by_one_waiter(ada, bob):
    bill = _served(ada)
    assert "served by ada" in _refused(409, bob.command, "AddDish", Bill=bill, Dish="soup", Quantity=1)
    ada.command("PayBill", Bill=bill, Currency="EUR")
    assert bob.command("OpenBill", TableNumber=207).new_ids


def test_two_dishes_have_not_the_same_code(restaurant):
    request = Request(app="acme.bills", workspace=restaurant.workspace, principal=SYSTEM)
    dish = {"sys.ID": 1, "Code": "soup", "Name": "Another", "Price": 1}
    with pytest.raises(ConflictError, match="soup"):
        restaurant.runtime.create(request, "bills.Dish", dish)


def test_guests_pay_in_the_currency_of_the_job(ada, runtime):
    bill = _served(ada)
    assert "no rate for USD" in _refused(409, ada.command, "PayBill", Bill=bill, Currency="USD")
    runtime.run_job("acme.bills", "bills.RefreshRates")
    assert ada.query("AmountDue", Bill=bill, Currency="USD") == [{"Total": 329_400, "Currency": "USD"}]
    receipt = ada.command("PayBill", Bill=bill, Currency="USD").result
    assert (receipt.Total, receipt.Currency) == (329_400, "USD")
    assert "is paid" in _refused(409, ada.command, "PayBill", Bill=bill, Currency="USD")


def test_every_restaurant_finds_the_rates_wherever_it_lies(ada, runtime, restaurant):
    runtime.run_job("acme.bills", "bills.RefreshRates")
    owner = Request(app="acme.bills", workspace=1, principal=SYSTEM)
    other = runtime.create_workspace(owner, "bills.RestaurantWS", name="Da Bob").workspace
    assert other % 2 != restaurant.workspace % 2
    for workspace in (other, restaurant.workspace):
        request = Request(app="acme.bills", workspace=workspace, principal=SYSTEM)
        bill = runtime.command(request, "bills.OpenBill", {"TableNumber": 1}).new_ids[1]
        assert runtime.query(request, "bills.AmountDue", {"Bill": bill, "Currency": "GBP"})


def test_a_bank_that_is_closed_leaves_the_rates_as_they_were(bank, runtime, host, bills, ada):
    runtime.run_job("acme.bills", "bills.RefreshRates")
    bank.close_for_today()
    with pytest.raises(ProcessingError, match="503"):
        runtime.run_job("acme.bills", "bills.RefreshRates")
    bill = _served(ada)
    assert ada.query("AmountDue", Bill=bill, Currency="USD")[0]["Total"] == 329_400


def test_the_turnover_counts_each_bill_once(ada, max_, runtime):
    for _ in range(3):
        ada.command("PayBill", Bill=_served(ada), Currency="EUR")
    assert runtime.wait_for_projectors("acme.bills")
    year = time.gmtime().tm_year
    days = max_.query("Earnings", Year=year, Currency="EUR")
    assert (sum(day["Bills"] for day in days), sum(day["Total"] for day in days)) == (3, 915_000)


def test_a_payment_that_fails_is_reported(ada, runtime, caplog):
    bill = _served(ada)
    with caplog.at_level(logging.WARNING, "statehold"):
        _refused(409, ada.command, "PayBill", Bill=bill, Currency="XXX")
        assert runtime.wait_for_projectors("acme.bills")
    assert "a payment failed: the bank has no rate for XXX" in caplog.text


def test_what_guests_like_can_be_forgotten_and_is_in_no_log(restaurant, ada, host):
    for likes in ("the quiet corner", None):
        restaurant.runtime.command(
            ada.request,
            "bills.RememberGuest",
            unlogged={"Name": "Eve", **({"Likes": likes} if likes else {})},
        )
        expected = [{"Name": "Eve", "Likes": likes}] if likes else []
        assert ada.query("GuestBook") == expected
    store = host.app("acme.bills").data.store
    rows = [row for number in range(2) for row in store.read(("plog", number))]
    assert rows
    assert not [row for row in rows if b"quiet" in row.value]


def test_who_may_do_what(restaurant, ada, max_):
    cook = restaurant.person("cem", "Cook")
    for person, name in ((ada, "Earnings"), (cook, "Earnings")):
        with pytest.raises(ForbiddenError) as raised:
            person.query(name, Year=2026, Currency="EUR")
        assert raised.value.roles == ("bills.Manager",)
    with pytest.raises(ForbiddenError):
        cook.command("OpenBill", TableNumber=1)
    assert max_.command("OpenBill", TableNumber=1).new_ids


def test_an_oven_is_no_toy(restaurant):
    cook = restaurant.person("cem", "Cook")
    for degrees in range(6):
        cook.command("SetPoint", Device="oven", Point="heat", Reading=180.0 + degrees)
    with pytest.raises(LimitExceededError):
        cook.command("SetPoint", Device="oven", Point="heat", Reading=250.0)
    assert cook.query("Kitchen", Device="oven", Point="heat")[0]["Reading"] == 185.0


def test_version_2_changes_the_code_and_the_plugin(restaurant, ada, host, bills):
    cook = restaurant.person("cem", "Cook")
    bill = _served(ada)
    for degrees in (180.0, 184.0, 206.0):
        cook.command("SetPoint", Device="oven", Point="heat", Reading=degrees)

    def answers():
        due = ada.query("AmountDue", Bill=bill, Currency="EUR")[0]["Total"]
        return due, cook.query("Kitchen", Device="oven", Point="heat")[0]["Reading"]

    assert answers() == (305_000, 206.0)
    first = host.app("acme.bills").current
    shutil.copytree(bills / "version-2", bills, dirs_exist_ok=True)
    host.deploy(bills)
    assert answers() == (335_500, 190.0)
    report = first.wait_freed(60)
    assert (report.problems, report.survivors) == ((), ())


def test_code_that_is_not_declared_is_not_deployed(bills, host):
    code = bills / "image/pkg/acme.example/bills/extensions/jobs.py"
    code.write_text(code.read_text().replace("def refresh_rates", "def refresh_raters"))
    with pytest.raises(DeployError) as raised:
        host.deploy(bills)
    assert "bills.RefreshRates" in str(raised.value)

"""Each extension of acme.bills by itself: what it is given, and what it asks for. No server, no host."""

from __future__ import annotations

import pytest

from statehold.sdk import Principal
from statehold.testing.extensions import Insert, Update

BANK = "http://bank.example/rates"


@pytest.fixture
def app(statehold_app):
    """Open a stage, on which Ada is at work."""
    app = statehold_app(secrets={"Rates_URL": BANK})
    app.principal = Principal(name="ada", kind=1)
    return app


@pytest.fixture
def bill(app):
    """Put an open bill of Ada's on table 207: a soup for 6.50."""
    return app.record("Bill", TableNumber=207, Waiter="ada", Total=65_000)


def test_a_bill_is_opened_and_its_table_locked(app):
    app.command("OpenBill", {"TableNumber": 207}).expect(
        Insert("TableLocks", TableNumber=207, Waiter="ada"),
        Insert("Record.Bill", sys_ID=1, TableNumber=207, Waiter="ada", Total=0),
    )


def test_a_table_with_an_open_bill_gets_no_other(app, bill):
    app.put("View.FloorPlan", Floor=2, TableNumber=207, Bill=bill, Waiter="ada", Total=65_000)
    run = app.command("OpenBill", {"TableNumber": 207})
    assert (run.status, run.message) == (409, "table 207 has an open bill")


def test_a_dish_is_added_at_its_price(app, bill):
    pizza = app.record("Dish", Code="pizza", Name="Pizza", Price=120_000)
    app.command("AddDish", {"Bill": bill, "Dish": "pizza", "Quantity": 2}).expect(
        Insert(
            "Record.BillLine",
            sys_ID=1,
            sys_ParentID=bill,
            sys_Container="Lines",
            Dish=pizza,
            Quantity=2,
            Price=120_000,
        ),
        Update("Record.Bill", ID=bill, Total=305_000),
    )


def test_what_is_not_on_the_menu_is_not_served(app, bill):
    run = app.command("AddDish", {"Bill": bill, "Dish": "caviar", "Quantity": 1})
    assert (run.status, run.message) == (400, "there is no caviar on the menu")


def test_another_waiters_table_is_not_served(app, bill):
    app.put("TableLocks", TableNumber=207, Waiter="bob")
    run = app.command("PayBill", {"Bill": bill, "Currency": "EUR"})
    assert (run.status, run.message) == (409, "table 207 is served by bob")


def test_nothing_is_added_to_a_bill_that_is_paid(app, bill):
    app.record("Dish", Code="pizza", Name="Pizza", Price=120_000)
    app.command("PayBill", {"Bill": bill, "Currency": "EUR"}).commit()
    run = app.command("AddDish", {"Bill": bill, "Dish": "pizza", "Quantity": 1})
    assert (run.status, run.message) == (409, f"bill {bill} is paid")


def test_dishes_are_not_taken_off_a_bill(app, bill):
    app.record("Dish", Code="pizza", Name="Pizza", Price=120_000)
    run = app.command("AddDish", {"Bill": bill, "Dish": "pizza", "Quantity": -1})
    assert (run.status, run.message) == (400, "-1 of a dish cannot be served")


def test_guests_hear_what_they_owe(app, bill):
    app.put("View.Rates", WSID=1, Bank=1, Currency="USD", PerEuro=1.08)
    assert app.query("AmountDue", {"Bill": bill, "Currency": "USD"}).result == {
        "Total": 70_200,
        "Currency": "USD",
    }
    run = app.query("AmountDue", {"Bill": bill, "Currency": "XXX"})
    assert (run.status, run.message) == (409, "the bank has no rate for XXX")


def test_a_bill_is_paid_at_the_rate_of_the_bank(app, bill):
    app.put("View.Rates", WSID=1, Bank=1, Currency="USD", PerEuro=1.08)
    run = app.command("PayBill", {"Bill": bill, "Currency": "USD"})
    assert run.result == {"Total": 70_200, "Currency": "USD"}
    run.expect(
        Update("Record.Bill", ID=bill, Paid=65_000, PaidIn="USD"),
        Insert("TableLocks", TableNumber=207),
    )


def test_the_floor_plan_follows_a_bill(app):
    opened = app.command("OpenBill", {"TableNumber": 207}).commit()
    bill = opened.cuds[0].id
    app.projector("SeatGuests", opened).expect(
        Insert("View.FloorPlan", Floor=2, TableNumber=207, Bill=bill, Waiter="ada", Total=0)
    )
    paid = app.command("PayBill", {"Bill": bill, "Currency": "EUR"}).commit()
    app.projector("SeatGuests", paid).expect(Insert("View.FloorPlan", Floor=2, TableNumber=207))


def test_a_payment_is_added_to_the_turnover_of_its_day(app, bill):
    app.clock.time = 1_767_225_600.0  # 2026-01-01 00:00 UTC
    app.put("View.Turnover", Year=2026, Month=1, Day=1, Bills=3, Total=1_000_000)
    paid = app.command("PayBill", {"Bill": bill, "Currency": "EUR"}).commit()
    app.projector("CountTurnover", paid).expect(
        Insert("View.Turnover", Year=2026, Month=1, Day=1, Bills=4, Total=1_065_000)
    )


def test_a_payment_that_failed_is_told_to_the_log(app):
    failed = app.event("PayBill", {"Bill": 200_001, "Currency": "XXX"}, error="no rate for XXX")
    run = app.projector("ReportRefusals", failed)
    assert run.log == (("warning", "a payment failed: no rate for XXX"),)
    run.commit()
    assert not app.mail.sent


def test_a_payment_that_failed_is_mailed_to_who_wants_to_know(app):
    app.record("Settings", Email="max@daada.example")
    failed = app.event("PayBill", {"Bill": 200_001, "Currency": "<X>"}, error="no rate for <X>")
    app.projector("ReportRefusals", failed).commit()
    (mail,) = app.mail.sent
    assert (mail["To"], mail["Body"]) == (("max@daada.example",), "no rate for &lt;X&gt;")


def test_the_rates_are_those_of_the_bank(app):
    app.http.reply(BANK, {"USD": 1.08, "GBP": 0.85})
    app.job("RefreshRates").expect(
        Insert("View.Rates", Bank=1, Currency="USD", PerEuro=1.08),
        Insert("View.Rates", Bank=1, Currency="GBP", PerEuro=0.85),
    )


def test_a_bank_that_fails_changes_nothing(app):
    app.http.reply(BANK, status=503)
    with pytest.raises(Exception, match="the bank answers with status 503"):
        app.job("RefreshRates")


def test_earnings_are_told_day_by_day(app):
    for day in (2, 1):
        app.put("View.Turnover", Year=2026, Month=1, Day=day, Bills=day, Total=day * 10_000)
    run = app.query("Earnings", {"Year": 2026, "Currency": "EUR"})
    assert [(each["Day"], each["Total"]) for each in run.results] == [(1, 10_000), (2, 20_000)]


def test_the_guest_book_has_those_who_want_to_be_in_it(app):
    for name, likes in (("Eve", "the quiet corner"), ("Bea", "window"), ("Bea", None)):
        app.command("RememberGuest", unlogged={"Name": name, "Likes": likes}).commit()
    assert app.query("GuestBook").results == ({"Name": "Eve", "Likes": "the quiet corner"},)


def test_a_point_of_the_kitchen_is_set_and_read(app):
    oven = {"Device": "oven", "Point": "heat"}
    app.command("SetPoint", {**oven, "Reading": 180.0}).expect(Insert("Scada", **oven, Reading=180.0))
    app.put("Scada", **oven, Reading=184.0, At=1)
    assert app.query("Kitchen", oven).result == {"Reading": 184.0, "At": 1}

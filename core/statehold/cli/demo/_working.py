from __future__ import annotations

import time

from statehold.cli.demo._serving import APP, Restaurant
from statehold.cli.demo._teller import Teller

_MENU = (("soup", "Soup of the day", 65000), ("pizza", "Pizza Ada", 120000))


def work(teller: Teller, place: Restaurant) -> int:
    """Write the menu, let guests order, and return the id of their bill."""
    teller.say(
        f"""Max writes the menu. Money is in ten-thousandths; 1 stands for the id that a new record is going
        to get, and ... for /api/v2/apps/acme/bills/{place.here}."""
    )
    for code, name, price in _MENU:
        dish = {"sys.ID": 1, "Code": code, "Name": name, "Price": price}
        teller.ask(place.max, "POST", f"{place.here}/docs/bills.Dish", dish, status=201)
    teller.say("A waiter may not, and is told who may:")
    cheap = {"sys.ID": 1, "Code": "wine", "Name": "Wine for Ada", "Price": 1}
    teller.ask(place.ada, "POST", f"{place.here}/docs/bills.Dish", cheap, status=403, says="bills.Manager")
    teller.say("But she may serve:")
    opened = teller.ask(
        place.ada, "POST", f"{place.here}/commands/bills.OpenBill", {"args": {"TableNumber": 207}}
    )
    bill: int = opened["newIDs"]["1"]
    for code, quantity in (("soup", 1), ("pizza", 2)):
        order = {"Bill": bill, "Dish": code, "Quantity": quantity}
        teller.ask(place.ada, "POST", f"{place.here}/commands/bills.AddDish", {"args": order})
    teller.say(
        """Each of these is an event in the log of the restaurant, durable when the answer comes. In the same
        commit, a SYNC PROJECTOR has filled the view FloorPlan:"""
    )
    teller.ask(place.ada, "GET", f"{place.here}/views/bills.FloorPlan", where={"Floor": 2}, says="305000")
    return bill


def run_job(teller: Teller, place: Restaurant, bill: int) -> None:
    """Let the job fetch the rates."""
    teller.step("A job", "The guests want to pay in dollars. Nobody has asked the bank yet:")
    due = f"{place.here}/queries/bills.AmountDue"
    args = {"Bill": bill, "Currency": "USD"}
    teller.ask(place.ada, "GET", due, args=args, status=409, says="no rate for USD")
    teller.say(
        """The job RefreshRates runs every hour; here it runs at once. It may use sys.Http, at the addresses
        that the operator allows: this bank is a server on the loopback.""",
    )
    place.runtime.run_job(APP, "bills.RefreshRates")
    teller.note("bills.RefreshRates has run in workspace 1, and all restaurants have the rates.")
    teller.ask(place.ada, "GET", due, args=args, says="329400")


def pay(teller: Teller, place: Restaurant, bill: int) -> None:
    """Let the guests pay, and the turnover be counted."""
    teller.step(
        "A projected view",
        """When guests pay, the projector CountTurnover adds it to the turnover of the day. It runs after
        the command, at its own pace, and nobody waits for it. Its place in the log is written with its rows:
        each event counts once, whatever happens.""",
    )
    payment = {"args": {"Bill": bill, "Currency": "USD"}}
    teller.ask(place.ada, "POST", f"{place.here}/commands/bills.PayBill", payment, says="329400")
    answered = time.monotonic()
    caught_up = place.runtime.wait_for_projectors(APP)
    later = (time.monotonic() - answered) * 1000
    lags = {lag.projector: lag.events for lag in place.runtime.lags(APP) if lag.events}
    teller.expect(caught_up and not lags, f"the projectors to catch up, got {lags}")
    teller.note(f"{later:.0f} ms after the answer CountTurnover has counted it, and no projector is behind.")
    args = {"Year": time.gmtime().tm_year, "Currency": "EUR"}
    teller.ask(place.max, "GET", f"{place.here}/queries/bills.Earnings", args=args, says="305000")

"""What waiters, cooks and managers ask."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bills.extensions.money import due, rate

from statehold.sdk import Value, extension

if TYPE_CHECKING:
    from bills.extensions.calls import (
        AmountDue,
        Earnings,
        EarningsResultDict,
        GuestBook,
        GuestDict,
        Kitchen,
        ReceiptDict,
    )


@extension
def amount_due(call: AmountDue) -> ReceiptDict | None:
    """Say what a bill comes to."""
    bill = call.Record.Bill.must_get(ID=call.arg.Bill)
    per_euro = rate(call, call.arg.Currency)
    if per_euro is None:
        return None
    return {"Total": round(due(bill.Total) * per_euro), "Currency": call.arg.Currency}


@extension
def earnings(call: Earnings) -> Iterator[EarningsResultDict]:
    """Give what was earned on each day of a year, in any currency."""
    per_euro = rate(call, call.arg.Currency)
    if per_euro is None:
        return
    # Each day is on its way to the caller before the next one is read.
    for key, day in call.View.Turnover.read(Year=call.arg.Year):
        total = round(day.Total * per_euro)
        yield {"Month": key.Month, "Day": key.Day, "Bills": day.Bills, "Total": total}


@extension
def guest_book(call: GuestBook) -> Iterator[GuestDict]:
    """Give all guests of whom something is known, by name."""
    for key, guest in call.Guests.read():
        if guest.Likes is not None:
            yield {"Name": key.Name, "Likes": guest.Likes}


@extension
def kitchen(call: Kitchen) -> Value | None:
    """Read a point of a device."""
    return call.Scada.get(Device=call.arg.Device, Point=call.arg.Point)

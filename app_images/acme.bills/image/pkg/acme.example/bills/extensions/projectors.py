"""What follows from what has happened."""

from __future__ import annotations

import html
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bills.extensions.tables import floor

from statehold.sdk import extension

if TYPE_CHECKING:
    from bills.extensions.calls import CountTurnover, ReportRefusals, SeatGuests


@extension
def seat_guests(call: SeatGuests) -> None:
    """Keep the floor plan: who sits where, and what they have to pay so far."""
    for cud in call.event.cuds:
        if cud.table == "bills.Bill":
            bill = call.Record.Bill.must_get(ID=cud.id)
            row = call.View.FloorPlan.insert(Floor=floor(bill.TableNumber), TableNumber=bill.TableNumber)
            if bill.PaidIn is None:
                row.put(Bill=bill.sys_ID, Waiter=bill.Waiter, Total=bill.Total)


@extension
def count_turnover(call: CountTurnover) -> None:
    """Add a bill that was paid to the turnover of its day."""
    bill = call.Record.Bill.must_get(ID=call.event.argument.Bill)
    at = datetime.fromtimestamp(call.event.registered_at / 1000, UTC)
    key = call.View.Turnover.key(Year=at.year, Month=at.month, Day=at.day)
    day = call.View.Turnover.get(key)
    bills, total = (0, 0) if day is None else (day.Bills, day.Total)
    call.View.Turnover.insert(key, Bills=bills + 1, Total=total + (bill.Paid or 0))


@extension
def report_refusals(call: ReportRefusals) -> None:
    """Tell the log, and who wants to hear of it, why guests could not pay."""
    if call.event.error is None:
        return
    reason = call.event.error.message
    call.log.warning("a payment failed: %s", reason)
    settings = call.Record.Settings.get(IsSingleton=True)
    if settings is not None and settings.Email:
        call.SendMail.insert(
            Host="mail.acme.example",
            Port=25,
            From="bills@acme.example",
            To=[settings.Email],
            Subject="A payment failed",
            Body=html.escape(reason),
        )

"""What waiters and cooks do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bills.extensions.money import due, rate
from bills.extensions.tables import floor, is_open, serves, waiter

from statehold.sdk import extension

if TYPE_CHECKING:
    from bills.extensions.calls import AddDish, OpenBill, PayBill, ReceiptDict, RememberGuest, SetPoint


@extension
def open_bill(call: OpenBill) -> None:
    """Open a bill for guests who sat down."""
    number = call.arg.TableNumber
    seats = call.View.FloorPlan.get(Floor=floor(number), TableNumber=number)
    if seats is not None and seats.Bill is not None:
        call.respond(409, f"table {number} has an open bill")
    elif serves(call, number):
        call.TableLocks.insert(TableNumber=number, Waiter=waiter(call))
        # 1 stands for the id that the bill will get; the answer tells it under newIDs.
        call.Record.Bill.insert(sys_ID=1, TableNumber=number, Waiter=waiter(call), Total=0)


@extension
def add_dish(call: AddDish) -> None:
    """Put a dish of the menu on a bill."""
    bill = call.Record.Bill.must_get(ID=call.arg.Bill)
    found = call.Uniq.Dish.get(Code=call.arg.Dish)
    if found is None:
        call.respond(400, f"there is no {call.arg.Dish} on the menu")
    elif call.arg.Quantity < 1:
        call.respond(400, f"{call.arg.Quantity} of a dish cannot be served")
    elif is_open(call, bill) and serves(call, bill.TableNumber):
        dish = call.Record.Dish.must_get(ID=found.ID)
        call.Record.BillLine.insert(
            sys_ID=1,
            sys_ParentID=bill.sys_ID,
            sys_Container="Lines",
            Dish=dish.sys_ID,
            Quantity=call.arg.Quantity,
            Price=dish.Price,
        )
        call.Record.Bill.update(bill, Total=bill.Total + call.arg.Quantity * dish.Price)


@extension
def pay_bill(call: PayBill) -> ReceiptDict | None:
    """Take the guests' money, and free their table."""
    bill = call.Record.Bill.must_get(ID=call.arg.Bill)
    if not (is_open(call, bill) and serves(call, bill.TableNumber)):
        return None
    per_euro = rate(call, call.arg.Currency)
    if per_euro is None:
        return None
    euros = due(bill.Total)
    call.Record.Bill.update(bill, Paid=euros, PaidIn=call.arg.Currency)
    call.TableLocks.insert(TableNumber=bill.TableNumber)
    return {"Total": round(euros * per_euro), "Currency": call.arg.Currency}


@extension
def remember_guest(call: RememberGuest) -> None:
    """Note what a guest likes; without a word, forget it."""
    call.Guests.insert(Name=call.unlogged.Name, Likes=call.unlogged.Likes)


@extension
def set_point(call: SetPoint) -> None:
    """Set a point of a device, such as the heat of the oven."""
    call.Scada.insert(Device=call.arg.Device, Point=call.arg.Point, Reading=call.arg.Reading)

"""Tables, their bills, and who serves them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bills.extensions.calls import AddDish, Bill, OpenBill, PayBill


def floor(number: int) -> int:
    """Return the floor that a table is on: 207 is on the second."""
    return number // 100


def waiter(call: OpenBill | AddDish | PayBill) -> str:
    """Return the name of who asks."""
    return call.principal.name if call.principal else ""


def is_open(call: AddDish | PayBill, bill: Bill) -> bool:
    """Return whether guests still eat on a bill; if they have paid it, the request is answered with that."""
    if bill.PaidIn is None:
        return True
    call.respond(409, f"bill {bill.sys_ID} is paid")
    return False


def serves(call: OpenBill | AddDish | PayBill, number: int) -> bool:
    """Return whether the waiter may serve a table; if another one does, the request is answered with that."""
    lock = call.TableLocks.get(TableNumber=number)
    if lock is None or lock.Waiter in (None, waiter(call)):
        return True
    call.respond(409, f"table {number} is served by {lock.Waiter}")
    return False

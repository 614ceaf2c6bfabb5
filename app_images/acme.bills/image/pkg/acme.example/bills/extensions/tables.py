"""Tables, and who serves them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bills.extensions.calls import AddDish, OpenBill, PayBill


def floor(number: int) -> int:
    """Return the floor that a table is on: 207 is on the second."""
    return number // 100


def waiter(call: OpenBill | AddDish | PayBill) -> str:
    """Return the name of who asks."""
    return call.principal.name if call.principal else ""


def serves(call: OpenBill | AddDish | PayBill, number: int) -> bool:
    """Return whether the waiter may serve a table; if another one does, the request is answered with that."""
    lock = call.TableLocks.get(TableNumber=number)
    if lock is None or lock.Waiter in (None, waiter(call)):
        return True
    call.respond(409, f"table {number} is served by {lock.Waiter}")
    return False

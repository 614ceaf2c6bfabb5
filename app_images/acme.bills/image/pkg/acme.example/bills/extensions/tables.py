"""Tables and who serves them."""

from __future__ import annotations


def floor(number):
    """Return the floor that a table is on: 207 is on the second."""
    return number // 100


def serves(call, number):
    """Return whether the waiter may serve a table; if another one does, the request is answered with that."""
    lock = call.TableLocks.get(TableNumber=number)
    if lock is None or lock.Waiter in (None, call.principal.name):
        return True
    call.respond(409, f"table {number} is served by {lock.Waiter}")
    return False

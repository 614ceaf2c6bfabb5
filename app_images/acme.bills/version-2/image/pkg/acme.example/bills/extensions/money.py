"""What a bill comes to, and in which money. Amounts are in ten-thousandths."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bills.extensions.calls import AmountDue, Earnings, PayBill

#: In percent.
SERVICE = 10


def due(dishes: int) -> int:
    """Return what guests pay who ate for so much: that, and the service."""
    return dishes + dishes * SERVICE // 100


def rate(call: AmountDue | Earnings | PayBill, currency: str) -> float | None:
    """Return what a euro is in a currency; if the bank does not know, the request is answered with that."""
    if currency == "EUR":
        return 1.0
    # The rates are for all restaurants, and stand in the workspace of the application.
    found = call.View.Rates.get(WSID=1, Bank=1, Currency=currency)
    if found is not None:
        return found.PerEuro
    call.respond(409, f"the bank has no rate for {currency}")
    return None

"""Deliveries, and what is taken."""

from __future__ import annotations

from statehold.sdk import extension


@extension
def deliver(call):
    """Put what comes beside what there is."""
    arg = call.arg
    before = call.Stock.get(Item=arg.Item)
    if before is None:
        call.Stock.insert(Item=arg.Item, Amount=arg.Amount, Place=arg.Place)
    else:
        call.Stock.update(before, Item=arg.Item, Amount=before.Amount + arg.Amount)


@extension
def take(call):
    """Take some away, if there is as much."""
    arg = call.arg
    before = call.Stock.must_get(Item=arg.Item)
    if before.Amount < arg.Amount:
        raise ValueError(f"there are {before.Amount} of {arg.Item}")
    call.Stock.update(before, Item=arg.Item, Amount=before.Amount - arg.Amount)


@extension("List")
def listing(call):
    """Give all that there is, by name."""
    for key, row in call.Stock.read():
        yield {"Item": key.Item, "Amount": row.Amount, "Place": row.Place}

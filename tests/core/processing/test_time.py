"""The time of a call is that of the host's clock, and of a projector that of its event."""

from __future__ import annotations

from statehold.testing import FakeClock


def test_every_kind_of_call_has_the_time_of_the_host_and_projectors_that_of_the_event(open_shop, probe):
    clock = FakeClock(1_700_000_000.5)
    shop = open_shop(runtime={"clock": clock}, host={"clock": clock})
    seen = {}
    for name in ("sell", "count_sync", "count_async", "numbers"):
        probe.hooks[name] = lambda call, name=name: seen.setdefault(name, call.time)
    # The clock goes on while the command runs: its event, and what follows from it, are of when it began.
    probe.hooks["sell"] = lambda call: seen.setdefault("sell", call.time) and clock.advance(60)
    shop.sell()
    assert shop.caught_up()
    list(shop.runtime.query(shop.request(), "shop.Numbers", {"Count": 1}))
    assert seen == {
        "sell": 1_700_000_000.5,
        "count_sync": 1_700_000_000.5,
        "count_async": 1_700_000_000.5,
        "numbers": 1_700_000_060.5,
    }
    (sold,) = (event for event in shop.events() if event.name == "shop.Sell")
    assert sold.registered_at == 1_700_000_000_500

"""What happens by itself, by the clock."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from statehold.sdk import extension

if TYPE_CHECKING:
    from bills.extensions.calls import RefreshRates


@extension
def refresh_rates(call: RefreshRates) -> None:
    """Fetch the exchange rates of the day from the bank."""
    url = call.AppSecret.must_get(Secret="Rates_URL").Content or ""
    for _, answer in call.Http.read(Url=url):
        if answer.StatusCode != 200:
            raise RuntimeError(f"the bank answers with status {answer.StatusCode}")
        rates = json.loads(answer.Body or b"{}")
        for currency, per_euro in rates.items():
            call.View.Rates.insert(Bank=1, Currency=currency, PerEuro=per_euro)
        call.log.info("%d exchange rates", len(rates))

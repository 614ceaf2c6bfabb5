from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import Any

from statehold.sdk import StorageContext, StorageError
from statehold_zdb.client import Place


def check_allowed(ctx: StorageContext, place: Place) -> None:
    """Raise StorageError unless the operator allows *place*: the address stands in the app's own text."""
    allowed: Iterable[Any] = ctx.allowances.get("network", ())
    if not any(_covers(str(entry), place) for entry in allowed):
        raise StorageError(
            f"{ctx.storage}: may not connect to {place}",
            hint='The operator allows it in the descriptor: "Storages": {"'
            f'{ctx.storage}": {{"allow": {{"network": ["{place}"]}}}}}}',
        )


def _covers(entry: str, place: Place) -> bool:
    if entry in (str(place), place.host):
        return bool(place.host) or entry == str(place)
    try:
        return bool(place.host) and ip_address(place.host) in ip_network(entry, strict=False)
    except ValueError:
        return False

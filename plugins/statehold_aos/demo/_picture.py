from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from statehold_aos.demo._vehicle import Vehicle, names_of

if TYPE_CHECKING:
    from statehold_aos.gateway import Happened

_PHASES: Final = {
    "running": "green",
    "starting": "yellow",
    "stopping": "yellow",
    "restarting": "yellow",
    "held": "yellow",
    "failed": "red",
}
_SYNC: Final = {"accepted": "green", "pending": "yellow", "changed": "yellow", "requested": "yellow"}
_ARROWS: Final = {"new": "→", "requested": "→", "accepted": "←", "rejected": "←", "sent": "←"}
_WORDS: Final = {
    "new": "new state",
    "requested": "state request",
    "accepted": "accepted",
    "rejected": "rejected",
    "sent": "update state",
}


class Picture:
    """A vehicle with its services, and what it and its cloud say to each other."""

    def __init__(self, vehicle: Vehicle) -> None:
        self._vehicle: Final = vehicle
        self._last = ""

    def look(self) -> Iterator[Text]:
        """Return what the cloud has heard and said since, line by line."""
        happened = self._vehicle.cloud.happened
        while happened:
            one = happened.popleft()
            line = _line(one)
            if line not in ("", self._last):  # asked again, because there is no answer yet
                self._last = line
                yield Text(line, style="red" if one.what == "rejected" else "dim")

    def table(self) -> Table:
        """Return how the services are."""
        online = self._vehicle.cloud.is_there
        title = Text.assemble(
            "the vehicle, ", ("online", "green") if online else ("without a cloud", "yellow"), style="bold"
        )
        services = self._vehicle.look()
        table = Table(
            title=title,
            title_justify="left",
            caption="\n".join(f"{one.service}: {one.message}" for one in services if one.message) or None,
            caption_justify="left",
            box=SIMPLE_HEAD,
            show_edge=False,
            pad_edge=False,
            padding=(0, 1, 0, 0),
        )
        for name in ("service", "for", "is", "state here", "in the cloud", "storage"):
            table.add_column(name, no_wrap=name != "state here")
        for one in services:
            table.add_row(
                f"{one.service} {one.version}",
                names_of(one.users) or "-",
                Text(one.status, style=_PHASES.get(one.status, "dim")),
                _flat(one.here) or "-",
                Text(one.sync or "-", style=_SYNC.get(one.sync, "dim")),
                _bar(one.used, one.limit),
            )
        return table


def _line(one: Happened) -> str:
    if one.what not in _WORDS or one.claim is None:
        return ""
    size = f", {one.size} bytes" if one.size else ""
    why = f": {one.detail}" if one.detail else ""
    text = f"{one.claim.service} of {names_of(one.claim.users)}: {_WORDS[one.what]}{size}{why}"
    return f"    vehicle {_ARROWS[one.what]} cloud   {text}"


def _flat(state: str) -> str:
    return state.replace("\n", ", ").replace('"', "").replace(":", "").strip("{}")


def _bar(used: int, limit: int) -> Text:
    if not limit:
        return Text("-")
    share = min(used / limit, 1.0)
    full = round(share * 5)
    style = "red" if share > 0.9 else "green"
    return Text.assemble(
        ("█" * full, style), ("░" * (5 - full), "dim"), f" {used / 1e6:.1f}/{limit / 1e6:.1f} MB"
    )

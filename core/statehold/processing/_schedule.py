from __future__ import annotations

import math
import re
from datetime import UTC, datetime, tzinfo
from typing import Final

_EVERY: Final = "@every "
_DESCRIPTORS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_ZONE: Final = re.compile(r"(?:CRON_)?TZ=(\S+)\s+")
_PIECE: Final = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")
_UNITS: Final = {
    "ns": 1e-9,
    "us": 1e-6,
    "\u00b5s": 1e-6,
    "\u03bcs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
#: The last value of each of the five fields, for steps from a value on: `5/15`.
_LAST: Final = (59, 23, 31, 12, 6)


class Schedule:
    """When a job is due: five fields of cron, a descriptor such as `@daily`, or `@every 1h30m`.

    It goes by UTC, or by the time zone that stands before it as `TZ=Europe/Paris`. An hour that the zone
    skips in spring is made up for right after it, and what falls into the hour that comes twice in autumn is
    due once, but for what is due every minute or hour. `@every` counts from run to run, at least a second.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._zone: tzinfo = UTC
        self._every: float | None = None
        zone = _ZONE.match(text)
        if zone is not None:
            self._zone = _zone(zone[1])
            text = text[zone.end() :]
        if text.startswith(_EVERY):
            self._every = max(1.0, _seconds(text.removeprefix(_EVERY)))
            return
        self._fields = _plain(_DESCRIPTORS.get(text, text))

    def next(self, after: float) -> float:
        """Return the first time after *after* at which the job is due, in seconds since 1970.

        It is infinity where there is none, such as for the 30th of February.
        """
        if self._every is not None:
            return after + self._every
        from cronsim import CronSim, CronSimError  # noqa: PLC0415 - only apps with jobs need it

        try:
            times = CronSim(self._fields, datetime.fromtimestamp(after, self._zone))
            return next(times).timestamp()
        except (CronSimError, StopIteration):
            # How it is written was looked at when the app was compiled.
            return math.inf


def _plain(fields: str) -> str:
    """Return five fields as `cronsim` reads them."""
    plain = []
    for field, last in zip(fields.split(), _LAST, strict=False):
        items = []
        for item in field.replace("?", "*").split(","):
            value, slash, step = item.partition("/")
            begins = bool(slash) and value != "*" and "-" not in value
            items.append(f"{value}-{last}/{step}" if begins else item)
        plain.append(",".join(items))
    return " ".join(plain)


def _seconds(duration: str) -> float:
    return sum(float(number) * _UNITS[unit] for number, unit in _PIECE.findall(duration))


def _zone(name: str) -> tzinfo:
    if name == "Local":
        zone = datetime.now(UTC).astimezone().tzinfo
        return zone if zone is not None else UTC
    import zoneinfo  # noqa: PLC0415 - only schedules with a zone need it

    return zoneinfo.ZoneInfo(name)

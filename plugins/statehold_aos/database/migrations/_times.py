from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
#: Go's zero time: never.
NEVER: Final = "0001-01-01 00:00:00+00:00"
#: Whole numbers above are milliseconds, those below are seconds, as Go's driver reads them.
_SECONDS: Final = 1_000_000_000_000
_LONG_FRACTION: Final = re.compile(r"(\.\d{6})\d+")


def from_old(value: Any) -> int | None:
    """Return the milliseconds since 1970 that Go's driver of SQLite wrote; None for its zero time.

    Raises:
        ValueError: it is no time.

    """
    if value is None:
        return None
    if isinstance(value, (int, float)):
        return int(value if abs(value) > _SECONDS else value * 1000)
    text = _LONG_FRACTION.sub(r"\1", str(value).strip())
    when = datetime.fromisoformat(text)
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when
    return None if when.year == 1 else (when - _EPOCH) // _MILLISECOND


def to_old(milliseconds: int | None) -> str:
    """Return what Go's driver of SQLite reads; its zero time for what it could not write."""
    if milliseconds is None:
        return NEVER
    try:
        when = _EPOCH + milliseconds * _MILLISECOND
    except OverflowError:
        return NEVER
    return when.isoformat(" ", "milliseconds" if when.microsecond else "seconds")

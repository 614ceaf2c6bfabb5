from __future__ import annotations

import re

_DESCRIPTORS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, {word: number for number, word in enumerate(_MONTHS, 1)}),
    ("day of week", 0, 6, {word: number for number, word in enumerate(_DAYS)}),
)
_ITEM = re.compile(r"(?:(\*|\?)|(\w+)(?:-(\w+))?)(?:/(\d{1,9}))?", re.ASCII)
_DURATION = re.compile(r"[-+]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)
_ZONE = re.compile(r"(?:CRON_)?TZ=(\S+)\s+", re.ASCII)


def schedule_error(schedule: str) -> str:
    """Say what is wrong with a cron schedule, empty if nothing is.

    It has five fields (minute, hour, day of month, month, day of week), or is a descriptor such as
    `@daily` or `@every 1h30m`; a time zone may stand before it as `TZ=Europe/Paris`.
    """
    zone = _ZONE.match(schedule)
    if zone is not None:
        if not _is_zone(zone[1]):
            return f"there is no time zone {zone[1]}"
        schedule = schedule[zone.end() :]
    if schedule.startswith("@"):
        if schedule.startswith("@every "):
            duration = schedule.removeprefix("@every ")
            wrong = f"`{duration}` is not a duration such as 1h30m"
            return "" if _DURATION.fullmatch(duration) else wrong
        known = ", ".join(_DESCRIPTORS)
        return "" if schedule in _DESCRIPTORS else f"`{schedule}` is none of {known} and @every"
    fields = schedule.split()
    if len(fields) != len(_FIELDS):
        names = ", ".join(name for name, *_ in _FIELDS)
        return (
            f"it has {len(fields)} of 5 fields: {names}"
            if len(fields) < 5
            else (f"it has {len(fields)} fields, but 5 are expected: {names}")
        )
    for text, (name, low, high, words) in zip(fields, _FIELDS, strict=True):
        for item in text.split(","):
            wrong = _item_error(item, low, high, words)
            if wrong:
                return f"{name} `{text}`: {wrong}"
    return ""


def _item_error(item: str, low: int, high: int, words: dict[str, int]) -> str:
    match = _ITEM.fullmatch(item)
    if match is None:
        return f"`{item}` is not `*`, a value, a range or one of these with a step"
    if match[4] is not None and int(match[4]) == 0:
        return "the step is 0"
    if match[1] is not None:
        return ""
    first = _value(match[2], words)
    last = _value(match[3], words) if match[3] is not None else first
    if first is None or last is None:
        return f"`{item}` is not a value that is known here"
    if first < low or last > high:
        return f"values are from {low} to {high}"
    return "the range ends before it begins" if last < first else ""


def _value(text: str, words: dict[str, int]) -> int | None:
    if text.isdigit():
        return int(text[:9])
    return words.get(text.lower())


def _is_zone(name: str) -> bool:
    import zoneinfo  # noqa: PLC0415

    try:
        return name == "Local" or zoneinfo.ZoneInfo(name) is not None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False

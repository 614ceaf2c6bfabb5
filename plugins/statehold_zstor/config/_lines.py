"""On which line of a TOML file a field stands, which `tomllib` does not tell."""

from __future__ import annotations

import re
from typing import Final

_PART: Final = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_PATH: Final = rf"{_PART}(?:\s*\.\s*{_PART})*"
_ARRAY: Final = re.compile(rf"\s*\[\[\s*({_PATH})\s*\]\]")
_TABLE: Final = re.compile(rf"\s*\[\s*({_PATH})\s*\]")
_FIELD: Final = re.compile(rf"\s*({_PATH})\s*=")


def lines_of(text: str) -> dict[str, int]:
    """Return the line of each table and field, by what it is called: `groups[0].backends[1].address`."""
    found: dict[str, int] = {}
    counts: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if match := _ARRAY.match(line):
            name = _named(match[1], counts)
            at = counts[name] = counts.get(name, -1) + 1
            table = f"{name}[{at}]"
            found[table] = number
        elif match := _TABLE.match(line):
            table = _named(match[1], counts)
            found[table] = number
        elif match := _FIELD.match(line):
            field = ".".join(_parts(match[1]))
            found.setdefault(f"{table}.{field}" if table else field, number)
    return found


def _named(path: str, counts: dict[str, int]) -> str:
    """Return a table's path with the number of the newest of each array in it."""
    *parents, last = _parts(path)
    name = ""
    for part in parents:
        name = f"{name}.{part}" if name else part
        if name in counts:
            name = f"{name}[{counts[name]}]"
    return f"{name}.{last}" if name else last


def _parts(path: str) -> list[str]:
    return [part.strip("\"'") for part in re.findall(_PART, path)]

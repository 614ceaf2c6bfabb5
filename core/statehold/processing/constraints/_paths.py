from __future__ import annotations

import re
from typing import Final, TypeAlias

from statehold.processing._errors import RequestError

#: Names from the outside inwards: `Lines`, `Article`.
Path: TypeAlias = tuple[str, ...]

_PART: Final = re.compile(r'"([^"]+)"|([^".,\s]+)')


def paths(constraint: str, text: str) -> tuple[Path, ...]:
    """Return the names in a list such as `Total,Lines.Article,"sys.ID"`.

    A dot goes one step inwards, unless it stands in quotes or after `sys`.
    """
    return tuple(_path(constraint, one) for one in _split(constraint, text))


def _split(constraint: str, text: str) -> list[str]:
    if text.count('"') % 2:
        raise RequestError(f"{constraint}: a quote in {text!r:.200} is not closed")
    pieces = re.split(r',(?=(?:[^"]*"[^"]*")*[^"]*\Z)', text)
    return [piece.strip() for piece in pieces]


def _path(constraint: str, text: str) -> Path:
    names: list[str] = []
    at = 0
    while True:
        match = _PART.match(text, at)
        if match is None:
            raise RequestError(
                f"{constraint}: expected a name, got {text[at:]!r:.200}",
                hint='Names are separated by commas, and one with a dot stands in quotes, such as "sys.ID"',
            )
        names.append(match[1] or match[2])
        at = match.end()
        if at == len(text):
            break
        if text[at] != ".":
            raise RequestError(f"{constraint}: expected a dot or a comma before {text[at:]!r:.200}")
        at += 1
    for place, name in enumerate(names[:-1]):
        if name == "sys":
            names[place : place + 2] = [f"sys.{names[place + 1]}"]
            break
    return tuple(names)


def spelled(path: Path) -> str:
    """Return a path as it is written."""
    return ".".join(path)

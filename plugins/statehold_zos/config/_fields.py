"""Fields that the tables of other configurations do not have."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TypeVar

from statehold_zos.model import RefusedError, size_of
from statehold_zstor.config import Table

E = TypeVar("E", bound=Enum)


def choice(table: Table, name: str, kind: type[E], default: E, *, said: str | None = None) -> E:
    """Return the field, or *said* of it, as one of *kind*; *default* where it is missing or wrong."""
    known = {each.value: each for each in kind}
    value = table.text(name, default.value) if said is None else said
    if value not in known:
        table.add(name, f"expected {' or '.join(map(repr, known))}, got {value!r}")
    return known.get(value, default)


def texts(table: Table, name: str) -> Sequence[str]:
    """Return an array of texts; none where it is missing or wrong."""
    value = table.value(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        table.add(name, f"expected an array of texts, got {value!r}")
        return ()
    return value


def read_size(table: Table, name: str) -> int:
    """Return a size; 0 where it is missing or wrong."""
    value = table.value(name)
    if value is None:
        table.add(name, "is missing: bytes, such as '10 GiB'")
        return 0
    try:
        return size_of(value if isinstance(value, int | str) else str(value))
    except RefusedError as error:
        table.add(name, error.message.removeprefix("a size: "))
        return 0

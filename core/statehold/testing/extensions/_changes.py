from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec


class Change:
    """A change that an extension asks for; two are equal that ask for the same.

    Args:
        storage: as the extension names it: `Bills`, `View.Turnover`.
        fields: those of the key and the value. A NULL is as good as a field that is not named.

    """

    def __init__(self, storage: str, /, **fields: object) -> None:
        self.storage = storage
        self.fields = {name: value for name, value in fields.items() if self._counts(value)}

    def _counts(self, value: object) -> bool:
        return value is not None and value != ()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and (self.storage, self.fields) == (other.storage, other.fields)

    def __hash__(self) -> int:
        return hash((type(self), self.storage))

    def __repr__(self) -> str:
        fields = "".join(f", {name}={value!r}" for name, value in self.fields.items())
        return f"{type(self).__name__}({self.storage!r}{fields})"


class Insert(Change):
    """A row that is to be there."""


class Update(Change):
    """Fields that are to change; here None clears a field."""

    def _counts(self, value: object) -> bool:
        return value != ()


def plain(value: object) -> Any:
    """Return a value with all that is nested in it as dicts and tuples, bytes as they are."""
    if isinstance(value, msgspec.Struct):
        value = msgspec.to_builtins(value, builtin_types=(bytes,))
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    return tuple(map(plain, value)) if isinstance(value, (list, tuple)) else value


def difference(who: str, expected: Iterable[Change], got: Sequence[Change]) -> str:
    """Return in words how *got* differs from *expected*, whatever the order; empty if it does not."""
    expected = list(expected)
    for change in expected:
        if not isinstance(change, Change):
            raise TypeError(f"expected Insert(...) or Update(...), got {change!r:.80}")
    extra = list(got)
    missing = []
    for change in expected:
        if change in extra:
            extra.remove(change)
        else:
            missing.append(change)
    if not missing and not extra:
        return ""
    lines = [f"{who} asks for other changes than expected"]
    if missing:
        lines.append("  expected, and not asked for:")
        for change in missing:
            lines += [f"    {change!r}", *_nearest(change, extra)]
    if extra:
        lines.append("  asked for, and not expected:")
        lines += [f"    {change!r}" for change in extra]
    return "\n".join(lines)


def _nearest(wanted: Change, found: Sequence[Change]) -> list[str]:
    """Return what the change that is most like *wanted* has otherwise."""
    near = [change for change in found if change.storage == wanted.storage]
    if not near:
        return []
    best = max(near, key=lambda change: (type(change) is type(wanted), _alike(wanted, change)))
    lines = []
    if type(best) is not type(wanted):
        lines.append(f"      the nearest is an {type(best).__name__}, not an {type(wanted).__name__}")
    for name in dict.fromkeys((*wanted.fields, *best.fields)):
        expected, got = wanted.fields.get(name, _NOTHING), best.fields.get(name, _NOTHING)
        if expected != got:
            lines.append(f"      {name}: expected {expected!r}, got {got!r}")
    return lines


def _alike(one: Change, other: Change) -> int:
    return sum(name in other.fields and other.fields[name] == value for name, value in one.fields.items())


class _Nothing:
    def __repr__(self) -> str:
        return "nothing"


_NOTHING = _Nothing()

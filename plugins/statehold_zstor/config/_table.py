from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs

from statehold.sdk import Secret

_T = TypeVar("_T")
_KINDS: Final = {str: "a text", int: "a whole number", bool: "true or false", float: "a number"}


@attrs.define
class Problems:
    """All that is wrong with a configuration.

    Attributes:
        folder: that paths are relative to.
        lines: on which line a field stands.

    """

    folder: Path
    lines: Mapping[str, int] = {}
    _found: list[tuple[int, str]] = attrs.field(factory=list, init=False)

    def __len__(self) -> int:
        return len(self._found)

    @property
    def found(self) -> list[str]:
        """What is wrong, one line for each, in the order of the file."""
        return [text for _, text in sorted(self._found, key=lambda each: each[0])]

    def add(self, field: str, what: str) -> None:
        """Note that *field* is wrong."""
        line = self.lines.get(field) or self.lines.get(field.rpartition(".")[0], 0)
        self._found.append((line, f"line {line}: {field}: {what}" if line else f"{field}: {what}"))


class Table:
    """A table of a configuration: what is asked for is checked, and what is not asked for is unknown."""

    def __init__(self, data: Mapping[str, Any], path: str, problems: Problems) -> None:
        self.path = path
        self.problems = problems
        self._data = data
        self._asked: set[str] = set()

    def add(self, name: str, what: str) -> None:
        """Note that a field is wrong."""
        self.problems.add(self._field(name), what)

    def has(self, name: str) -> bool:
        """Whether the field is there."""
        self._asked.add(name)
        return name in self._data

    @property
    def names(self) -> Sequence[str]:
        """The names of all fields."""
        return list(self._data)

    def value(self, name: str) -> object:
        """Return what the field says, whatever that is; None where it is missing."""
        return self._data[name] if self.has(name) else None

    def flag(self, name: str, *, default: bool) -> bool:
        """Return true or false."""
        return self._value(name, bool, default) is True

    def text(self, name: str, default: str | None = None, *, among: Sequence[str] = ()) -> str:
        """Return a text; without *default* it must be there."""
        value = self._value(name, str, default)
        if value is None:
            return ""
        if among and value not in among:
            self.add(name, f"expected {' or '.join(map(repr, among))}, got {value!r}")
        return value

    def integer(
        self, name: str, default: int | None = None, *, least: int = 0, most: int | None = None
    ) -> int | None:
        """Return a whole number; without *default* it must be there. None where it is wrong."""
        value = self._value(name, int, default)
        if value is None or not self._within(name, value, least, most):
            return None
        return value

    def optional(self, name: str, *, least: int = 0, most: int | None = None) -> int | None:
        """Return a whole number, or None."""
        return self.integer(name, least=least, most=most) if self.has(name) else None

    def number(self, name: str, default: float, *, least: float, most: float) -> float:
        """Return a number."""
        value = self._data.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            self._asked.add(name)
            found: float | None = float(value)
        else:
            found = self._value(name, float, default)
        if found is None or not self._within(name, found, least, most):
            return default
        return found

    def file(self, name: str) -> Path | None:
        """Return a path, or None."""
        if not self.has(name):
            return None
        value = self._value(name, str, None)
        return self.problems.folder / Path(value).expanduser() if value else None

    def secret(self, name: str) -> Secret | None:
        """Return a secret, or None: a text, `{env = "NAME"}` or `{file = "path"}`."""
        if not self.has(name):
            return None
        value = self._data[name]
        if isinstance(value, str):
            return Secret(value)
        expected = "expected a text, {env = NAME} or {file = PATH}"
        if (
            not isinstance(value, Mapping)
            or len(value) != 1
            or not isinstance(next(iter(value.values())), str)
        ):
            self.add(name, expected)
            return None
        ((kind, where),) = value.items()
        if kind == "env":
            found = os.environ.get(where)
            if found is None:
                self.add(name, f"there is no environment variable {where}")
                return None
            return Secret(found)
        if kind != "file":
            self.add(name, expected)
            return None
        try:
            return Secret((self.problems.folder / where).read_text(encoding="utf-8").strip())
        except (OSError, UnicodeDecodeError) as error:
            self.add(name, f"cannot read {where}: {error}")
            return None

    def table(self, name: str, *, needed: bool = False) -> Table | None:
        """Return a table in this one, or None."""
        if not self.has(name):
            if needed:
                self.add(name, "is missing")
            return None
        value = self._data[name]
        if not isinstance(value, Mapping):
            self.add(name, f"expected a table, got {_kind(value)}")
            return None
        return Table(value, self._field(name), self.problems)

    def tables(self, name: str) -> Iterator[Table]:
        """Yield the tables of an array of them, of which one must be there."""
        value = self._data.get(name)
        if not self.has(name) or value == []:
            self.add(name, f"is missing: at least one [[{self._field(name)}]] must be there")
            return
        if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
            self.add(name, f"expected an array of tables, got {_kind(value)}")
            return
        for number, item in enumerate(value):
            yield Table(item, f"{self._field(name)}[{number}]", self.problems)

    def done(self) -> None:
        """Note the fields that nobody has asked for."""
        for name in self._data:
            if name not in self._asked:
                near = difflib.get_close_matches(name, self._asked, n=1)
                self.add(name, "is unknown" + (f": is {near[0]} meant?" if near else ""))

    def _field(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def _value(self, name: str, kind: type[_T], default: _T | None) -> _T | None:
        if not self.has(name):
            if default is None:
                self.add(name, "is missing")
            return default
        value = self._data[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self.add(name, f"expected {_KINDS[kind]}, got {_kind(value)}")
            return default
        return value

    def _within(self, name: str, value: float, least: float, most: float | None) -> bool:
        if value >= least and (most is None or value <= most):
            return True
        limits = f"{least} to {most}" if most is not None else f"at least {least}"
        self.add(name, f"expected {limits}, got {value}")
        return False


def _kind(value: object) -> str:
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list):
        return "an array"
    return next((text for kind, text in _KINDS.items() if type(value) is kind), "something else")

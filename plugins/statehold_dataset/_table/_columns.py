from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

import attrs

from statehold.sdk import UNSET, DataType, Field, Key, Value

_FLOATS: Final = (DataType.FLOAT32, DataType.FLOAT64)
_ZERO: Final[Mapping[DataType, object]] = {
    DataType.TEXT: "",
    DataType.QNAME: "",
    DataType.BYTES: b"",
    DataType.FLOAT32: 0.0,
    DataType.FLOAT64: 0.0,
}
# SQLite has no NaN: it would store NULL. A text is no float, so it can stand for one.
_NAN: Final = "nan"

WSID: Final = "WSID"


@attrs.frozen
class Column:
    """Where a field is stored.

    `name` begins with the part of the row and a number, because SQLite and dataset take columns that
    differ only in case or in underscores for one. `flag` is, for a field of KEY that may be NULL, the
    column that says whether it is set: to a unique index no two NULLs are equal.
    """

    field: Field
    name: str
    flag: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of the field, in the order in which they sort."""
        return (self.name,) if self.flag is None else (self.flag, self.name)


@attrs.frozen(eq=False)
class Columns:
    """The columns of a table, and how rows are turned into what stands in them and back."""

    key: tuple[Column, ...]
    value: tuple[Column, ...]

    @property
    def key_names(self) -> tuple[str, ...]:
        """The columns that make a row unique, in key order."""
        return (WSID, *(name for column in self.key for name in column.names))

    @property
    def value_names(self) -> tuple[str, ...]:
        """The columns of VALUE."""
        return tuple(column.name for column in self.value)

    def sized(self) -> tuple[int, ...]:
        """Return where texts and bytes stand in a row of key and value."""
        names = (*self.key_names, *self.value_names)
        sized = {c.name for c in (*self.key, *self.value) if isinstance(_zero(c.field), (str, bytes))}
        return tuple(i for i, name in enumerate(names) if name in sized)

    def key_writer(self) -> Callable[[Key], tuple[object, ...]]:
        """Return a function from a whole key, or the beginning of one, to what stands in its columns."""
        if not any(column.flag for column in self.key):
            plain: Callable[[Key], tuple[object, ...]] = attrgetter(
                WSID, *(column.field.name for column in self.key)
            )
            return plain
        columns = [(column.field.name, column.flag, _zero(column.field)) for column in self.key]

        def write(key: Key) -> tuple[object, ...]:
            row: list[object] = [key.WSID]
            for name, flag, zero in columns:
                field = getattr(key, name)
                if flag is None:
                    row.append(field)
                elif field is UNSET:
                    row += (UNSET, UNSET)
                else:
                    row += (0, zero) if field is None else (1, field)
            return tuple(row)

        return write

    def value_writer(self) -> Callable[[Value], tuple[object, ...]]:
        """Return a function from a value to what stands in its columns."""
        names = [column.field.name for column in self.value]
        if any(column.field.type in _FLOATS for column in self.value):
            return lambda value: tuple([_without_nan(getattr(value, name)) for name in names])
        if len(names) == 1:
            only = attrgetter(names[0])
            return lambda value: (only(value),)
        plain: Callable[[Value], tuple[object, ...]] = attrgetter(*names)
        return plain

    def key_reader(self, make: type[Key]) -> Callable[[Sequence[Any]], Key]:
        """Return a function from what stands in the key's columns to a key."""
        readers = [(column.flag is not None, _reader(column.field)) for column in self.key]
        if not any(flagged or reader for flagged, reader in readers):
            return lambda row: make(*row)

        def read(row: Sequence[Any]) -> Key:
            stored = iter(row)
            workspace = next(stored)
            key: list[Any] = []
            for flagged, reader in readers:
                is_set = next(stored) if flagged else True
                field = next(stored)
                key.append((reader(field) if reader else field) if is_set else None)
            return make(workspace, *key)

        return read

    def value_reader(self, make: type[Value]) -> Callable[[Sequence[Any]], Value]:
        """Return a function from what stands in the value's columns to a value."""
        readers = [(i, reader) for i, column in enumerate(self.value) if (reader := _reader(column.field))]
        if not readers:
            return lambda row: make(*row)

        def read(row: Sequence[Any]) -> Value:
            value = list(row)
            for i, reader in readers:
                if value[i] is not None:
                    value[i] = reader(value[i])
            return make(*value)

        return read


def _zero(field: Field) -> object:
    return _ZERO.get(field.type, 0)


def _reader(field: Field) -> Callable[[Any], object] | None:
    if field.type is DataType.BOOL:
        return bool
    return float if field.type in _FLOATS else None


def _without_nan(held: Any) -> object:
    return held if held == held else _NAN  # noqa: PLR0124 - only NaN differs from itself

from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final

import attrs

from statehold.processing._errors import RequestError
from statehold.sdk import DataType, Field
from statehold.state import int_range

_FLOATS: Final = (DataType.FLOAT32, DataType.FLOAT64)
_TEXTS: Final = (DataType.TEXT, DataType.QNAME)


@attrs.frozen(eq=False)
class Column:
    """One field of the results, and how it is read from one of them."""

    field: Field
    read: Callable[[Any], Any]

    def literal(self, constraint: str, given: object) -> object:
        """Return the value of this field that a JSON value in a request says.

        Raises:
            RequestError: it is of another type.

        """
        kind = self.field.type
        self.check_plain(constraint)
        if given is None:
            return None
        if kind is DataType.BOOL:
            fits = isinstance(given, bool)
        elif kind in _TEXTS:
            fits = isinstance(given, str)
        elif kind is DataType.BYTES:
            return self._bytes(constraint, given)
        elif kind in _FLOATS:
            fits = isinstance(given, (int, float)) and not isinstance(given, bool)
        else:
            low, high = int_range(kind) or (0, 0)
            fits = isinstance(given, int) and not isinstance(given, bool) and low <= given <= high
        if not fits:
            raise self._refusal(constraint, given)
        return given

    def check_plain(self, constraint: str) -> None:
        """Raise RequestError where the field has values inside of it, which have no order."""
        if self.field.type is DataType.OBJECT or self.field.repeated:
            raise RequestError(
                f"{constraint}: {self.field.name} has values inside of it and cannot be compared",
                hint="Compare fields of the results themselves",
            )

    def _bytes(self, constraint: str, given: object) -> bytes:
        try:
            if isinstance(given, str):
                return binascii.a2b_base64(given, strict_mode=True)
        except ValueError:
            pass
        raise self._refusal(constraint, given)

    def _refusal(self, constraint: str, given: object) -> RequestError:
        expected = f"{self.field.type}{' as base64 text' if self.field.type is DataType.BYTES else ''}"
        return RequestError(f"{constraint}: {self.field.name}: expected {expected}, got {given!r:.80}")


class Columns:
    """The fields that results have, by name."""

    def __init__(self, of: str, columns: Mapping[str, Column]) -> None:
        self.of = of
        self._columns = columns

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def get(self, constraint: str, name: str) -> Column:
        """Return a column.

        Raises:
            RequestError: the results have no such field.

        """
        column = self._columns.get(name)
        if column is None:
            near = get_close_matches(name, self._columns, n=1)
            raise RequestError(
                f"{constraint}: {self.of} has no field {name!r:.80}",
                hint=f"Did you mean {near[0]!r}?" if near else f"It has {', '.join(self._columns) or 'none'}",
            )
        return column

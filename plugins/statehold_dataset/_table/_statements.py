from __future__ import annotations

from collections.abc import Iterable

import attrs

from statehold_dataset._table._columns import Columns
from statehold_dataset._table._schema import ENTRIES


@attrs.frozen
class Statements:
    """The SQL of one table, written once; only names of columns stand in it, never values."""

    _columns: Columns

    def get(self) -> str:
        """Return the look-up of one row's value."""
        return f"SELECT {_list(self._columns.value_names)} FROM {ENTRIES} WHERE {self._where(None)}"  # noqa: S608

    def read(self, given: int, *, further: bool) -> str:
        """Return the look-up of all rows in key order whose first *given* key columns are given.

        With *further*, of those that come after a row whose other key columns are given too.
        """
        names = self._columns.key_names
        rest = _list(names[given:])
        where = self._where(given)
        if further:
            where += f" AND ({rest}) > ({_marks(len(names) - given)})"
        columns = _list((*names, *self._columns.value_names))
        order = f" ORDER BY {rest}" if rest else ""
        return f"SELECT {columns} FROM {ENTRIES} WHERE {where}{order}"  # noqa: S608

    def insert(self) -> str:
        """Return the statement that replaces a row, with what versions of other fields have stored."""
        names = (*self._columns.key_names, *self._columns.value_names)
        return f"INSERT OR REPLACE INTO {ENTRIES} ({_list(names)}) VALUES ({_marks(len(names))})"  # noqa: S608

    def update(self) -> str:
        """Return the statement that changes a row, and leaves alone what other versions have stored."""
        key, value = self._columns.key_names, self._columns.value_names
        changes = ", ".join(f"{_quoted(name)} = excluded.{_quoted(name)}" for name in value)
        return (
            f"INSERT INTO {ENTRIES} ({_list((*key, *value))}) VALUES ({_marks(len(key) + len(value))}) "  # noqa: S608
            f"ON CONFLICT ({_list(key)}) DO UPDATE SET {changes}"
        )

    def _where(self, given: int | None) -> str:
        return " AND ".join(f"{_quoted(name)} = ?" for name in self._columns.key_names[:given])


def _quoted(name: str) -> str:
    return f'"{name}"'


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(_quoted, names))


def _marks(count: int) -> str:
    return ", ".join("?" * count)

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import attrs
from sqlalchemy import BigInteger, Column, Connection, LargeBinary, MetaData, Table, UnicodeText, inspect
from sqlalchemy.types import TypeEngine, UserDefinedType

from statehold_aos.database._schema import KEYS, SEED, TIMES, column_type


class _Timestamp(UserDefinedType[str]):
    """What Go's driver of SQLite declares for a time; it writes a text."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "TIMESTAMP"


@attrs.frozen
class OldColumn:
    """A column of a table of version 1.

    Attributes:
        name: as it is written there.
        kind: INTEGER, TEXT, BLOB, TIMESTAMP or what else is declared.
        is_key: whether it belongs to the primary key.
        required: whether it is NOT NULL.

    """

    name: str
    kind: str
    is_key: bool = False
    required: bool = False

    def made(self) -> Column[Any]:
        """Return the column, to be created."""
        return Column(
            self.name, self._type(), primary_key=self.is_key, nullable=not self.required, autoincrement=False
        )

    def _type(self) -> TypeEngine[Any]:
        kind = self.kind.upper()
        if kind.startswith(("TIMESTAMP", "DATE")):
            return _Timestamp().with_variant(UnicodeText(), "postgresql")
        if "INT" in kind or "BOOL" in kind:
            return BigInteger()
        if "BLOB" in kind or "BYTEA" in kind:
            return LargeBinary()
        return column_type(str)  # type: ignore[no-any-return]


Layout: TypeAlias = Mapping[str, tuple[OldColumn, ...]]

_KINDS: Final = {int: "INTEGER", str: "TEXT", bytes: "BLOB"}
#: How the fields of a table are called elsewhere: in the seed's page, by mistake, and in Service Managers.
_OTHER_NAMES: Final = {("services", "serviceprovide"): "serviceProvider"}


def seed_layout() -> Layout:
    """Return the five tables of the seed."""
    return {
        name: tuple(
            OldColumn(
                column,
                "TIMESTAMP" if (name, column) in TIMES else _KINDS[kind],
                is_key=column in KEYS[name],
                required=column in KEYS[name],
            )
            for column, kind in fields.items()
        )
        for name, fields in SEED.items()
    }


def found_layout(connection: Connection) -> Layout:
    """Return the tables that are there, those of the five that are."""
    inspector = inspect(connection)
    layout = {}
    for name in SEED.keys() & set(inspector.get_table_names()):
        keys = set(inspector.get_pk_constraint(name)["constrained_columns"])
        layout[name] = tuple(
            OldColumn(
                column["name"],
                "TIMESTAMP" if _is_time(name, column["name"]) else str(column["type"]),
                is_key=column["name"] in keys,
                required=not column["nullable"],
            )
            for column in inspector.get_columns(name)
        )
    return layout


def old_table(name: str, columns: tuple[OldColumn, ...], metadata: MetaData | None = None) -> Table:
    """Return a table of version 1."""
    return Table(name, metadata or MetaData(), *(column.made() for column in columns))


def new_name(table: str, old: str, known: Mapping[str, type]) -> str | None:
    """Return how the column *old* is called from version 2 on; None for one that AOS does not know."""
    lowered = old.lower()
    if (table, lowered) in _OTHER_NAMES:
        return _OTHER_NAMES[table, lowered]
    return next((name for name in known if name.lower() == lowered), None)


def written(layout: Layout) -> str:
    """Return *layout* as text."""
    return json.dumps({name: [attrs.astuple(one) for one in columns] for name, columns in layout.items()})


def read(text: str) -> Layout:
    """Return the layout that was `written`."""
    given: dict[str, list[list[Any]]] = json.loads(text)
    return {name: tuple(OldColumn(*one) for one in columns) for name, columns in given.items()}


def _is_time(table: str, column: str) -> bool:
    return (table, column.lower()) in TIMES

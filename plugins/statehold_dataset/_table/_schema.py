from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

import attrs
import dataset
from sqlalchemy import BigInteger, LargeBinary, UnicodeText
from sqlalchemy import Column as SqlColumn
from sqlalchemy.types import TypeEngine

from statehold.sdk import DataType, Field, StorageError
from statehold_dataset._table._columns import WSID, Column, Columns

ENTRIES: Final = "entries"
_FIELDS: Final = "fields"
_INDEX: Final = "entries_key"
_FORMAT: Final = 1

_TEXTS: Final = (DataType.TEXT, DataType.QNAME)
# Without affinity: as a REAL column keeps them, -0.0 loses its sign.
_BLOBS: Final = (DataType.BYTES, DataType.FLOAT32, DataType.FLOAT64)


@attrs.frozen
class _Stored:
    """A field that the file has, of some version of the app."""

    part: str
    column: Column


def bring_up(storage: str, db: dataset.Database, key: Sequence[Field], value: Sequence[Field]) -> Columns:
    """Make the file fit KEY and VALUE and return where their fields are stored.

    All or nothing, and only what every version that ever used the file can live with: fields of VALUE
    that may be NULL come and go. StorageError otherwise.
    """
    _check_declaration(storage, key, value)
    with db:
        driver = driver_connection(db)
        # dataset itself would start a transaction only with the first write.
        driver.execute("BEGIN IMMEDIATE")
        _check_format(storage, driver)
        stored = _read(db) if db.has_table(_FIELDS) else None
        columns = _create(db, key, value) if stored is None else _evolve(storage, db, stored, key, value)
        driver.execute(f"PRAGMA user_version={_FORMAT}")
    return columns


def driver_connection(db: dataset.Database) -> sqlite3.Connection:
    """Return the driver's connection that *db* uses for this thread."""
    return cast("sqlite3.Connection", db.executable.connection.driver_connection)


def _check_declaration(storage: str, key: Sequence[Field], value: Sequence[Field]) -> None:
    for part, fields in (("KEY", key), ("VALUE", value)):
        if not fields:
            raise StorageError(
                f"{storage}: a Table has the fields that its declaration gives it, and it gives no {part}",
                hint="Declare them: STORAGE Orders (...) KEY (Number int64 NOT NULL) VALUE (Total money) "
                "WITH PROVIDER=Table",
            )
        for field in fields:
            if field.repeated:
                raise StorageError(f"{storage}: field {field.name}: a Table keeps no repeated fields")


def _check_format(storage: str, driver: sqlite3.Connection) -> None:
    (written,) = driver.execute("PRAGMA user_version").fetchone()
    if written > _FORMAT:
        raise StorageError(
            f"{storage}: its file has format {written}, this version of Statehold reads up to {_FORMAT}",
            hint="Use the version of Statehold that wrote it, or a newer one",
        )


def _create(db: dataset.Database, key: Sequence[Field], value: Sequence[Field]) -> Columns:
    columns = Columns(
        tuple(_key_column(i, field) for i, field in enumerate(key, 1)),
        tuple(_value_column(i, field) for i, field in enumerate(value, 1)),
    )
    sql_key = [SqlColumn(WSID, BigInteger, nullable=False)]
    for column in columns.key:
        if column.flag:
            sql_key.append(SqlColumn(column.flag, BigInteger, nullable=False))
        sql_key.append(SqlColumn(column.name, _sql_type(column.field), nullable=False))
    db.op.create_table(ENTRIES, *sql_key, *map(_sql_value, columns.value))
    db.op.create_index(_INDEX, ENTRIES, list(columns.key_names), unique=True)
    db.op.create_table(
        _FIELDS,
        SqlColumn("position", BigInteger, primary_key=True),
        *(SqlColumn(name, UnicodeText, nullable=False) for name in ("part", "name", "type", "column")),
        SqlColumn("required", BigInteger, nullable=False),
    )
    _note(db, 0, [*(("key", c) for c in columns.key), *(("value", c) for c in columns.value)])
    return columns


def _evolve(
    storage: str,
    db: dataset.Database,
    stored: Sequence[_Stored],
    key: Sequence[Field],
    value: Sequence[Field],
) -> Columns:
    old_key = [entry.column for entry in stored if entry.part == "key"]
    old_value = {entry.column.field.name: entry.column for entry in stored if entry.part == "value"}
    _check_key(storage, [column.field for column in old_key], key)
    _check_value(storage, [column.field for column in old_value.values()], value)
    added = [field for field in value if field.name not in old_value]
    for i, field in enumerate(added, len(old_value) + 1):
        old_value[field.name] = column = _value_column(i, field)
        db.op.add_column(ENTRIES, _sql_value(column))
    _note(db, len(stored), [("value", old_value[field.name]) for field in added])
    return Columns(
        tuple(attrs.evolve(column, field=field) for column, field in zip(old_key, key, strict=True)),
        tuple(attrs.evolve(old_value[field.name], field=field) for field in value),
    )


def _check_key(storage: str, old: Sequence[Field], new: Sequence[Field]) -> None:
    if list(map(_shape, old)) != list(map(_shape, new)):
        raise StorageError(
            f"{storage}: the file has KEY ({_listed(old)}), the declaration has KEY ({_listed(new)})",
            hint="The key of a table with rows cannot change: declare a storage of another name and copy "
            "the rows over, or declare the old KEY again",
        )


def _check_value(storage: str, old: Sequence[Field], new: Sequence[Field]) -> None:
    had, has = {field.name: field for field in old}, {field.name: field for field in new}
    for name in {**had, **has}:
        before, after = had.get(name), has.get(name)
        if before is not None and after is not None:
            if _shape(before) != _shape(after):
                raise StorageError(
                    f"{storage}: the file has VALUE field {_listed([before])}, the declaration has "
                    f"{_listed([after])}",
                    hint=f"Declare a field of another name, and {name} as it was",
                )
        elif (before or after or new[0]).required:
            what = "adds" if before is None else "drops"
            raise StorageError(
                f"{storage}: the declaration {what} VALUE field {name}, which is NOT NULL",
                hint="Only fields that may be NULL come and go: the rows that one version writes, the "
                "other reads",
            )


def _shape(field: Field) -> tuple[str, str, bool]:
    # Lengths are checked before a row gets here, and may change.
    return field.name, field.type, field.required


def _listed(fields: Iterable[Field]) -> str:
    return ", ".join(str(attrs.evolve(field, max_length=None)) for field in fields)


def _read(db: dataset.Database) -> list[_Stored]:
    stored = []
    rows: Iterable[Mapping[str, Any]] = db[_FIELDS].find(order_by="position")
    for row in rows:
        field = Field(row["name"], row["type"], required=bool(row["required"]))
        flag = f"{row['column']}_set" if row["part"] == "key" and not field.required else None
        stored.append(_Stored(row["part"], Column(field, row["column"], flag)))
    return stored


def _note(db: dataset.Database, before: int, columns: Sequence[tuple[str, Column]]) -> None:
    rows: list[dict[str, int | str]] = [
        {
            "position": i,
            "part": part,
            "name": column.field.name,
            "type": str(column.field.type),
            "required": int(column.field.required),
            "column": column.name,
        }
        for i, (part, column) in enumerate(columns, before + 1)
    ]
    if rows:
        db[_FIELDS].insert_many(rows, ensure=False)


def _key_column(i: int, field: Field) -> Column:
    name = f"k{i}_{field.name}"
    return Column(field, name, None if field.required else f"{name}_set")


def _value_column(i: int, field: Field) -> Column:
    return Column(field, f"v{i}_{field.name}")


def _sql_type(field: Field) -> TypeEngine[Any]:
    if field.type in _TEXTS:
        return UnicodeText()
    return LargeBinary() if field.type in _BLOBS else BigInteger()


def _sql_value(column: Column) -> SqlColumn[Any]:
    return SqlColumn(column.name, _sql_type(column.field), nullable=True)

"""Which record has the values of a UNIQUE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statehold.events import _layout as layout
from statehold.events._errors import ConflictError
from statehold.events._shape import decode, encode
from statehold.events._uniques import Unique
from statehold.rows import Columns, RowKeyError
from statehold.sdk import SchemaError

if TYPE_CHECKING:
    from statehold.events._pending import Pending
    from statehold.events._reader import Reader


def holder(reader: Reader, workspace: int, unique: Unique, values: Columns) -> int | None:
    """Return the id of the active record that has *values*, None if there is none.

    Raises:
        SchemaError: a value is no key.

    """
    return _holder(reader, unique.key(workspace, values), unique, values)


def _holder(reader: Reader, key: tuple[Columns, Columns], unique: Unique, values: Columns) -> int | None:
    try:
        row = reader.get(*key)
    except RowKeyError as error:
        raise SchemaError(
            f"{unique.table}: {unique.shown(values)}: expected unique values that have an order: {error}",
            storage=unique.table,
            field=", ".join(unique.fields),
            expected="values that have an order",
            got=values,
        ) from error
    if row is None:
        return None
    record: int = decode(row)
    # A version of the app without the UNIQUE may have changed the record, and left the row.
    found = reader.get((layout.RECORDS, key[0][1]), (record,))
    return record if found is not None and unique.values_of(decode(found)) == values else None


def hold(unit: Pending, workspace: int, unique: Unique, values: Columns, *, record: int) -> None:
    """Let a record have unique values.

    Raises:
        ConflictError: another active record has them.

    """
    key = unique.key(workspace, values)
    other = _holder(unit, key, unique, values)
    if other is not None and other != record:
        raise ConflictError(
            f"{unique.table}: workspace {workspace} has a record with {unique.shown(values)} already, "
            f"record {other}",
            table=unique.table,
            record=other,
            fields=unique.fields,
        )
    unit.put(*key, encode(record))


def let_go(unit: Pending, workspace: int, unique: Unique, values: Columns, *, record: int) -> None:
    """Let a record no longer have unique values."""
    key = unique.key(workspace, values)
    row = unit.get(*key)
    if row is not None and decode(row) == record:
        unit.remove(*key)

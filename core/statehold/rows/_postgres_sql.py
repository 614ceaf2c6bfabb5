"""What the driver says to PostgreSQL, and what its errors mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from statehold.rows._errors import (
    RowStoreError,
    StoreBusyError,
    StoreDamagedError,
    StoreFullError,
    StoreMissingError,
    StoreReadOnlyError,
    StoreUnavailableError,
)
from statehold.rows._options import Durability

if TYPE_CHECKING:
    import psycopg

#: Makes the table of stores; under the lock, because IF NOT EXISTS alone can fail when two make it at once.
SCHEMA: Final = (
    "SELECT pg_advisory_xact_lock(6000955044)",
    """
    CREATE TABLE IF NOT EXISTS statehold_stores (
        name   text COLLATE "C" PRIMARY KEY,
        number integer GENERATED ALWAYS AS IDENTITY,
        holds  bigint NOT NULL DEFAULT 0
    )
    """,
)
SETTINGS: Final[dict[Durability, str]] = {
    "full": "SET synchronous_commit = on",
    "relaxed": "SET synchronous_commit = off",
}
STORES: Final = "SELECT to_regclass('statehold_stores') IS NOT NULL"
NAMES: Final = "SELECT name FROM statehold_stores"
NUMBER: Final = "SELECT number FROM statehold_stores WHERE name = %s"
ADD: Final = "INSERT INTO statehold_stores (name) VALUES (%s) ON CONFLICT DO NOTHING RETURNING number"
FORGET: Final = "DELETE FROM statehold_stores WHERE name = %s RETURNING number"

_TABLE: Final = (
    'CREATE TABLE "{table}" (partition bytea NOT NULL, clustering bytea NOT NULL, value bytea NOT NULL,'
    " expires bigint, PRIMARY KEY (partition, clustering))"
)
_INDEX: Final = 'CREATE INDEX ON "{table}" (expires) WHERE expires IS NOT NULL'
_DROP: Final = 'DROP TABLE "{table}"'
_GET: Final = 'SELECT value, expires FROM "{table}" WHERE partition = %s AND clustering = %s'
_GET_MANY: Final = (
    "SELECT value, expires FROM unnest(%s::bytea[], %s::bytea[]) WITH ORDINALITY AS asked (p, c, place)"
    ' LEFT JOIN "{table}" ON partition = p AND clustering = c ORDER BY place'
)
_READ: Final = (
    'SELECT clustering, value FROM "{table}" WHERE partition = %s AND clustering >= %s AND clustering < %s'
    " AND (expires IS NULL OR expires > %s) ORDER BY clustering {order} LIMIT %s"
)
_PUT: Final = (
    'INSERT INTO "{table}" AS there (partition, clustering, value, expires) VALUES (%s, %s, %s, %s)'
    " ON CONFLICT (partition, clustering) DO UPDATE SET value = EXCLUDED.value, expires = EXCLUDED.expires"
)
_PUT_ALL: Final = (
    'INSERT INTO "{table}" (partition, clustering, value, expires)'
    " SELECT * FROM unnest(%s::bytea[], %s::bytea[], %s::bytea[], %s::bigint[])"
    " ON CONFLICT (partition, clustering) DO UPDATE SET value = EXCLUDED.value, expires = EXCLUDED.expires"
)
_DELETE: Final = 'DELETE FROM "{table}" WHERE partition = %s AND clustering = %s'
_DELETE_ALL: Final = (
    'DELETE FROM "{table}" USING unnest(%s::bytea[], %s::bytea[]) AS gone (p, c)'
    " WHERE partition = p AND clustering = c"
)
_IF_ABSENT: Final = _PUT + " WHERE there.expires <= %s"
_SWAP: Final = (
    'UPDATE "{table}" SET value = %s, expires = %s WHERE partition = %s AND clustering = %s AND value = %s'
    " AND (expires IS NULL OR expires > %s)"
)
_COMPARE_AND_DELETE: Final = (
    'DELETE FROM "{table}" WHERE partition = %s AND clustering = %s AND value = %s'
    " AND (expires IS NULL OR expires > %s)"
)
_SWEEP: Final = (
    'DELETE FROM "{table}" WHERE (partition, clustering) IN (SELECT partition, clustering FROM "{table}"'
    " WHERE expires <= %s ORDER BY expires LIMIT %s FOR UPDATE SKIP LOCKED)"
)


@attrs.frozen(kw_only=True)
class Statements:
    """The statements for the table of one store."""

    table: str
    create: str
    index: str
    drop: str
    get: str
    get_many: str
    read: str
    read_back: str
    put: str
    put_all: str
    delete: str
    delete_all: str
    if_absent: str
    swap: str
    compare_and_delete: str
    sweep: str


def statements(number: int) -> Statements:
    """Return the statements for the store of a number."""
    table = f"statehold_rows_{number}"
    return Statements(
        table=table,
        create=_TABLE.format(table=table),
        index=_INDEX.format(table=table),
        drop=_DROP.format(table=table),
        get=_GET.format(table=table),
        get_many=_GET_MANY.format(table=table),
        read=_READ.format(table=table, order="ASC"),
        read_back=_READ.format(table=table, order="DESC"),
        put=_PUT.format(table=table),
        put_all=_PUT_ALL.format(table=table),
        delete=_DELETE.format(table=table),
        delete_all=_DELETE_ALL.format(table=table),
        if_absent=_IF_ABSENT.format(table=table),
        swap=_SWAP.format(table=table),
        compare_and_delete=_COMPARE_AND_DELETE.format(table=table),
        sweep=_SWEEP.format(table=table),
    )


def explained(error: psycopg.Error, name: str, *, unknown: bool = False) -> RowStoreError:
    """Return the error of ours that says what *error* of PostgreSQL means for the store *name*."""
    state = error.sqlstate or ""
    said = f"store {name!r}: {str(error).strip() or type(error).__name__}"
    if state == "53100":
        return StoreFullError(said, hint="nothing of this batch was written; make room and write again")
    if state in ("25006", "42501"):
        return StoreReadOnlyError(said, hint="is the server a standby, and may the user write?")
    if state in ("XX001", "XX002"):
        return StoreDamagedError(said, hint="keep the server's files; restore from a backup")
    if state == "42P01":
        return StoreMissingError(said, hint="it was removed by another process")
    if state in ("40001", "40P01", "55P03"):
        return StoreBusyError(said)
    if _is_connection(error, state):
        hint = "does the server run, and has it the role, the password and the database?"
        return StoreUnavailableError(said, unknown=unknown, hint=hint)
    return RowStoreError(said)


def _is_connection(error: psycopg.Error, state: str) -> bool:
    import psycopg  # noqa: PLC0415 - an optional dependency

    return state[:2] in ("08", "53", "57", "58") or (
        not state and isinstance(error, psycopg.OperationalError)
    )

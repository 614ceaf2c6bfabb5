from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, or_, select, update
from sqlalchemy import Table as SqlTable

from statehold.sdk import UNSET, Intent, Key, StorageContext, StorageError, Value, merge
from statehold_aos._databases import Databases, Lease
from statehold_aos._storage._opening import lease, place_of
from statehold_aos.database import Database, NotExistError
from statehold_aos.database._schema import KEYS, LATER, SEED, TABLES, WORKSPACE
from statehold_aos.database._statements import upsert

#: Rows of a page of READ; nothing is held between pages.
_PAGE: Final = 256
_KINDS: Final = {int: "int64", str: "text", bytes: "bytes"}


class AosTable:
    """A table of the database as a storage: the rows of each workspace are its own."""

    def __init__(self, ctx: StorageContext, databases: Databases, name: str) -> None:
        self.name: Final = ctx.storage
        self._table: Final[SqlTable] = TABLES[name]
        self._keys: Final = KEYS[name]
        self._fields: Final = tuple(field.name for field in ctx.value_fields)
        check_fields(ctx, name)
        self._make_key: Final[Callable[..., Key]] = ctx.key_class
        self._make_value: Final[Callable[..., Value]] = ctx.value_class
        columns = self._table.c
        self._where: Final = and_(
            *(columns[key] == bindparam(f"k_{key}") for key in (WORKSPACE, *self._keys))
        )
        self._get: Final = select(*(columns[field] for field in self._fields)).where(self._where)
        self.place: Final = place_of(ctx)
        self._lease: Final[Lease] = lease(ctx, self.place, databases)

    @property
    def database(self) -> Database:
        """The database that the storage stands on."""
        return self._lease.database

    def get(self, key: Key) -> Value | None:
        """Return the row, or None."""
        with self._telling("GET"):
            row = self.database.read(lambda one: one.execute(self._get, self._key_of(key)).first())
        return None if row is None else self._make_value(*row)

    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        """Return one answer per key, in order, all of one moment."""

        def work(connection: Connection) -> list[Any]:
            return [connection.execute(self._get, self._key_of(key)).first() for key in keys]

        with self._telling("GETBATCH"):
            rows = self.database.read(work)
        return [None if row is None else self._make_value(*row) for row in rows]

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Yield the rows whose keys begin with *key*, in their order; between pages nothing is held."""
        given = [(name, value) for name in self._keys if (value := getattr(key, name)) is not UNSET]
        columns = self._table.c
        rest = [columns[name] for name in self._keys[len(given) :]]
        statement = select(*(columns[name] for name in (*self._keys, *self._fields)))
        statement = statement.where(columns[WORKSPACE] == key.WSID)
        statement = statement.where(*(columns[name] == value for name, value in given))
        statement = statement.order_by(*rest).limit(_PAGE)
        page, width = statement, len(self._keys)
        while True:
            with self._telling("READ"):
                rows = self._page(page)
            for row in rows:
                yield self._make_key(key.WSID, *row[:width]), self._make_value(*row[width:])
            if len(rows) < _PAGE or not rest:
                return
            page = statement.where(_after(rest, rows[-1][len(given) : width]))

    def value_to_insert(self, key: Key, value: Value) -> Value:  # noqa: ARG002 - the protocol's form
        """Return *value*."""
        return value

    def value_to_update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> Value:  # noqa: ARG002
        """Return *existing* with *changes*."""
        return merge(existing, changes)

    def validate(self, items: Sequence[Intent]) -> None:
        """Raise StorageError for what no column takes."""
        for item in items:
            self._row(item)

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Write all rows in one transaction; an UPDATE of a row that is not there raises `NotExistError`."""
        rows = [(item.is_new, self._row(item)) for item in items]
        if not rows:
            return
        with self._telling("apply"):
            self.database.write(lambda connection: self._write(connection, rows))

    def probe(self) -> None:
        """Raise if the database does not answer."""
        with self._telling("probe"):
            self.database.read(lambda one: one.execute(select(self._table).limit(1)).first())

    def free(self) -> None:
        """Give the database back; the last one closes it."""
        self._lease.release()

    def _page(self, statement: Any) -> Sequence[Any]:
        return self.database.read(lambda connection: connection.execute(statement).all())

    def _write(self, connection: Connection, rows: Sequence[tuple[bool, dict[str, Any]]]) -> None:
        others = [c.name for c in self._table.c if c.name not in (WORKSPACE, *self._keys)]
        put = upsert(connection, self._table, (WORKSPACE, *self._keys), others)
        nothing = dict.fromkeys(others)
        change = update(self._table).where(self._where).values({n: bindparam(f"v_{n}") for n in self._fields})
        for is_new, row in rows:
            if is_new:
                connection.execute(put, {**nothing, **row})
                continue
            given = {f"k_{name}": row[name] for name in (WORKSPACE, *self._keys)}
            given |= {f"v_{name}": row[name] for name in self._fields}
            if not connection.execute(change, given).rowcount:
                key = ", ".join(f"{name} {row[name]!r}" for name in (WORKSPACE, *self._keys))
                raise NotExistError(f"{self.name}: an UPDATE of what does not exist: {key}")

    def _row(self, item: Intent) -> dict[str, Any]:
        row: dict[str, Any] = {WORKSPACE: item.key.WSID}
        row |= {name: getattr(item.key, name) for name in self._keys}
        row |= {name: getattr(item.value, name) for name in self._fields}
        for name, value in row.items():
            if type(value) not in (int, str, bytes, type(None)):
                raise StorageError(f"{self.name}: {name} cannot be stored: a {type(value).__name__}")
        return row

    def _key_of(self, key: Key) -> dict[str, Any]:
        return {"k_workspace": key.WSID, **{f"k_{name}": getattr(key, name) for name in self._keys}}

    @contextmanager
    def _telling(self, operation: str) -> Generator[None]:
        """Say which storage and operation an error came from, where the error does not."""
        try:
            yield
        except StorageError as error:
            # Those whose changes failed together have the same error.
            if (note := f"{operation} of {self.name}") not in getattr(error, "__notes__", ()):
                error.add_note(note)
            raise
        except (UnicodeError, OverflowError, ValueError) as error:
            raise StorageError(f"{self.name}: {operation} failed: {error}") from error


def check_fields(ctx: StorageContext, name: str) -> None:
    """Raise StorageError unless the declared VALUE is made of fields that the table has."""
    known = {**SEED[name], **LATER[name]}
    for field in ctx.value_fields:
        kind = known.get(field.name) if field.name not in KEYS[name] else None
        if kind is None or field.type != _KINDS[kind] or field.repeated or field.required:
            there = ", ".join(f"{n} {_KINDS[k]}" for n, k in known.items() if n not in KEYS[name])
            raise StorageError(
                f"{ctx.storage}: its VALUE has {field}, and the table has {there}",
                hint="Declare some of these, without NOT NULL, or no VALUE at all",
            )


def _after(columns: Sequence[Any], row: Sequence[Any]) -> Any:
    """Return the condition that a row comes after *row*."""
    return or_(
        *(
            and_(*(one == value for one, value in zip(columns[:n], row, strict=False)), columns[n] > row[n])
            for n in range(len(columns))
        )
    )

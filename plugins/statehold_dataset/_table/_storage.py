from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import attrs
import dataset
from sqlalchemy.exc import SQLAlchemyError

from statehold.sdk import UNSET, FreedError, Intent, Key, StorageContext, StorageError, Value, merge
from statehold_dataset import TableConfig
from statehold_dataset._table._columns import Columns
from statehold_dataset._table._connect import connect
from statehold_dataset._table._readers import Readers
from statehold_dataset._table._schema import bring_up, driver_connection
from statehold_dataset._table._statements import Statements

FILE: Final = "table.db"

# A page of READ ends with the first of these; nothing is held between pages.
_PAGE_ROWS: Final = 512
_PAGE_BYTES: Final = 1_000_000
_STEP: Final = 32


@attrs.define(eq=False, kw_only=True)
class Table:
    """One partition's durable rows.

    Any number of threads may use it: those that write wait for each other, those that read do not wait
    for them. Another version of the app may have the same file open.

    Attributes:
        name: the storage's qualified name.

    """

    name: Final[str]
    _db: dataset.Database
    _writer: sqlite3.Connection
    _readers: Readers
    _statements: Statements
    _get: str
    _changes: Mapping[bool, str]
    _key_width: int
    _write_key: Callable[[Key], tuple[object, ...]]
    _write_value: Callable[[Value], tuple[object, ...]]
    _read_key: Callable[[Sequence[Any]], Key]
    _read_value: Callable[[Sequence[Any]], Value]
    _sized: tuple[int, ...]
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _freed: bool = attrs.field(default=False, init=False)

    @classmethod
    def open(cls, ctx: StorageContext) -> Table:
        """Open the file in the storage's data folder, and make it fit KEY and VALUE.

        Raises:
            StorageError: nothing is declared, the file has another schema, or it cannot be opened.

        """
        config: TableConfig = ctx.config or TableConfig()
        path = ctx.data_folder / FILE
        db = dataset.Database(
            "sqlite:///" + FILE,
            engine_kwargs={"creator": partial(connect, path, config.Synchronous)},
            sqlite_wal_mode=False,
        )
        try:
            columns = bring_up(ctx.storage, db, ctx.key, ctx.value_fields)
            return cls._of(ctx, db, columns, Readers(ctx.storage, _reader(path, config), config.Readers))
        except (sqlite3.Error, SQLAlchemyError, ValueError) as error:  # ValueError: a type that is none
            db.close()
            raise StorageError(f"{ctx.storage}: cannot open {path}: {_reason(error)}") from error
        except BaseException:
            db.close()
            raise

    @classmethod
    def _of(cls, ctx: StorageContext, db: dataset.Database, columns: Columns, readers: Readers) -> Table:
        statements = Statements(columns)
        return cls(
            name=ctx.storage,
            db=db,
            writer=driver_connection(db),
            readers=readers,
            statements=statements,
            get=statements.get(),
            changes={True: statements.insert(), False: statements.update()},
            key_width=len(columns.key_names),
            write_key=columns.key_writer(),
            write_value=columns.value_writer(),
            read_key=columns.key_reader(ctx.key_class),
            read_value=columns.value_reader(ctx.value_class),
            sized=columns.sized(),
        )

    def get(self, key: Key) -> Value | None:
        """Return the row's value, or None."""
        readers = self._readers
        connection = readers.take()
        try:
            row = connection.execute(self._get, self._write_key(key)).fetchone()
        except sqlite3.Error as error:
            raise self._failed("GET", error) from error
        finally:
            readers.idle.put(connection)
        return None if row is None else self._read_value(row)

    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        """Return one answer per key, in order, all of one moment."""
        with self._reading("GETBATCH") as connection:
            connection.execute("BEGIN")
            try:
                execute, sql, write_key = connection.execute, self._get, self._write_key
                rows = [execute(sql, write_key(key)).fetchone() for key in keys]
            finally:
                connection.execute("COMMIT")
        read_value = self._read_value
        return [None if row is None else read_value(row) for row in rows]

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Yield the rows whose keys begin with *key*, in key order, NULL first.

        Rows are fetched in pages, each of one moment; between them nothing is held, so the caller may
        take any time, and stop at any row.
        """
        prefix = [column for column in self._write_key(key) if column is not UNSET]
        width, read_key, read_value = self._key_width, self._read_key, self._read_value
        after: list[Any] = []
        more = True
        while more:
            sql = self._statements.read(len(prefix), further=bool(after))
            rows, more = self._page(sql, [*prefix, *after])
            for row in rows:
                yield read_key(row[:width]), read_value(row[width:])
            if more:
                after = list(rows[-1][len(prefix) : width])

    def value_to_insert(self, key: Key, value: Value) -> Value:  # noqa: ARG002
        """Return *value*."""
        return value

    def value_to_update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> Value:  # noqa: ARG002
        """Return *existing* with *changes*."""
        return merge(existing, changes)

    def validate(self, items: Sequence[Intent]) -> None:
        """Raise StorageError for a row that is too large for SQLite."""
        limit = self._writer.getlimit(sqlite3.SQLITE_LIMIT_LENGTH)
        for item in items:
            size = sum(len(field) for field in self._row(item) if isinstance(field, (str, bytes)))
            if size > limit:
                raise StorageError(f"{self.name}: a row has {size:,} bytes or more, SQLite takes {limit:,}")

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Write all rows in one transaction; when it returns they are durable."""
        with self._lock:
            if self._freed:
                raise FreedError(f"{self.name} was used after it had been freed")
            try:
                with _transaction(self._writer) as writer:
                    for is_new, group in groupby(items, lambda item: item.is_new):
                        writer.executemany(self._changes[is_new], map(self._row, group))
            except (sqlite3.Error, OverflowError, UnicodeError) as error:
                raise self._failed("apply", error) from error

    def probe(self) -> None:
        """Raise StorageError if the file cannot be read."""
        with self._reading("probe") as connection:
            connection.execute("SELECT 1 FROM entries LIMIT 1").fetchone()

    def free(self) -> None:
        """Close every connection; the last one to close a file takes its log with it."""
        self._readers.close()
        with self._lock:
            self._freed = True
            self._db.close()

    def _row(self, item: Intent) -> tuple[object, ...]:
        return self._write_key(item.key) + self._write_value(item.value)

    def _page(self, sql: str, parameters: Sequence[Any]) -> tuple[list[tuple[Any, ...]], bool]:
        """Return the next rows, and whether there may be more."""
        rows: list[tuple[Any, ...]] = []
        size = 0
        with self._reading("READ") as connection:
            cursor = connection.execute(sql, parameters)
            try:
                while len(rows) < _PAGE_ROWS and size < _PAGE_BYTES:
                    step = cursor.fetchmany(_STEP)
                    rows += step
                    if len(step) < _STEP:
                        return rows, False
                    size += sum(len(row[i]) for row in step for i in self._sized if row[i] is not None)
            finally:
                cursor.close()
        return rows, True

    @contextmanager
    def _reading(self, operation: str) -> Generator[sqlite3.Connection]:
        connection = self._readers.take()
        try:
            yield connection
        except sqlite3.Error as error:
            raise self._failed(operation, error) from error
        finally:
            self._readers.idle.put(connection)

    def _failed(self, operation: str, error: Exception) -> StorageError:
        return StorageError(f"{self.name}: {operation} failed: {_reason(error)}")


@contextmanager
def _transaction(writer: sqlite3.Connection) -> Generator[sqlite3.Connection]:
    if writer.in_transaction:
        # A disk that was full or broken kept an earlier one from being rolled back.
        writer.execute("ROLLBACK")
    writer.execute("BEGIN IMMEDIATE")
    try:
        yield writer
        writer.execute("COMMIT")
    except BaseException:
        if writer.in_transaction:
            with suppress(sqlite3.Error):  # the first error is the one to tell
                writer.execute("ROLLBACK")
        raise


def _reader(path: Path, config: TableConfig) -> Callable[[], sqlite3.Connection]:
    return partial(connect, path, config.Synchronous, read_only=True)


def _reason(error: Exception) -> str:
    cause = error.__cause__ if isinstance(error, SQLAlchemyError) and error.__cause__ else error
    return str(cause) or type(cause).__name__

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from statehold.rows import _sqlite_file as sqlite_file
from statehold.rows._changes import Outcome
from statehold.rows._driver import BaseDriver
from statehold.rows._errors import StoreClosedError
from statehold.rows._group import GroupCommit, Request
from statehold.rows._hold import hold
from statehold.rows._keys import Columns, encode
from statehold.rows._options import Durability
from statehold.rows._pool import Pool
from statehold.rows._steps import ByteKey, Entry, Step, decide
from statehold.rows._store import BaseStore
from statehold.rows._time import SystemClock
from statehold.sdk import Clock

_GET: Final = "SELECT value, expires FROM rows WHERE partition = ? AND clustering = ?"
_BETWEEN: Final = (
    "SELECT clustering, value FROM rows WHERE partition = ? AND clustering >= ? AND clustering < ?"
    " AND (expires IS NULL OR expires > ?) ORDER BY clustering "
)
_READ: Final = {False: _BETWEEN + "ASC LIMIT ?", True: _BETWEEN + "DESC LIMIT ?"}
#: Changes the row where it is: REPLACE would take it out first.
_PUT_EXPIRING: Final = (
    "INSERT INTO rows (partition, clustering, value, expires) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (partition, clustering) DO UPDATE SET value = excluded.value, expires = excluded.expires"
)
_PUT: Final = _PUT_EXPIRING.replace("(?, ?, ?, ?)", "(?, ?, ?, NULL)")
_DELETE: Final = "DELETE FROM rows WHERE partition = ? AND clustering = ?"
_SWEEP: Final = (
    "DELETE FROM rows WHERE (partition, clustering) IN"
    " (SELECT partition, clustering FROM rows WHERE expires <= ? ORDER BY expires LIMIT ?)"
)
#: In these SQLite gets what is bytes. Of each parameter that is bytes, the module of Python looks for an
#: adapter, by way of two AttributeErrors, which takes longer than to write the row; of these it does not.
_blob: Final = bytearray
#: What is wrong with the store, not with one batch of a group.
_OF_ALL: Final = frozenset(
    (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_READONLY,
    )
)


class _Transaction:
    """What the batches of one group have changed so far, not yet in the file."""

    def __init__(self, cursor: sqlite3.Cursor, now: int) -> None:
        self.cursor = cursor
        self.now = now
        self.changed: dict[ByteKey, Entry | None] = {}

    def look(self, key: ByteKey) -> Entry | None:
        if key in self.changed:
            return self.changed[key]
        entry: Entry | None = self.cursor.execute(_GET, (_blob(key[0]), _blob(key[1]))).fetchone()
        return entry

    def flush(self) -> None:
        puts, expiring, deletes = [], [], []
        for (partition, clustering), entry in self.changed.items():
            if entry is None:
                deletes.append((_blob(partition), _blob(clustering)))
            elif entry[1] is None:
                puts.append((_blob(partition), _blob(clustering), _blob(entry[0])))
            else:
                expiring.append((_blob(partition), _blob(clustering), _blob(entry[0]), entry[1]))
        for statement, rows in ((_PUT, puts), (_PUT_EXPIRING, expiring), (_DELETE, deletes)):
            if rows:
                self.cursor.executemany(statement, rows)


_Work: TypeAlias = Callable[[_Transaction], object]


class SqliteStore(BaseStore):
    """A row store in a file of SQLite: one writer for all threads, and readers beside it."""

    def __init__(
        self, path: Path, *, name: str, clock: Clock, durability: Durability, patience: float, readers: int
    ) -> None:
        super().__init__(name=name, clock=clock)
        self._path = path

        def connect(*, writes: bool = False) -> sqlite3.Cursor:
            return sqlite_file.connect(path, durability=durability, patience=patience, writes=writes).cursor()

        self._writer = connect(writes=True)
        self._group: GroupCommit[_Work] = GroupCommit(self._commit, closed=self._closed_error)
        self._readers = Pool(
            connect, lambda cursor: cursor.connection.close(), size=readers, closed=self._closed_error
        )

    def sweep(self, *, limit: int = 1000) -> int:
        """Remove up to *limit* rows whose time to live is over, and return how many there were."""

        def work(transaction: _Transaction) -> int:
            transaction.flush()
            transaction.changed.clear()
            return transaction.cursor.execute(_SWEEP, (transaction.now, limit)).rowcount

        count: int = self._group.do(work)
        return count

    def get(self, partition: Columns, clustering: Columns = ()) -> bytes | None:
        """Return the value of a row, or None if it is not there."""
        # As `BaseStore.get` with `_get`, in one: the call between them would be seen beside SQLite.
        key = _blob(encode(partition)), _blob(encode(clustering))
        cursor = self._readers.take()
        try:
            entry = cursor.execute(_GET, key).fetchone()
        except sqlite3.Error as error:
            raise sqlite_file.explained(error, self._path) from error
        finally:
            self._readers.give(cursor)
        if entry is None:
            return None
        value: bytes = entry[0]
        return value if entry[1] is None or entry[1] > self._now() else None

    def _hold(self) -> Callable[[], None]:
        return hold(self._path)

    def _get(self, key: ByteKey) -> Entry | None:
        cursor = self._readers.take()
        try:
            entry: Entry | None = cursor.execute(_GET, (_blob(key[0]), _blob(key[1]))).fetchone()
        except sqlite3.Error as error:
            raise sqlite_file.explained(error, self._path) from error
        finally:
            self._readers.give(cursor)
        return entry

    def _get_many(self, keys: Sequence[ByteKey]) -> list[Entry | None]:
        cursor = self._readers.take()
        try:
            cursor.execute("BEGIN")
            try:
                return [
                    cursor.execute(_GET, (_blob(partition), _blob(clustering))).fetchone()
                    for partition, clustering in keys
                ]
            finally:
                cursor.execute("COMMIT")
        except sqlite3.Error as error:
            raise sqlite_file.explained(error, self._path) from error
        finally:
            self._readers.give(cursor)

    def _piece(
        self, partition: bytes, low: bytes, high: bytes, count: int, *, reverse: bool
    ) -> Sequence[tuple[bytes, bytes]]:
        cursor = self._readers.take()
        try:
            given = _blob(partition), _blob(low), _blob(high), self._now(), count
            return cursor.execute(_READ[reverse], given).fetchall()
        except sqlite3.Error as error:
            raise sqlite_file.explained(error, self._path) from error
        finally:
            self._readers.give(cursor)

    def _write(self, batch: Sequence[Step]) -> Outcome:
        def work(transaction: _Transaction) -> Outcome:
            after, refused = decide(batch, transaction.look, transaction.now)
            if not refused:
                transaction.changed.update(after)
            return Outcome(refused)

        outcome: Outcome = self._group.do(work)
        return outcome

    def _commit(self, group: Sequence[Request[_Work]]) -> None:
        """Write a group in one transaction; if that fails by one of them, each in its own."""
        try:
            self._transact(group)
        except Exception as error:  # noqa: BLE001 - given to those whose batch it was
            alone = len(group) == 1 or sqlite_file.code(error) in _OF_ALL
            for request in group:
                if alone:
                    request.fail(self._explained(error))
                    continue
                try:
                    self._transact([request])
                except Exception as own:  # noqa: BLE001 - likewise
                    request.fail(self._explained(own))

    def _transact(self, group: Sequence[Request[_Work]]) -> None:
        cursor, connection = self._writer, self._writer.connection
        results: list[object] = []
        committing = False
        try:
            cursor.execute("BEGIN IMMEDIATE")
            transaction = _Transaction(cursor, self._now())
            results += [request.work(transaction) for request in group]
            transaction.flush()
            committing = True
            cursor.execute("COMMIT")
        except BaseException as error:
            if connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    cursor.execute("ROLLBACK")
            if isinstance(error, Exception) or not committing or connection.in_transaction:
                raise
            self._finish(group, results)  # Ctrl-C came after the commit
            raise
        self._finish(group, results)

    def _finish(self, group: Sequence[Request[_Work]], results: Sequence[object]) -> None:
        for request, result in zip(group, results, strict=True):
            request.finish(result)

    def _explained(self, error: Exception) -> Exception:
        explained = sqlite_file.explained(error, self._path)
        if explained is not error:
            explained.__cause__ = error
        return explained

    def _check_open(self) -> None:
        self._readers.check_open()

    def _closed_error(self) -> StoreClosedError:
        return StoreClosedError(f"store {self._name!r} has been closed")

    def _close(self) -> None:
        self._group.close()
        self._readers.close()
        self._writer.connection.close()


class SqliteDriver(BaseDriver[SqliteStore]):
    """Stores in a folder, each a file of SQLite `<name>.rows` with its log beside it.

    Args:
        folder: where the files lie; it is there.
        durability: `full`: what was acknowledged survives a power cut; `relaxed`: it survives the end of the
            process, and after a power cut the last commits may be gone, each as a whole.
        clock: what times to live are measured by; without it, the machine's.
        patience: seconds to wait for another process that writes to the same file.
        readers: how many connections read at a time, per store.

    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        durability: Durability = "full",
        clock: Clock | None = None,
        patience: float = 10.0,
        readers: int = 8,
    ) -> None:
        super().__init__()
        self._folder = Path(folder)
        self._durability = durability
        self._clock = clock or SystemClock()
        self._patience = patience
        self._readers = readers

    def _make(self, name: str) -> None:
        sqlite_file.create(self._path(name))

    def _open(self, name: str) -> SqliteStore:
        return SqliteStore(
            self._path(name),
            name=name,
            clock=self._clock,
            durability=self._durability,
            patience=self._patience,
            readers=self._readers,
        )

    def _names(self) -> list[str]:
        return [path.name.removesuffix(".rows") for path in self._folder.glob("[!.]*.rows")]

    def _remove(self, name: str) -> None:
        sqlite_file.remove(self._path(name))

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.rows"

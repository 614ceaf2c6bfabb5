from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from statehold.rows._changes import Outcome
from statehold.rows._driver import BaseDriver
from statehold.rows._errors import (
    RowStoreError,
    StoreBusyError,
    StoreClosedError,
    StoreExistsError,
    StoreMissingError,
)
from statehold.rows._options import Durability
from statehold.rows._pool import Pool
from statehold.rows._postgres_hold import KEEPALIVES, Hold, is_stale, refuse_held
from statehold.rows._postgres_sql import (
    ADD,
    FORGET,
    NAMES,
    NUMBER,
    SCHEMA,
    SETTINGS,
    STORES,
    explained,
    statements,
)
from statehold.rows._steps import ByteKey, Entry, Step, expiry
from statehold.rows._store import BaseStore
from statehold.rows._time import SystemClock
from statehold.sdk import UNSET, Clock

if TYPE_CHECKING:
    import psycopg

    Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

_TRIES: Final = 5
Result = TypeVar("Result")


class PostgresStore(BaseStore):
    """A row store in a table of PostgreSQL; the server itself groups commits."""

    def __init__(
        self,
        number: int,
        *,
        name: str,
        clock: Clock,
        connect: Callable[..., Connection],
        connections: int,
    ) -> None:
        super().__init__(name=name, clock=clock)
        self._sql = statements(number)
        self._connect = connect
        self._held: Hold | None = None
        self._pool = Pool(
            connect, lambda connection: connection.close(), size=connections, closed=self._closed_error
        )

    def sweep(self, *, limit: int = 1000) -> int:
        """Remove up to *limit* rows whose time to live is over, and return how many there were."""
        now = self._now()
        return self._with(lambda connection: connection.execute(self._sql.sweep, (now, limit)).rowcount)

    def _hold(self) -> Callable[[], None]:
        self._held = Hold(partial(self._connect, **KEEPALIVES), self._name, self._sql.table)
        return self._held.release

    def _get(self, key: ByteKey) -> Entry | None:
        def get(connection: Connection) -> Entry | None:
            entry: Entry | None = connection.execute(self._sql.get, key, binary=True).fetchone()
            return entry

        return self._with(get)

    def _get_many(self, keys: Sequence[ByteKey]) -> list[Entry | None]:
        asked = [key[0] for key in keys], [key[1] for key in keys]

        def get(connection: Connection) -> list[Entry | None]:
            found = connection.execute(self._sql.get_many, asked, binary=True)
            return [None if value is None else (value, expires) for value, expires in found]

        return self._with(get)

    def _piece(
        self, partition: bytes, low: bytes, high: bytes, count: int, *, reverse: bool
    ) -> Sequence[tuple[bytes, bytes]]:
        asked = (partition, low, high, self._now(), count)
        sql = self._sql.read_back if reverse else self._sql.read

        def read(connection: Connection) -> Sequence[tuple[bytes, bytes]]:
            return connection.execute(sql, asked, binary=True).fetchall()

        return self._with(read)

    def _write(self, batch: Sequence[Step]) -> Outcome:
        if self._held is not None:
            self._held.check()
        # In the order of the keys, so that two batches wait for each other's rows and not in a circle;
        # changes of one key stay in their order, and those of others do not concern it.
        order = sorted(range(len(batch)), key=lambda place: batch[place].key)
        plain = all(step.expected is UNSET for step in batch)
        transact = self._put_all if plain else self._try_all
        for _ in range(_TRIES):
            try:
                return self._with(lambda connection: transact(connection, batch, order), writes=True)
            except StoreBusyError as error:  # a deadlock after all: the server undid one of the two
                busy = error
        raise busy

    def _put_all(self, connection: Connection, batch: Sequence[Step], order: Sequence[int]) -> Outcome:
        """Write what has no conditions, of each kind in one statement."""
        now = self._now()
        last = {batch[place].key: batch[place] for place in order}
        puts = [
            (*key, step.value, expiry(now, step.ttl)) for key, step in last.items() if step.value is not None
        ]
        deletes = [key for key, step in last.items() if step.value is None]
        with connection.transaction() if puts and deletes else contextlib.nullcontext():
            if len(puts) == 1:
                connection.execute(self._sql.put, puts[0])
            elif puts:
                connection.execute(self._sql.put_all, _columns(puts))
            if deletes:
                connection.execute(self._sql.delete_all, _columns(deletes))
        return Outcome()

    def _try_all(self, connection: Connection, batch: Sequence[Step], order: Sequence[int]) -> Outcome:
        """Write each change if its condition holds, and undo all if one does not."""
        now = self._now()
        with connection.transaction() as transaction:
            refused = [place for place in order if not self._try_one(connection, batch[place], now)]
            if refused:
                raise _rollback(transaction)
        return Outcome(tuple(sorted(refused)))

    def _try_one(self, connection: Connection, step: Step, now: int) -> bool:
        sql, row = self._sql, (*step.key, step.value, expiry(now, step.ttl))
        if step.expected is UNSET:
            if step.value is None:
                connection.execute(sql.delete, step.key)
            else:
                connection.execute(sql.put, row)
            return True
        if step.expected is None:
            tried = connection.execute(sql.if_absent, (*row, now))
        elif step.value is None:
            tried = connection.execute(sql.compare_and_delete, (*step.key, step.expected, now))
        else:
            tried = connection.execute(sql.swap, (*row[2:], *step.key, step.expected, now))
        return tried.rowcount == 1

    def _with(self, call: Callable[[Connection], Result], *, writes: bool = False) -> Result:
        """Return what *call* returns with a connection that is in order."""
        import psycopg  # noqa: PLC0415 - an optional dependency

        connection = self._pool.take()
        while is_stale(connection):
            self._pool.drop(connection)
            connection = self._pool.take()
        try:
            result = call(connection)
        except BaseException as error:
            broken = connection.closed or not isinstance(error, Exception)
            (self._pool.drop if broken else self._pool.give)(connection)
            if isinstance(error, psycopg.Error):
                raise explained(error, self._name, unknown=writes) from error
            raise
        self._pool.give(connection)
        return result

    def _check_open(self) -> None:
        self._pool.check_open()

    def _closed_error(self) -> StoreClosedError:
        return StoreClosedError(f"store {self._name!r} has been closed")

    def _close(self) -> None:
        self._pool.close()


class PostgresDriver(BaseDriver[PostgresStore]):
    """Stores in a database of PostgreSQL, each a table; needs `statehold[postgres]`.

    Args:
        conninfo: which server, database and user, as libpq reads it: `postgresql://user@host/database`. The
            first schema of the user's search path holds the tables.
        durability: `full`: what was acknowledged is on the server's disk; `relaxed`: after a crash of the
            server the last commits may be gone, each as a whole.
        clock: what times to live are measured by; without it, the machine's. All who use a store must have
            the same time.
        connections: how many connections there are at a time, per store.

    Raises:
        RowStoreError: psycopg is not installed.

    """

    def __init__(
        self,
        conninfo: str,
        *,
        durability: Durability = "full",
        clock: Clock | None = None,
        connections: int = 8,
    ) -> None:
        super().__init__()
        try:
            import psycopg  # noqa: F401, PLC0415 - an optional dependency
        except ImportError as error:
            raise RowStoreError(
                f"PostgresDriver needs psycopg: {error}", hint="pip install 'statehold[postgres]'"
            ) from error
        self._conninfo = conninfo
        self._durability = durability
        self._clock = clock or SystemClock()
        self._connections = connections

    def _make(self, name: str) -> None:
        with self._transaction(name) as connection:
            for statement in SCHEMA:
                connection.execute(statement)
            added = connection.execute(ADD, (name,)).fetchone()
            if added is None:
                raise StoreExistsError(f"there is a store {name!r} in the database already")
            sql = statements(*added)
            connection.execute(sql.create)
            connection.execute(sql.index)

    def _open(self, name: str) -> PostgresStore:
        with self._transaction(name) as connection:
            found = connection.execute(NUMBER, (name,)).fetchone() if _has_stores(connection) else None
        if found is None:
            raise _missing(name)
        return PostgresStore(
            *found,
            name=name,
            clock=self._clock,
            connect=partial(self._connect, name),
            connections=self._connections,
        )

    def _names(self) -> list[str]:
        with self._transaction("*") as connection:
            return [name for (name,) in connection.execute(NAMES)] if _has_stores(connection) else []

    def _remove(self, name: str) -> None:
        with self._transaction(name) as connection:
            found = connection.execute(FORGET, (name,)).fetchone() if _has_stores(connection) else None
            if found is None:
                raise _missing(name)
            sql = statements(*found)
            refuse_held(connection, name, sql.table)
            connection.execute(sql.drop)

    @contextlib.contextmanager
    def _transaction(self, name: str) -> Iterator[Connection]:
        import psycopg  # noqa: PLC0415 - an optional dependency

        with contextlib.closing(self._connect(name)) as connection:
            try:
                with connection.transaction():
                    yield connection
            except psycopg.Error as error:
                raise explained(error, name, unknown=True) from error

    def _connect(self, name: str, **options: Any) -> Connection:
        import psycopg  # noqa: PLC0415 - an optional dependency

        try:
            connection = psycopg.connect(self._conninfo, autocommit=True, **options)
            try:
                connection.execute(SETTINGS[self._durability])
            except BaseException:
                connection.close()
                raise
        except psycopg.Error as error:
            raise explained(error, name) from error
        return connection


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _has_stores(connection: Connection) -> bool:
    return connection.execute(STORES).fetchone() == (True,)


def _missing(name: str) -> StoreMissingError:
    return StoreMissingError(f"there is no store {name!r} in the database", hint="create it first")


def _rollback(transaction: psycopg.Transaction) -> Exception:
    import psycopg  # noqa: PLC0415 - an optional dependency

    return psycopg.Rollback(transaction)

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final, TypeVar

import attrs
import dataset
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from statehold_aos.database._driver import run_on_driver
from statehold_aos.database._errors import AosDatabaseError, ClosedError
from statehold_aos.database._explained import explained, is_gone

Result = TypeVar("Result")
Work = Callable[[Connection], Any]

#: The most requests that share one commit.
_GROUP: Final = 256


@attrs.define(eq=False)
class Writer:
    """The one thread that writes: it takes all who wait into one transaction, each under a savepoint.

    Args:
        shown: what is written to, for people.
        make: makes the database, when it is first needed and after its connection broke.
        before: does what is to be done at the beginning of every transaction.
        committed: hears that a transaction with `before` in it has been committed.
        failed: hears why one was not.

    """

    _shown: str
    _make: Callable[[], dataset.Database]
    _before: Work
    _committed: Callable[[], None]
    _failed: Callable[[BaseException], None]
    _ready: threading.Condition = attrs.field(factory=threading.Condition, init=False)
    _waiting: list[tuple[Work, Future[Any]]] = attrs.field(factory=list, init=False)
    _due: float | None = attrs.field(default=None, init=False)
    _is_closed: bool = attrs.field(default=False, init=False)
    _database: dataset.Database | None = attrs.field(default=None, init=False)
    _thread: threading.Thread = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, name=f"aos-writer {self._shown}", daemon=True)
        self._thread.start()

    def do(self, work: Callable[[Connection], Result]) -> Result:
        """Do *work* in a transaction and return its result when that is committed."""
        if threading.current_thread() is self._thread:
            raise AosDatabaseError(
                f"AOS database {self._shown}: a transaction within a transaction",
                hint="Use the tables that the function was given",
            )
        done: Future[Result] = Future()
        with self._ready:
            if self._is_closed:
                raise self.closed_error()
            self._waiting.append((work, done))
            self._ready.notify()
        return done.result()

    def due(self, seconds: float) -> None:
        """See to it that there is a transaction within *seconds*."""
        with self._ready:
            if self._is_closed:
                raise self.closed_error()
            if self._due is None:
                self._due = time.monotonic() + seconds
                self._ready.notify()

    def close(self) -> None:
        """Do what is waiting, and end; `before` is done once more if it is due."""
        with self._ready:
            self._is_closed = True
            self._ready.notify()
        self._thread.join()

    def closed_error(self) -> ClosedError:
        """Return the error to raise after `close`."""
        return ClosedError(f"AOS database {self._shown} was used after it had been closed")

    def _run(self) -> None:
        while self._wait():
            self._transact()
        self._let_go()

    def _wait(self) -> bool:
        """Wait until there is something to do; False at the end."""
        with self._ready:
            while not self._waiting:
                left = None if self._due is None else self._due - time.monotonic()
                if self._is_closed or (left is not None and left <= 0):
                    break
                self._ready.wait(left)
            return bool(self._waiting) or self._due is not None

    def _transact(self) -> None:
        """Do all that waits in one transaction."""
        with self._ready:
            self._due = None
            group, self._waiting = self._waiting[:_GROUP], self._waiting[_GROUP:]
        results: list[tuple[Future[Any], Any, BaseException | None]] = []
        committing = False
        try:
            connection = self._connection()
            connection.begin()
            self._before(connection)
            for work, done in group:
                results.append((done, *self._one(connection, work)))
            committing = True
            connection.commit()
        except BaseException as error:  # noqa: BLE001 - given to those who wait, or they wait for ever
            self._undo(error)
            told = explained(error, self._shown, committing=committing)
            self._failed(told)
            for _, done in group:
                done.set_exception(told)
            return
        self._committed()
        for done, result, failed in results:
            if failed is None:
                done.set_result(result)
            else:
                done.set_exception(failed)

    def _one(self, connection: Connection, work: Work) -> tuple[Any, BaseException | None]:
        run_on_driver(connection, "SAVEPOINT one")
        try:
            result = work(connection)
        except BaseException as error:
            if is_gone(error):
                raise
            try:
                connection.exec_driver_sql("ROLLBACK TO SAVEPOINT one")
                connection.exec_driver_sql("RELEASE SAVEPOINT one")
            except SQLAlchemyError:  # a full disk has undone all, the savepoint too
                raise error from None
            return None, explained(error, self._shown)
        run_on_driver(connection, "RELEASE SAVEPOINT one")
        return result, None

    def _connection(self) -> Connection:
        if self._database is None:
            self._database = self._make()
        return self._database.executable

    def _undo(self, error: BaseException) -> None:
        if self._database is not None:
            try:
                self._database.executable.rollback()
            except Exception:  # noqa: BLE001 - the first error is the one to tell
                self._let_go()
        if is_gone(error):
            self._let_go()

    def _let_go(self) -> None:
        if self._database is not None:
            with suppress(SQLAlchemyError):
                self._database.close()
            self._database = None

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

import attrs
import dataset
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from statehold_aos.database._driver import begin, commit, roll_back, run_on_driver
from statehold_aos.database._errors import AosDatabaseError, ClosedError
from statehold_aos.database._explained import explained, is_gone

Result = TypeVar("Result")
Work = Callable[[Connection], Any]

#: The most requests that share one commit.
_GROUP: Final = 256


@attrs.define(eq=False)
class _Request:
    """A work that is to be done, and what has become of it."""

    work: Work
    #: Set once it is done; None for who does it itself.
    done: threading.Event | None = None
    result: Any = None
    error: BaseException | None = None

    def get(self) -> Any:
        """Return the result, or raise the error, once it is done."""
        if self.done is not None:
            self.done.wait()
        if self.error is not None:
            raise self.error
        return self.result


@attrs.define(eq=False)
class Writer:
    """Lets one write at a time: who comes while nobody does so writes at once, on its own thread.

    Those who come meanwhile are done together by a thread for that: in one transaction, each under a
    savepoint.

    Args:
        shown: what is written to, for people.
        make: makes the database, when it is first needed and after its connection broke.
        before: does what is to be done at the beginning of every transaction, and says whether it has
            written anything.
        committed: hears that a transaction with `before` in it has been committed.
        failed: hears why one was not.

    """

    _shown: str
    _make: Callable[[], dataset.Database]
    _before: Callable[[Connection], bool]
    _committed: Callable[[], None]
    _failed: Callable[[BaseException], None]
    _ready: threading.Condition = attrs.field(factory=threading.Condition, init=False)
    _waiting: list[_Request] = attrs.field(factory=list, init=False)
    #: The thread that writes.
    _writes: int | None = attrs.field(default=None, init=False)
    _due: float | None = attrs.field(default=None, init=False)
    _is_closed: bool = attrs.field(default=False, init=False)
    _database: dataset.Database | None = attrs.field(default=None, init=False)
    #: Of the database, which has one for each thread; this one is for all.
    _connection: Connection | None = attrs.field(default=None, init=False)
    _thread: threading.Thread = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, name=f"aos-writer {self._shown}", daemon=True)
        self._thread.start()

    def do(self, work: Callable[[Connection], Result]) -> Result:
        """Do *work* in a transaction and return its result when that is committed."""
        own = threading.get_ident()
        is_first = False
        try:
            with self._ready:
                if self._writes == own:
                    raise AosDatabaseError(
                        f"AOS database {self._shown}: a transaction within a transaction",
                        hint="Use the tables that the function was given",
                    )
                if self._is_closed:
                    raise self.closed_error()
                is_first = self._writes is None and not self._waiting
                request = _Request(work, None if is_first else threading.Event())
                if is_first:
                    self._writes, self._due = own, None
                else:
                    self._waiting.append(request)
            if is_first:
                self._transact([request])
        finally:
            if is_first:
                self._end()
        result: Result = request.get()
        return result

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
        while (group := self._next()) is not None:
            try:
                self._transact(group)
            finally:
                self._end()
        self._let_go()

    def _next(self) -> list[_Request] | None:
        """Wait until there is something to do that nobody does, and return it; None at the end."""
        with self._ready:
            while self._writes is not None or not self._waiting:
                left = None if self._due is None else self._due - time.monotonic()
                if self._writes is not None:
                    left = None
                elif self._is_closed or (left is not None and left <= 0):
                    break
                self._ready.wait(left)
            if not self._waiting and self._due is None:
                return None
            self._writes, self._due = threading.get_ident(), None
            group, self._waiting = self._waiting[:_GROUP], self._waiting[_GROUP:]
            return group

    def _end(self) -> None:
        """Let others write."""
        with self._ready:
            self._writes = None
            if self._waiting or self._is_closed or self._due is not None:
                self._ready.notify()

    def _transact(self, group: list[_Request]) -> None:
        """Do *group* in one transaction."""
        try:
            self._commit(group)
        except BaseException as error:  # noqa: BLE001 - given to those who wait, or they wait for ever
            for request in group:
                request.result, request.error = None, error
        finally:
            for request in group:
                if request.done is not None:
                    request.done.set()

    def _commit(self, group: list[_Request]) -> None:
        committing = False
        try:
            connection = self._connected()
            begin(connection)
            is_alone = not self._before(connection) and len(group) == 1
            for request in group:
                one = self._alone if is_alone else self._one
                request.result, request.error = one(connection, request.work)
            committing = True
            commit(connection)
        except BaseException as error:
            self._undo(error)
            told = explained(error, self._shown, committing=committing)
            self._failed(told)
            if told is error:
                raise
            raise told from error
        self._committed()

    def _alone(self, connection: Connection, work: Work) -> tuple[Any, BaseException | None]:
        """Do all that the transaction has."""
        try:
            return work(connection), None
        except BaseException as error:
            if is_gone(error):
                raise
            roll_back(connection)
            return None, explained(error, self._shown)

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

    def _connected(self) -> Connection:
        if self._database is None:
            self._database = self._make()
        if self._connection is None:
            self._connection = self._database.executable
        return self._connection

    def _undo(self, error: BaseException) -> None:
        if self._connection is not None:
            try:
                roll_back(self._connection)
            except Exception:  # noqa: BLE001 - the first error is the one to tell
                self._let_go()
        if is_gone(error):
            self._let_go()

    def _let_go(self) -> None:
        if self._database is not None:
            with suppress(SQLAlchemyError):
                self._database.close()
            self._database = self._connection = None

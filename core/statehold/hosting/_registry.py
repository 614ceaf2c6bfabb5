from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from statehold.hosting._entry import Entry, Role, Rows, stepped_back
from statehold.sdk import HostError

if TYPE_CHECKING:
    from dataset.database import Database

T = TypeVar("T")

#: What leads from each format of the file to the next one.
_STEPS = (
    (
        """CREATE TABLE versions (
            id INTEGER PRIMARY KEY, app TEXT NOT NULL, version TEXT NOT NULL, digest TEXT NOT NULL,
            partitions INTEGER NOT NULL, role TEXT NOT NULL, plugins TEXT NOT NULL, deployed_at REAL NOT NULL
        )""",
        "CREATE UNIQUE INDEX version_of_app ON versions (app, version)",
        # At most one of each per app, whatever the code above believes.
        "CREATE UNIQUE INDEX current_of_app ON versions (app) WHERE role = 'current'",
        "CREATE UNIQUE INDEX previous_of_app ON versions (app) WHERE role = 'previous'",
    ),
    ("ALTER TABLE versions ADD COLUMN places TEXT NOT NULL DEFAULT '{}'",),
)
_SCHEMA = len(_STEPS)
# For the driver as they are: a version is registered while calls wait for the interpreter.
_DELETE = "DELETE FROM versions WHERE id = ?"
_MOVE = "UPDATE versions SET role = ? WHERE id = ?"
_INSERT = """INSERT INTO versions (app, version, digest, partitions, role, plugins, places, deployed_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_NO_ROOM = "Nothing was changed. See that its disk has space and its folder can be written"
_DAMAGED = (
    "Put a copy of the file back, or move it away and deploy the apps again: the rows of their storages "
    "are kept elsewhere"
)


class Registry:
    """Which versions of which apps are deployed, kept so that a killed host knows it again.

    Every change is one transaction that is on the disk when the call returns. All of them run on one
    thread, since `dataset` keeps a connection per thread.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="statehold-registry")
        #: What stands in the file, by app, each with its place in the order: nobody else writes there.
        self._known: dict[str, Rows] | None = None
        try:
            self._db = self._run(self._connect)
            try:
                self._known = self.transact(_by_app)
            except BaseException:
                self._run(self._db.close)
                raise
        except BaseException:
            self._thread.shutdown()
            raise

    def close(self) -> None:
        """Close the file, after the changes that wait; the registry is of no use afterwards."""
        self._run(self._close)
        self._thread.shutdown()

    def _close(self) -> None:
        self._known = None
        self._db.close()

    def entries(self, app: str | None = None) -> tuple[Entry, ...]:
        """Return every registered version, or those of one app, in the order of deployment."""
        known = self._standing()
        some = known.values() if app is None else [known.get(app, {})]
        rows = sorted((row for one in some for row in one.items()), key=itemgetter(0))
        return tuple(entry for _, entry in rows)

    def add(self, entry: Entry, *, keep: int = 0) -> None:
        """Register a version; as the current one, it makes the one before it the previous one.

        That one is kept, and with it up to *keep* - 1 of those that were current before it.
        """

        def write(db: Database, known: Rows) -> Rows:
            rows = {number: one for number, one in known.items() if one.version != entry.version}
            if entry.role is Role.CURRENT:
                rows = stepped_back(rows, keep)
            run = db.executable.exec_driver_sql
            for number in known.keys() - rows.keys():
                run(_DELETE, (number,))
            moved = [number for number, one in rows.items() if one.role is not known[number].role]
            # What becomes the previous one last, for there is only one of it.
            for number in sorted(moved, key=lambda number: rows[number].role is Role.PREVIOUS):
                run(_MOVE, (rows[number].role.value, number))
            return {**rows, run(_INSERT, _row(entry)).lastrowid: entry}

        self._change(entry.app, write)

    def restore(self, app: str, entries: Iterable[Entry]) -> None:
        """Let the versions of an app be what they were."""

        def write(db: Database, _: Rows) -> Rows:
            run = db.executable.exec_driver_sql
            run("DELETE FROM versions WHERE app = ?", (app,))
            return {run(_INSERT, _row(entry)).lastrowid: entry for entry in entries}

        self._change(app, write)

    def forget(self, app: str, version: str | None = None) -> None:
        """Remove one version of an app, or all of them."""

        def write(db: Database, known: Rows) -> Rows:
            gone = [number for number, one in known.items() if version in (None, one.version)]
            for number in gone:
                db.executable.exec_driver_sql(_DELETE, (number,))
            return {number: one for number, one in known.items() if number not in gone}

        self._change(app, write)

    def _change(self, app: str, write: Callable[[Database, Rows], Rows]) -> None:
        """Run *write* on the versions of an app; it returns what they are from then on."""

        def note(found: Rows) -> None:
            self._known = {**self._standing(), app: found}

        self.transact(lambda db: write(db, self._standing().get(app, {})), then=note)

    def _standing(self) -> dict[str, Rows]:
        if self._known is None:
            raise _closed()
        return self._known

    def _connect(self) -> Database:
        import dataset  # noqa: PLC0415 - takes a third of a second
        from sqlalchemy import URL, event  # noqa: PLC0415

        db = dataset.connect(
            URL.create("sqlite", database=str(self._path)).render_as_string(),
            ensure_schema=False,
            on_connect_statements=["PRAGMA synchronous = FULL", "PRAGMA busy_timeout = 10000"],
        )

        # A SELECT begins no transaction in the driver, which would make read-modify-write a race.
        @event.listens_for(db.engine, "connect")
        def leave_transactions_to_us(connection: Any, _: object) -> None:
            connection.isolation_level = None

        @event.listens_for(db.engine, "begin")
        def begin(connection: Any) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

        try:
            with self._explained(), db:
                (found,) = next(iter(db.query("PRAGMA user_version"))).values()
                for statements in _STEPS[found:]:
                    for statement in statements:
                        db.query(statement)
                if found < _SCHEMA:
                    db.query(f"PRAGMA user_version = {_SCHEMA}")
        except BaseException:
            db.close()
            raise
        if found > _SCHEMA:
            db.close()
            raise HostError(
                f"the registry {self._path} has format {found}, this Statehold knows up to {_SCHEMA}",
                hint="Run the newer Statehold that wrote it, or name another data folder",
            )
        return db

    def transact(self, work: Callable[[Database], T], *, then: Callable[[T], None] = lambda _: None) -> T:
        """Run *work* on the open file in one transaction, and return what it returns.

        Once that is on the disk, *then* is called with it, also if whoever waits is interrupted.
        """

        def run() -> T:
            with self._explained(), self._transaction() as db:
                found = work(db)
            then(found)
            return found

        return self._run(run)

    @contextmanager
    def _transaction(self) -> Iterator[Database]:
        connection = None
        try:
            with self._db as db:
                connection = db.executable
                yield db
        except BaseException:
            if connection is not None and not connection.closed:
                # Its COMMIT failed, as on a full disk: left in that transaction, it would take no other one.
                connection.invalidate()
                connection.rollback()
            raise

    def _run(self, work: Callable[[], T]) -> T:
        try:
            future = self._thread.submit(work)
        except RuntimeError as error:
            raise _closed() from error
        return future.result()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        from sqlalchemy.exc import DBAPIError, OperationalError  # noqa: PLC0415

        try:
            yield
        except DBAPIError as error:
            # The driver says "operational" where the disk or the folder is to blame, not the file's content.
            hint = _NO_ROOM if isinstance(error, OperationalError) else _DAMAGED
            raise HostError(f"the registry {self._path} cannot be used: {error.orig}", hint=hint) from error
        except (ValueError, TypeError, LookupError) as error:
            raise HostError(
                f"the registry {self._path} holds what no Statehold wrote: {error}", hint=_DAMAGED
            ) from error


def _by_app(db: Database) -> dict[str, Rows]:
    found: dict[str, Rows] = {}
    for row in db["versions"].find(order_by="id"):
        found.setdefault(row["app"], {})[row["id"]] = _entry(row)
    return found


def _closed() -> HostError:
    return HostError("the host has been closed", hint="Open another one on its data folder")


def _row(entry: Entry) -> tuple[object, ...]:
    """Return the columns of `_INSERT`."""
    return (
        *(entry.app, entry.version, entry.digest, entry.partitions, entry.role.value),
        *(" ".join(entry.plugins), json.dumps(dict(entry.places)), entry.deployed_at),
    )


def _entry(row: Mapping[str, Any]) -> Entry:
    places = json.loads(row["places"])
    found = {**row, "plugins": tuple(row["plugins"].split()), "places": tuple(places.items())}
    del found["id"]
    return Entry(**found)

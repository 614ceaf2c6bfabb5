from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import attrs

from statehold.sdk import FreedError

if TYPE_CHECKING:
    from statehold_aos.database import Database, Place, Settings


@attrs.define(eq=False)
class _Shared:
    lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    database: Database | None = attrs.field(default=None, init=False)
    count: int = attrs.field(default=0, init=False)


@attrs.define(eq=False)
class Lease:
    """The use of a database that others may use, too; the last one to give it back closes it."""

    _databases: Databases
    _key: str
    _database: Database | None

    @property
    def database(self) -> Database:
        """The database, until `release`."""
        if self._database is None:
            raise FreedError("an AOS database was used after it had been given back")
        return self._database

    def release(self) -> None:
        """Give it back; a second time does nothing."""
        if self._database is not None:
            self._database = None
            self._databases.give_back(self._key)


@attrs.define(eq=False)
class Databases:
    """The databases that are open, each once, whoever uses it."""

    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _shared: dict[str, _Shared] = attrs.field(factory=dict, init=False)

    def lease(self, place: Place, *, settings: Settings, logger: logging.Logger) -> Lease:
        """Return the database, opened if nobody has it; *settings* and *logger* are those of the first.

        Raises:
            AosDatabaseError: it cannot be opened.

        """
        from statehold_aos.database import Database  # noqa: PLC0415 - brings dataset and SQLAlchemy

        key = place.backend().key
        with self._lock:
            shared = self._shared.setdefault(key, _Shared())
            shared.count += 1
        try:
            with shared.lock:
                if shared.database is None:
                    shared.database = Database.open(place, settings=settings, logger=logger)
                return Lease(self, key, shared.database)
        except BaseException:
            self.give_back(key)
            raise

    def give_back(self, key: str) -> None:
        """Close the database of *key* if nobody else has it."""
        shared = self._shared[key]
        # Not before it is closed may another one open it: that one is to find what this one has counted.
        with shared.lock:
            with self._lock:
                shared.count -= 1
                if shared.count:
                    return
            database, shared.database = shared.database, None
            try:
                if database is not None:
                    database.close()
            finally:
                with self._lock:
                    if not shared.count:
                        self._shared.pop(key, None)

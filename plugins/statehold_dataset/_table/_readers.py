from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

import attrs

from statehold.sdk import FreedError, StorageError


@attrs.define(eq=False)
class Readers:
    """A bounded number of connections that read, opened when first needed; who finds none idle waits.

    Nobody keeps one for longer than a call, so that waiting ends.

    Attributes:
        idle: the connections nobody uses; put back what you took.

    """

    _storage: str
    _connect: Callable[[], sqlite3.Connection]
    _limit: int
    idle: SimpleQueue[sqlite3.Connection] = attrs.field(factory=SimpleQueue, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _opened: int = attrs.field(default=0, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    def take(self) -> sqlite3.Connection:
        """Return a connection, to be put back into `idle`; FreedError after `close`."""
        try:
            return self.idle.get_nowait()
        except Empty:
            pass
        with self._lock:
            if self._closed:
                raise FreedError(f"{self._storage} was used after it had been freed")
            if self._opened < self._limit:
                try:
                    connection = self._connect()
                except sqlite3.Error as error:
                    raise StorageError(f"{self._storage}: cannot open its file to read: {error}") from error
                self._opened += 1
                return connection
        return self.idle.get()

    def close(self) -> None:
        """Close all connections, those in use when they are put back."""
        with self._lock:
            self._closed = True
            for _ in range(self._opened):
                self.idle.get().close()

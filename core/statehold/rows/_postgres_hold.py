from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from statehold.rows._errors import StoreHeldError, StoreMissingError
from statehold.rows._postgres_sql import explained

if TYPE_CHECKING:
    import psycopg

    Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

#: Which advisory locks are ours; the other half of a lock's number is that of the store's table.
_CLASS: Final = 0x53484C44  # "SHLD"
_TRY: Final = "SELECT pg_try_advisory_lock((%s::bigint << 32) | %s::regclass::oid::bigint)"
_TRY_IN_TRANSACTION: Final = _TRY.replace("advisory_lock", "advisory_xact_lock")
_HOLDER: Final = """
    SELECT pid, application_name, coalesce(client_hostname, host(client_addr))
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND classid = %s AND objid = %s::regclass
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_HOLDS: Final = "SELECT holds FROM statehold_stores WHERE name = %s"
_COUNT: Final = "UPDATE statehold_stores SET holds = holds + 1 WHERE name = %s"
#: Who holds it can be seen; a holder whose machine is gone lets go within a minute, one that idles does not.
#: Some of it older servers do not know, others do not let be set.
_SETTINGS: Final = """
    SELECT set_config(name, value, false) FROM pg_settings JOIN (VALUES
        ('application_name', %s), ('idle_session_timeout', '0'), ('tcp_keepalives_idle', '30'),
        ('tcp_keepalives_interval', '10'), ('tcp_keepalives_count', '3')
    ) AS wanted (name, value) USING (name)
"""
#: Likewise, for this side of the connection.
KEEPALIVES: Final = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}


class Hold:
    """The lock of one store, on a connection of its own: it lives as long as that does.

    Each time it is taken is counted in the database. So one that comes back after its connection broke
    knows whether another one was there meanwhile, and has written what this one knows nothing of.

    Raises:
        StoreHeldError: another one holds the store.
        RowStoreError: the server does not answer.

    """

    def __init__(self, connect: Callable[[], Connection], name: str, table: str) -> None:
        self._connect = connect
        self._name = name
        self._key = _CLASS, table
        self._lock = threading.Lock()
        self._connection, self._count = self._take(None)

    def check(self) -> None:
        """Take the lock again if it was lost.

        Raises:
            StoreHeldError: another one holds the store, or has held it.
            RowStoreError: the server does not answer.

        """
        with self._lock:
            if not is_alive(self._connection):
                self._connection.close()
                self._connection, self._count = self._take(self._count)

    def release(self) -> None:
        """Let go of the store."""
        with self._lock:
            self._connection.close()

    def _take(self, before: int | None) -> tuple[Connection, int]:
        import psycopg  # noqa: PLC0415 - an optional dependency

        connection = self._connect()
        try:
            connection.execute(_SETTINGS, (f"statehold: process {os.getpid()} of {socket.gethostname()}",))
            return connection, self._taken(connection, before)
        except BaseException as error:
            connection.close()
            if isinstance(error, psycopg.Error):
                raise explained(error, self._name) from error
            raise

    def _taken(self, connection: Connection, before: int | None) -> int:
        """Take the lock, and return which time it is; *before* is the last time this one did."""
        if connection.execute(_TRY, self._key).fetchone() != (True,):
            raise _held(self._name, f"is held by {_holder(connection, self._key)}")
        found = connection.execute(_HOLDS, (self._name,)).fetchone()
        if found is None:
            raise StoreMissingError(f"store {self._name!r} has been removed")
        if before is not None and found != (before,):
            raise _held(self._name, "has been held by another one since the connection that held it broke")
        connection.execute(_COUNT, (self._name,))
        return int(found[0]) + 1


def refuse_held(connection: Connection, name: str, table: str) -> None:
    """Raise `StoreHeldError` if somebody holds a store; until the transaction ends nobody can."""
    key = _CLASS, table
    if connection.execute(_TRY_IN_TRANSACTION, key).fetchone() != (True,):
        raise _held(name, f"is held by {_holder(connection, key)}")


def is_stale(connection: Connection) -> bool:
    """Whether an idle connection has something to say: that the server is gone, most of all."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def is_alive(connection: Connection) -> bool:
    """Whether the server still knows an idle connection, which is asked if there is doubt."""
    import psycopg  # noqa: PLC0415 - an optional dependency

    if is_stale(connection):
        with contextlib.suppress(psycopg.Error):
            connection.execute("SELECT 1")
    return not connection.closed


def _held(name: str, problem: str) -> StoreHeldError:
    return StoreHeldError(
        f"store {name!r} {problem}",
        hint="one host at a time works on a store: stop the other one and start this one anew, or give it "
        "another database or schema",
    )


def _holder(connection: Connection, key: tuple[int, str]) -> str:
    found = connection.execute(_HOLDER, key).fetchone()
    if found is None:
        return "another one"
    pid, program, machine = found
    return f"{program or 'another program'}, connected from {machine or 'the same machine'} (backend {pid})"

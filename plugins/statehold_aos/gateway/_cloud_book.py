from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from statehold_aos.gateway._cloud_record import Record
from statehold_aos.gateway._errors import GatewayError
from statehold_aos.gateway._messages import ClaimId, StateAcceptance

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS states (
    system TEXT NOT NULL, workspace INTEGER NOT NULL, service TEXT NOT NULL, users TEXT NOT NULL,
    state BLOB, checksum BLOB, stamp INTEGER NOT NULL, changed INTEGER NOT NULL,
    pushed INTEGER NOT NULL, confirmed INTEGER NOT NULL, sequence INTEGER NOT NULL,
    correlation TEXT, answered BLOB, accepted INTEGER, reason TEXT, answerStamp INTEGER, conflict INTEGER,
    PRIMARY KEY (system, workspace, service, users)
) WITHOUT ROWID
"""
_LOAD: Final = "SELECT * FROM states WHERE system = ?"
_SAVE: Final = f"INSERT OR REPLACE INTO states VALUES ({', '.join('?' * 17)})"  # noqa: S608 - no value in it


class CloudBook:
    """What a cloud knows of its units, in a file; what was saved survives a loss of power.

    Args:
        path: the file, made where it is not there.

    Raises:
        GatewayError: it is no such file, or its folder is not there.

    """

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        self._lock: Final = threading.Lock()
        try:
            self._connection: Final = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            with closing(self._connection.cursor()) as cursor:
                cursor.execute("PRAGMA journal_mode = WAL")
                cursor.execute("PRAGMA synchronous = FULL")
                cursor.execute(_SCHEMA)
        except sqlite3.Error as error:
            raise GatewayError(f"the cloud's states in {path}: {error}") from error

    def systems(self) -> list[str]:
        """Return the units of which anything is known.

        Raises:
            GatewayError: it cannot be read.

        """
        with self._using() as connection:
            rows = connection.execute("SELECT DISTINCT system FROM states ORDER BY system")
            return [name for (name,) in rows]

    def load(self, system: str) -> dict[ClaimId, Record]:
        """Return what is known of a unit's claims.

        Raises:
            GatewayError: it cannot be read.

        """
        with self._using() as connection:
            return dict(map(_record, connection.execute(_LOAD, (system,))))

    def save(self, system: str, records: Iterable[tuple[ClaimId, Record]]) -> None:
        """Write what is known of some claims; durable when it returns.

        Raises:
            GatewayError: it cannot be written; nothing of it is.

        """
        rows = list(_rows(system, records))
        with self._using() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.executemany(_SAVE, rows)
                connection.execute("COMMIT")
            except BaseException:
                connection.rollback()  # if a full disk has not done so
                raise

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection, to one at a time; errors are told as those of the cloud."""
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise GatewayError(f"the cloud's states in {self._path}: {error}") from error


def _rows(system: str, records: Iterable[tuple[ClaimId, Record]]) -> Iterator[tuple[object, ...]]:
    for claim, one in records:
        answer = one.answer
        said = (
            (None,) * 6
            if answer is None
            else (
                answer.correlation,
                answer.checksum,
                answer.accepted,
                answer.reason,
                answer.stamp,
                answer.conflict,
            )
        )
        known = one.state, one.checksum, one.stamp, one.changed, one.pushed, one.confirmed, one.sequence
        yield system, *claim, *known, *said


def _record(row: Any) -> tuple[ClaimId, Record]:
    _, workspace, service, users, *known = row
    claim = ClaimId(workspace, service, users)
    state, checksum, stamp, changed, pushed, confirmed, sequence, *said = known
    correlation, answered, accepted, reason, answer_stamp, conflict = said
    answer = None
    if correlation is not None:
        answer = StateAcceptance(
            claim=claim,
            correlation=correlation,
            checksum=answered,
            accepted=bool(accepted),
            reason=reason,
            stamp=answer_stamp,
            conflict=bool(conflict),
        )
    return claim, Record(state, checksum, stamp, changed, pushed, bool(confirmed), sequence, answer)

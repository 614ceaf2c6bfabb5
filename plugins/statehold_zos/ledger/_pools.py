from __future__ import annotations

import sqlite3
from typing import Final

from statehold_zos.ledger._file import File
from statehold_zos.ledger._values import PoolRow
from statehold_zos.model import DiskType, NotFoundError, PoolState, RefusedError
from statehold_zos.planning import budget

_COLUMNS: Final = "id, type, size, budget, reserved, free, claims, state, reason, server"
_SUMS: Final = """
SELECT pools.id, reserved, claims, (SELECT coalesce(sum(room), 0) FROM claims WHERE pool = pools.id),
    (SELECT count(*) FROM claims WHERE pool = pools.id)
FROM pools ORDER BY id
"""


class Pools:
    """The pools that reservations go to, and exact totals of what is reserved in each."""

    def __init__(self, file: File) -> None:
        self._file = file

    def put(
        self,
        pool: str,
        *,
        type: DiskType,  # noqa: A002 - as in the model
        size: int,
        over_provision: float = 1.0,
        state: PoolState | None = None,
        reason: str = "",
    ) -> PoolRow:
        """Add a pool, or say how it is now; what is reserved in it stays.

        Args:
            pool: its id.
            type: of its disks.
            size: bytes that may be filled.
            over_provision: by which factor more may be reserved.
            state: how it is; None for `READY` if it is new, else as it was.
            reason: why it is not ready, in words.

        Raises:
            RefusedError: it is there with disks of another type.

        """
        with self._file.write() as sql:
            row = sql.execute("SELECT type FROM pools WHERE id = ?", (pool,)).fetchone()
            if row is not None and row[0] != type.value:
                raise RefusedError(f"pool {pool} is of {row[0]}, not of {type.value}")
            sql.execute(
                "INSERT INTO pools (id, type, size, budget, free, state) VALUES (?, ?, ?, ?, ?, 'ready')"
                " ON CONFLICT DO UPDATE"
                " SET size = excluded.size, budget = excluded.budget, free = excluded.budget - reserved",
                (pool, type.value, size, *[budget(size, over_provision)] * 2),
            )
            if state is not None:
                _set_state(sql, pool, state, reason)
            return _get(sql, pool)

    def set_state(self, pool: str, state: PoolState, reason: str = "") -> PoolRow:
        """Say how a pool is.

        Raises:
            NotFoundError: there is none of this id.

        """
        with self._file.write() as sql:
            _set_state(sql, pool, state, reason)
            return _get(sql, pool)

    def begin_wipe(self, pool: str) -> PoolRow:
        """Make a pool `WIPING`, so that nothing new goes to it.

        Raises:
            NotFoundError: there is none of this id.
            RefusedError: something is reserved in it; see `kept`.

        """
        with self._file.write() as sql:
            _refuse_claims(sql, _get(sql, pool), "wiped")
            _set_state(sql, pool, PoolState.WIPING, "")
            return _get(sql, pool)

    def remove(self, pool: str) -> None:
        """Forget a pool, if it is there, with what was released in it.

        Raises:
            RefusedError: something is reserved in it; see `kept`.

        """
        with self._file.write() as sql:
            row = _find(sql, pool)
            if row is not None:
                _refuse_claims(sql, row, "removed")
                sql.execute("DELETE FROM claims WHERE pool = ?", (pool,))
                sql.execute("DELETE FROM pools WHERE id = ?", (pool,))

    def kept(self, pool: str) -> int:
        """Return how many reservations keep a pool from being wiped, 0 also where there is no such pool.

        In a pool that is `GONE` or `WIPING` what was released keeps it no more: nobody can remove it there.
        """
        with self._file.read() as sql:
            row = _find(sql, pool)
            return 0 if row is None else _kept(sql, row)

    def get(self, pool: str) -> PoolRow:
        """Return a pool.

        Raises:
            NotFoundError: there is none of this id.

        """
        with self._file.read() as sql:
            return _get(sql, pool)

    def find(self, pool: str) -> PoolRow | None:
        """Return a pool, None where there is none of this id."""
        with self._file.read() as sql:
            return _find(sql, pool)

    def all(self) -> list[PoolRow]:
        """Return the pools by id."""
        with self._file.read() as sql:
            return [_row(row) for row in sql.execute(f"SELECT {_COLUMNS} FROM pools ORDER BY id")]  # noqa: S608

    def check(self) -> list[str]:
        """Return which totals are not the sums of the claims, in words."""
        with self._file.read() as sql:
            return [
                f"pool {pool} says {reserved} bytes in {claims} claims, its claims say {room} in {count}"
                for pool, reserved, claims, room, count in sql.execute(_SUMS)
                if (reserved, claims) != (room, count)
            ]


def _find(sql: sqlite3.Connection, pool: str) -> PoolRow | None:
    row = sql.execute(f"SELECT {_COLUMNS} FROM pools WHERE id = ?", (pool,)).fetchone()  # noqa: S608
    return None if row is None else _row(row)


def _get(sql: sqlite3.Connection, pool: str) -> PoolRow:
    row = _find(sql, pool)
    if row is None:
        raise NotFoundError(f"there is no pool {pool!r}")
    return row


def _set_state(sql: sqlite3.Connection, pool: str, state: PoolState, reason: str) -> None:
    sql.execute("UPDATE pools SET state = ?, reason = ? WHERE id = ?", (state.value, reason, pool))


def _kept(sql: sqlite3.Connection, row: PoolRow) -> int:
    if row.state not in {PoolState.GONE, PoolState.WIPING}:
        return row.claims
    # A server goes with its last namespace.
    (count,) = sql.execute(
        "SELECT count(*) FROM claims"
        " WHERE pool = ? AND kind <> 'server' AND state NOT IN ('released', 'releasing')",
        (row.id,),
    ).fetchone()
    return int(count)


def _refuse_claims(sql: sqlite3.Connection, row: PoolRow, done: str) -> None:
    if _kept(sql, row):
        raise RefusedError(
            f"pool {row.id} cannot be {done}: {row.claims} reservations of {row.reserved} bytes are in it",
            hint="release them first",
        )


def _row(row: tuple[str, str, int, int, int, int, int, str, str, str]) -> PoolRow:
    pool, disk_type, size, budgeted, reserved, free, claims, state, reason, server = row
    return PoolRow(
        id=pool,
        type=DiskType(disk_type),
        size=size,
        budget=budgeted,
        reserved=reserved,
        free=free,
        claims=claims,
        state=PoolState(state),
        reason=reason,
        server=server,
    )

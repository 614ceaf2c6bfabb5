from __future__ import annotations

import sqlite3
from collections.abc import Callable

import attrs

from statehold_zos.ledger import _rows as rows
from statehold_zos.ledger._turns import Turns
from statehold_zos.ledger._values import Claim, ClaimKind, ClaimState, Request
from statehold_zos.model import NoSpaceError, RefusedError


class Claims(Turns):
    """What takes room of pools. Each call is a transaction; none is ever half done."""

    def reserve(self, request: Request) -> Claim:
        """Choose a pool, book the room, and return the claim.

        A claim that is new is `PENDING` and `mine`: the caller makes what it stands for and then calls
        `settle`, or `forget` if that fails after undoing what was made. A name that is there already returns
        its claim: `READY`, or `PENDING` and `mine` where its maker was killed, so that the caller makes it
        over what may be there. Waits while another is making it.

        Raises:
            NoSpaceError: no pool has room.
            RefusedError: the name is there with another size, type or mode.
            ValueError: a size that is not above 0.
            ZosError: another is making it for longer than the ledger's patience.

        """
        return self.found_or_made(request, lambda sql: self.make(sql, request, rows.pool_for(sql, request)))

    def found_or_made(self, request: Request, make: Callable[[sqlite3.Connection], Claim]) -> Claim:
        """Do what `reserve` does, where *make* books a claim that is not there yet."""
        if request.size <= 0 or request.room <= 0:
            raise ValueError(f"a size is above 0, got {request.size}")

        def attempt(sql: sqlite3.Connection) -> Claim | None:
            found = rows.named(sql, request.kind, request.owner, request.name) if request.name else None
            if found is None:
                return make(sql)
            rows.check_same(found, request)
            return found if found.state is ClaimState.READY else self.take_in(sql, found)

        return self.waiting(attempt, f"{request.kind.value} {request.name!r}")

    def settle(self, claim: str) -> Claim:
        """Say that what a claim stands for is there: it is `READY` and nobody is at work on it.

        Raises:
            NotFoundError: there is none of this id.
            RefusedError: it was released meanwhile.

        """
        with self._file.write() as sql:
            sql.execute(
                "UPDATE claims SET state = 'ready', worker = ''"
                " WHERE id = ? AND state IN ('pending', 'ready')",
                (claim,),
            )
            settled = rows.get(sql, claim)
            if settled.state is not ClaimState.READY:
                raise RefusedError(f"{claim} was released, and is {settled.state.value}")
        self._workers.end(claim)
        return settled

    def resize(self, claim: str, size: int, *, room: int | None = None) -> Claim:
        """Change how large a claim is; more is booked only where its pool has it.

        To grow, call this first and then raise the limit. To shrink, lower the limit first: what was given
        back is another's at once. Whoever does both is `at_work`.

        Args:
            claim: its id.
            size: bytes.
            room: bytes it takes of its pool; *size* where it says nothing.

        Raises:
            NotFoundError: there is none of this id.
            NoSpaceError: its pool has not that much, or takes no reservations now.
            RefusedError: it was released.
            ValueError: a size that is not above 0.

        """
        room = size if room is None else room
        if size <= 0 or room <= 0:
            raise ValueError(f"a size is above 0, got {size}")
        with self._file.write() as sql:
            found = rows.get(sql, claim)
            if found.state in {ClaimState.RELEASED, ClaimState.RELEASING}:
                raise RefusedError(f"{claim} was released, and is resized no more")
            more = room - found.room
            if more > 0:
                self._check_more(sql, found, more)
            sql.execute("UPDATE claims SET size = ?, room = ? WHERE id = ?", (size, room, claim))
            rows.book(sql, found.pool, more)
            return rows.get(sql, claim)

    def release_later(self, claim: str, due: float) -> Claim:
        """Make a `READY` claim `RELEASED` until its grace time is over; its name is free again.

        Args:
            claim: its id.
            due: when that is, seconds since 1970.

        Raises:
            NotFoundError: there is none of this id.
            RefusedError: it is still being made, or removed already.

        """
        with self._file.write() as sql:
            found = rows.get(sql, claim)
            if found.state not in {ClaimState.READY, ClaimState.RELEASED}:
                raise RefusedError(f"{claim} is {found.state.value}, and cannot be released")
            if found.state is ClaimState.READY:
                sql.execute("UPDATE claims SET state = 'released', due = ? WHERE id = ?", (due, claim))
            return rows.get(sql, claim)

    def begin_release(self, claim: str) -> Claim:
        """Make a claim `RELEASING`, and be at work on it; waits while another is.

        The caller removes what it stands for and then calls `forget`; its room is taken until then. The name
        is free again.

        Raises:
            NotFoundError: there is none of this id (any more).
            RefusedError: it is of a server that has namespaces.
            ZosError: another is at work on it for longer than the ledger's patience.

        """

        def attempt(sql: sqlite3.Connection) -> Claim | None:
            found = rows.get(sql, claim)
            if found.kind is ClaimKind.SERVER:
                _close_server(sql, found)
            taken = self.take_in(sql, found)
            if taken is None:
                return None
            sql.execute("UPDATE claims SET state = 'releasing' WHERE id = ?", (claim,))
            return attrs.evolve(taken, state=ClaimState.RELEASING)

        return self.waiting(attempt, claim)

    def abandon(self, claim: str) -> None:
        """Give a claim up that could be neither made nor undone: `RELEASING`, for who reconciles.

        Its name is free again. For who is at work on it, and is no more then.
        """
        with self._file.write() as sql:
            sql.execute(
                "UPDATE claims SET state = 'releasing', worker = '' WHERE id = ? AND worker = ?",
                (claim, self._workers.token),
            )
        self._workers.end(claim)

    def forget(self, claim: str) -> None:
        """Remove a claim and give its room back, if it is there.

        Raises:
            RefusedError: it is of a server that has namespaces.

        """
        with self._file.write() as sql:
            found = rows.find(sql, claim)
            if found is not None:
                if found.kind is ClaimKind.SERVER:
                    _close_server(sql, found)
                rows.delete(sql, found)
        self._workers.end(claim)

    def stale(self) -> list[Claim]:
        """Return claims that nobody finishes: whoever made or removed them was killed, or left them.

        Those who reconcile `take` each, and go by the state that it then has.
        """
        with self._file.read() as sql:
            query = f"SELECT {rows.COLUMNS} FROM claims"  # noqa: S608
            left = {row[0]: row for row in sql.execute(f"{query} WHERE worker <> ''")}
            left |= {
                row[0]: row for row in sql.execute(f"{query} WHERE state <> 'ready' AND state <> 'released'")
            }
        found = map(rows.claim_of, left.values())
        return [claim for claim in found if not self._workers.working(claim.worker, claim.id)]

    def due(self, now: float) -> list[Claim]:
        """Return `RELEASED` claims whose grace time was over by then, the oldest first."""
        with self._file.read() as sql:
            return [
                rows.claim_of(row)
                for row in sql.execute(
                    f"SELECT {rows.COLUMNS} FROM claims"  # noqa: S608
                    " WHERE state <> 'ready' AND state = 'released' AND due <= ? ORDER BY due, id",
                    (now,),
                )
            ]

    def get(self, claim: str) -> Claim:
        """Return a claim.

        Raises:
            NotFoundError: there is none of this id.

        """
        with self._file.read() as sql:
            return rows.get(sql, claim)

    def find(self, kind: ClaimKind, owner: str, name: str) -> Claim | None:
        """Return the claim that an owner calls so and has not released, None where there is none."""
        with self._file.read() as sql:
            return rows.named(sql, kind, owner, name)

    def all(
        self,
        kind: ClaimKind | None = None,
        *,
        pool: str | None = None,
        owner: str | None = None,
        server: str | None = None,
    ) -> list[Claim]:
        """Return claims by id: all of them, or those of a kind, a pool, an owner, a server."""
        wanted = {"kind": kind and kind.value, "pool": pool, "owner": owner, "server": server}
        given = {column: value for column, value in wanted.items() if value is not None}
        terms = [f"{column} = ?" for column in given]
        # What an index leaves out is to be left out in words, too, before it is used.
        if kind not in {None, ClaimKind.SPACE}:
            terms.append("kind <> 'space'")
        if server:
            terms.append("server <> ''")
        where = " AND ".join(terms) or "1"
        with self._file.read() as sql:
            query = f"SELECT {rows.COLUMNS} FROM claims WHERE {where} ORDER BY id"  # noqa: S608
            return [rows.claim_of(row) for row in sql.execute(query, tuple(given.values()))]

    def make(self, sql: sqlite3.Connection, request: Request, pool: str, *, server: str = "") -> Claim:
        """Write the row of a claim in a transaction of the caller's, who is at work on it if that commits."""
        return self._mine(rows.insert(sql, request, pool, self._workers.token, server=server))

    def _check_more(self, sql: sqlite3.Connection, claim: Claim, more: int) -> None:
        free, state = sql.execute("SELECT free, state FROM pools WHERE id = ?", (claim.pool,)).fetchone()
        if state != "ready":
            raise NoSpaceError(f"{claim.id} cannot grow: pool {claim.pool} is {state}")
        if free < more:
            raise NoSpaceError(
                f"{claim.id} cannot grow by {more} bytes: pool {claim.pool} has {max(free, 0)} free"
            )


def _close_server(sql: sqlite3.Connection, server: Claim) -> None:
    (count,) = sql.execute(
        "SELECT count(*) FROM claims WHERE server = ? AND server <> ''", (server.id,)
    ).fetchone()
    if count:
        raise RefusedError(f"server {server.id} has {count} namespaces")
    sql.execute("UPDATE pools SET server = '' WHERE id = ? AND server = ?", (server.pool, server.id))

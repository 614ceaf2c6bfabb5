from __future__ import annotations

import sqlite3
from typing import Final

import attrs

from statehold_zos.ledger import _rows as rows
from statehold_zos.ledger._claims import Claims
from statehold_zos.ledger._file import File
from statehold_zos.ledger._shelf import SqlShelf
from statehold_zos.ledger._values import Claim, ClaimKind, Request, Sealed
from statehold_zos.planning import choose_served

_STRAYS: Final = """
SELECT id, server, pool FROM claims AS theirs WHERE kind = 'namespace' AND kind <> 'space' AND NOT EXISTS
    (SELECT 1 FROM claims WHERE id = theirs.server AND kind = 'server' AND pool = theirs.pool)
UNION ALL SELECT 'pool ' || id, server, id FROM pools WHERE server <> '' AND NOT EXISTS
    (SELECT 1 FROM claims WHERE id = pools.server AND kind = 'server' AND pool = pools.id)
"""


class Namespaces:
    """Claims of 0-db namespaces, which share the servers of their pools.

    A server is a claim of its own in its pool, of what it needs beside its namespaces; the room of a
    namespace is booked in the same pool. So the space of a server may be as large as `room` says.
    """

    def __init__(self, file: File, claims: Claims) -> None:
        self._file = file
        self._claims = claims

    def reserve(self, request: Request, *, overhead: int) -> Claim:
        """Choose a server with room in its pool, or a pool where one is to be started, and book the room.

        Both claims come about in one transaction; the claim of a new server is `PENDING`, and nobody is at
        work on it: whoever makes the namespace makes the server first, if it is not there. All else is as in
        `Claims.reserve`.

        Args:
            request: of the namespace; its `room` is what it takes, with the server's overhead for it.
            overhead: bytes that a server needs beside its namespaces.

        Raises:
            NoSpaceError: no pool has room.
            RefusedError: the name is there with another size, type or mode.
            ValueError: a size that is not above 0.
            ZosError: another is making it for longer than the ledger's patience.

        """
        return self._claims.found_or_made(request, lambda sql: self._make(sql, request, overhead))

    def room(self, server: str) -> int:
        """Return how many bytes a server and its namespaces need of its pool.

        What its folder takes beyond that, where an image holds it, is booked in the server's room.

        Raises:
            NotFoundError: there is no such server.

        """
        with self._file.read() as sql:
            own = rows.get(sql, server).size
            (theirs,) = sql.execute(
                "SELECT coalesce(sum(room), 0) FROM claims WHERE server = ? AND server <> ''", (server,)
            ).fetchone()
        return own + int(theirs)

    def sealed(self, claim: str) -> Sealed:
        """Return what is kept of a namespace or a server beside its claim."""
        with self._file.read() as sql:
            row = sql.execute("SELECT secret, frozen, port FROM sealed WHERE id = ?", (claim,)).fetchone()
        return Sealed() if row is None else Sealed(secret=row[0], frozen=bool(row[1]), port=row[2])

    def seal(self, claim: str, sealed: Sealed) -> None:
        """Keep it, over what was kept; it goes with the claim.

        Raises:
            NotFoundError: there is none of this id.

        """
        with self._file.write() as sql:
            rows.get(sql, claim)
            sql.execute(
                "INSERT OR REPLACE INTO sealed VALUES (?, ?, ?, ?)",
                (claim, sealed.secret, int(sealed.frozen), sealed.port),
            )

    def check(self) -> list[str]:
        """Return which namespaces and pools have a server that is not theirs, in words."""
        with self._file.read() as sql:
            return [
                f"{what} has the server {server!r}, which is none in pool {pool}"
                for what, server, pool in sql.execute(_STRAYS)
            ]

    def _make(self, sql: sqlite3.Connection, request: Request, overhead: int) -> Claim:
        place = choose_served(
            SqlShelf(sql, served=True),
            SqlShelf(sql, served=False),
            rows.demand_of(request),
            overhead=overhead,
        )
        if place is None:
            needed = f"{request.room:,} bytes free beside a server, or {request.room + overhead:,} for both"
            raise rows.no_space(sql, request, needed)
        if place.served:
            (server,) = sql.execute("SELECT server FROM pools WHERE id = ?", (place.pool,)).fetchone()
        else:
            own = attrs.evolve(
                request, kind=ClaimKind.SERVER, size=overhead, room=overhead, owner="", name="", mode=None
            )
            server = rows.insert(sql, own, place.pool, "").id
            sql.execute("UPDATE pools SET server = ? WHERE id = ?", (server, place.pool))
        return self._claims.make(sql, request, place.pool, server=server)

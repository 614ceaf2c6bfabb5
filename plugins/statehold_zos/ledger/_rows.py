"""Statements about claims, within a transaction of the caller's."""

from __future__ import annotations

import secrets
import sqlite3
from typing import Any, Final

from statehold_zos.ledger._shelf import SqlShelf
from statehold_zos.ledger._values import Claim, ClaimKind, ClaimState, Request
from statehold_zos.model import DiskType, Mode, NoSpaceError, NotFoundError, Placement, RefusedError
from statehold_zos.planning import Demand, choose

COLUMNS: Final = "id, kind, pool, type, size, room, state, owner, name, mode, server, due, worker"


def claim_of(row: tuple[Any, ...], *, mine: bool = False) -> Claim:
    """Return the claim that a row of `COLUMNS` says."""
    claim, kind, pool, disk_type, size, room, state, owner, name, mode, server, due, worker = row
    return Claim(
        id=claim,
        kind=ClaimKind(kind),
        pool=pool,
        type=DiskType(disk_type),
        size=size,
        room=room,
        state=ClaimState(state),
        owner=owner,
        name=name,
        mode=None if mode is None else Mode(mode),
        server=server,
        due=due,
        worker=worker,
        mine=mine,
    )


def find(sql: sqlite3.Connection, claim: str) -> Claim | None:
    """Return a claim, None where there is none."""
    row = sql.execute(f"SELECT {COLUMNS} FROM claims WHERE id = ?", (claim,)).fetchone()  # noqa: S608
    return None if row is None else claim_of(row)


def get(sql: sqlite3.Connection, claim: str) -> Claim:
    """Return a claim, or raise `NotFoundError`."""
    found = find(sql, claim)
    if found is None:
        raise NotFoundError(f"there is no reservation {claim!r}")
    return found


def named(sql: sqlite3.Connection, kind: ClaimKind, owner: str, name: str) -> Claim | None:
    """Return the claim that an owner calls so and has not released."""
    row = sql.execute(
        f"SELECT {COLUMNS} FROM claims WHERE owner = ? AND name = ? AND kind = ?"  # noqa: S608
        " AND name <> '' AND state IN ('pending', 'ready')",
        (owner, name, kind.value),
    ).fetchone()
    return None if row is None else claim_of(row)


def check_same(found: Claim, request: Request) -> None:
    """Raise `RefusedError` where a claim of this name is not what is asked for."""
    for what, has, wanted in (
        ("size", found.size, request.size),
        ("type", found.type.value, request.type.value),
        ("mode", found.mode and found.mode.value, request.mode and request.mode.value),
    ):
        if has != wanted:
            raise RefusedError(
                f"{found.kind.value} {found.name!r} is there already, of {what} {has}, not {wanted}",
                hint="resize it, or take another name" if what == "size" else "take another name",
            )


def insert(sql: sqlite3.Connection, request: Request, pool: str, worker: str, *, server: str = "") -> Claim:
    """Book room of a pool that was chosen."""
    claim = f"{request.kind.value}-{secrets.token_hex(8)}"
    mode = None if request.mode is None else request.mode.value
    sql.execute(
        f"INSERT INTO claims ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?, 0, ?)",  # noqa: S608
        (
            claim,
            request.kind.value,
            pool,
            request.type.value,
            request.size,
            request.room,
            request.owner,
            request.name,
            mode,
            server,
            worker,
        ),
    )
    book(sql, pool, request.room, claims=1)
    return get(sql, claim)


def book(sql: sqlite3.Connection, pool: str, room: int, *, claims: int = 0) -> None:
    """Change what is reserved of a pool by so much."""
    sql.execute(
        "UPDATE pools SET reserved = reserved + ?, free = free - ?, claims = claims + ? WHERE id = ?",
        (room, room, claims, pool),
    )


def delete(sql: sqlite3.Connection, claim: Claim) -> None:
    """Give a claim's room back."""
    sql.execute("DELETE FROM claims WHERE id = ?", (claim.id,))
    sql.execute("UPDATE pools SET server = '' WHERE id = ? AND server = ?", (claim.pool, claim.id))
    book(sql, claim.pool, -claim.room, claims=-1)


def pool_for(sql: sqlite3.Connection, request: Request) -> str:
    """Return the id of the pool that a request gets.

    Raises:
        NoSpaceError: none has room.
        NotFoundError: the pool it asks for is not there.

    """
    if request.pool:
        return _pinned(sql, request)
    demand = demand_of(request)
    pool = choose(SqlShelf(sql), demand)
    if pool is None:
        raise no_space(sql, request, f"{request.room:,} bytes free")
    return pool


def demand_of(request: Request) -> Demand:
    """Return a request as the planner knows it."""
    return Demand(type=request.type, room=request.room, placement=request.placement, avoid=request.avoid)


def no_space(sql: sqlite3.Connection, request: Request, needed: str) -> NoSpaceError:
    """Return the error that says how much there would be."""
    types = DiskType if request.placement is Placement.SSD_FIRST else (request.type,)
    widest = [
        next((r.free for r in SqlShelf(sql).widest(t, 1) if r.pool not in request.avoid), 0) for t in types
    ]
    names = " or ".join(disk_type.value for disk_type in types)
    most = max(widest)
    return NoSpaceError(
        f"no pool of {names} has {needed}"
        + (f"; the one with the most has {most:,}" if most else "; none has any"),
        hint="release what is not needed, or add a disk and prepare it",
    )


def _pinned(sql: sqlite3.Connection, request: Request) -> str:
    row = sql.execute("SELECT free, state FROM pools WHERE id = ?", (request.pool,)).fetchone()
    if row is None:
        raise NotFoundError(f"there is no pool {request.pool!r}")
    free, state = row
    if state != "ready":
        raise NoSpaceError(f"pool {request.pool} takes no reservations: it is {state}")
    if free < request.room:
        raise NoSpaceError(
            f"pool {request.pool} has {max(free, 0):,} bytes free, {request.room:,} are needed"
        )
    return request.pool

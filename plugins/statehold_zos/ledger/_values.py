from __future__ import annotations

from enum import Enum

import attrs

from statehold_zos.model import DiskType, Mode, Placement, PoolState


class ClaimKind(Enum):
    """What takes room of a pool."""

    SPACE = "space"
    SERVER = "server"
    NAMESPACE = "namespace"


class ClaimState(Enum):
    """How far a claim is. Its room is taken in each of these states.

    `PENDING`: what it stands for is being made. `READY`: it is there. `RELEASED`: kept until its grace time
    is over. `RELEASING`: being removed. The name of a claim that was released can be used anew.
    """

    PENDING = "pending"
    READY = "ready"
    RELEASED = "released"
    RELEASING = "releasing"


@attrs.frozen(kw_only=True)
class Request:
    """What is to be reserved.

    Attributes:
        kind: what for.
        type: of disks.
        size: bytes that were asked for.
        room: bytes it takes of the pool; *size* where it says nothing.
        placement: which of the pools with room.
        owner: who asks, "" for the operator.
        name: how the owner calls it, "" for not at all: then the same request makes another claim.
        mode: of a namespace.
        pool: the id of the pool that it must get, "" for any.
        avoid: ids of pools that it must not get.

    """

    kind: ClaimKind
    type: DiskType
    size: int
    room: int = attrs.Factory(lambda self: self.size, takes_self=True)
    placement: Placement = Placement.BEST_FIT
    owner: str = ""
    name: str = ""
    mode: Mode | None = None
    pool: str = ""
    avoid: frozenset[str] = frozenset()


@attrs.frozen(kw_only=True)
class Claim:
    """A row of the ledger: room of a pool that is taken.

    Attributes:
        id: sixteen hexadecimal digits after the kind, such as `space-0123456789abcdef`; never used again.
        kind: what for.
        pool: the id of its pool.
        type: of disks, as it was asked for; with `SSD_FIRST` the pool's may be another.
        size: bytes that were asked for.
        room: bytes it takes of the pool.
        state: see `ClaimState`.
        owner: who asked for it, "" for the operator.
        name: how the owner calls it, "" for not at all.
        mode: of a namespace, None for others.
        server: of a namespace the id of its server's claim, "" for others.
        due: of a `RELEASED` one, when its grace time is over, seconds since 1970; 0.0 for others.
        worker: the token of who is at work on it, "" for nobody.
        mine: whether the caller is at work on it now, and has to end with `settle`, `forget` or `leave`.

    """

    id: str
    kind: ClaimKind
    pool: str
    type: DiskType
    size: int
    room: int
    state: ClaimState
    owner: str
    name: str
    mode: Mode | None
    server: str
    due: float
    worker: str
    mine: bool


@attrs.frozen(kw_only=True)
class PoolRow:
    """A pool, as the ledger knows it.

    Attributes:
        id: its name that stays.
        type: of its disks.
        size: bytes that may be filled.
        budget: bytes that may be reserved: *size*, times what is over-provisioned.
        reserved: bytes that its claims take.
        free: *budget* less *reserved*; below 0 where the pool has become smaller than what was reserved.
        claims: how many.
        state: reservations go to `READY` pools only.
        reason: why it is not ready, in words.
        server: the id of the claim of the 0-db server that takes namespaces on it, "" for none.

    """

    id: str
    type: DiskType
    size: int
    budget: int
    reserved: int
    free: int
    claims: int
    state: PoolState
    reason: str
    server: str


@attrs.frozen(kw_only=True)
class Sealed:
    """What is kept of a namespace or a server beside its claim; nothing of it is ever clear text.

    Attributes:
        secret: a password that was sealed or hashed by who put it here; b"" for none.
        frozen: whether it can only be read.
        port: where the server listens, 0 for not known.

    """

    secret: bytes = b""
    frozen: bool = False
    port: int = 0

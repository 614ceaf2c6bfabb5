"""What is reserved, in one file that any number of threads and processes share.

A claim takes room of a pool. It is made in one transaction that chooses the pool, books the room and writes
the row, so nothing is promised twice. It begins `PENDING`, becomes `READY` when what it stands for is there,
and ends with `begin_release` and `forget`. Who makes or removes something is at work on its row; that a
process was killed at it shows in a lock that it no longer holds, and `stale` tells which rows it left.
"""

from __future__ import annotations

from statehold_zos.ledger._claims import Claims
from statehold_zos.ledger._ledger import Ledger
from statehold_zos.ledger._namespaces import Namespaces
from statehold_zos.ledger._notes import Notes
from statehold_zos.ledger._pools import Pools
from statehold_zos.ledger._values import Claim, ClaimKind, ClaimState, PoolRow, Request, Sealed

__all__ = [
    "Claim",
    "ClaimKind",
    "ClaimState",
    "Claims",
    "Ledger",
    "Namespaces",
    "Notes",
    "PoolRow",
    "Pools",
    "Request",
    "Sealed",
]

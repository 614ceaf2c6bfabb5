"""Keeps what a 0-db engine has in a store of objects, too, so that it outlives the machine.

How it works:

- Again and again, or when somebody waits for it, a cut of all namespaces is made: what they have at one
  moment. What the store lacks of it is sent: closed segments as one object each, ends of segments as pieces
  or, if they are few, together with the small object that tells of the cut. With that object the cut is in
  the store, as a whole.
- What is to be sent is what the engine has and the store lacks. So nothing is forgotten by whatever ends the
  process, and there is no queue that could overflow.
- A segment is deleted here only after the store has shown that it has all of it. Reads of it bring the
  megabyte that they need.
- Whose turn it is to write stands in one object, the head; who takes over replaces it. Whoever wrote before
  finds out at its next write, which is not acknowledged any more.
"""

from __future__ import annotations

from statehold_qsfs.protection._errors import (
    BarrierError,
    DivergedError,
    FencedError,
    ProtectionError,
    StoreChangedError,
    StoreError,
    StoreMissingError,
)
from statehold_qsfs.protection._figures import Figures
from statehold_qsfs.protection._protection import Protection, ProtectionOptions
from statehold_qsfs.protection._restore import Restored, restore
from statehold_qsfs.protection._store import Store, ZstorStore

__all__ = [
    "BarrierError",
    "DivergedError",
    "FencedError",
    "Figures",
    "Protection",
    "ProtectionError",
    "ProtectionOptions",
    "Restored",
    "Store",
    "StoreChangedError",
    "StoreError",
    "StoreMissingError",
    "ZstorStore",
    "restore",
]

"""The engine of 0-db: namespaces of keys and payloads, in append-only segments.

How it works:

- A record is appended to the active segment of its namespace, `d7`, and the key's position kept in memory:
  one int of 32 bytes in a dict, or 8 bytes in an array where keys are numbers. Payloads are read from the
  files.
- Every record has a CRC of its header and key, and one of its payload, which every GET checks.
- An index file, `i7`, stands beside each segment. It follows the data in blocks, once they are synced; a
  start reads those and, from the data, only what came after the last block. What is damaged or lost of an
  index is made anew from the data. A record that was not written to its end is cut off; what follows damage
  in the middle is found again by its mark.
- When the active segment is full, the next one is begun. Compaction writes closed segments anew with what
  keys still stand at.
- Durability is a matter of each namespace: a sync for every write, one sync for all who wait (the one who
  comes first does it for all), or one within an interval.
- A sync that failed ends all writing to the namespace until it is reloaded: nobody knows what the kernel has
  dropped.
"""

from __future__ import annotations

from statehold_zdb.engine._batch import Batch
from statehold_zdb.engine._core import Closed
from statehold_zdb.engine._cut import Cut, Part
from statehold_zdb.engine._disk import Disk
from statehold_zdb.engine._engine import DEFAULT, MAX_NAME, Engine
from statehold_zdb.engine._errors import (
    ZdbCursorError,
    ZdbError,
    ZdbFrozenError,
    ZdbFullError,
    ZdbHeldError,
    ZdbKeyError,
    ZdbMissingError,
    ZdbNameError,
    ZdbReadError,
    ZdbReadOnlyError,
    ZdbTooLargeError,
    ZdbWormError,
    ZdbWriteError,
)
from statehold_zdb.engine._events import ZdbHooks, hookimpl
from statehold_zdb.engine._namespace import Figures, Namespace
from statehold_zdb.engine._options import DEFAULT_SEGMENT, Durability, EngineOptions, Mode, Sync
from statehold_zdb.engine._reading import Version
from statehold_zdb.engine._record import MAX_KEY, MAX_PAYLOAD
from statehold_zdb.engine._scan import Found, Page
from statehold_zdb.engine._settings import Settings

__all__ = [
    "DEFAULT",
    "DEFAULT_SEGMENT",
    "MAX_KEY",
    "MAX_NAME",
    "MAX_PAYLOAD",
    "Batch",
    "Closed",
    "Cut",
    "Disk",
    "Durability",
    "Engine",
    "EngineOptions",
    "Figures",
    "Found",
    "Mode",
    "Namespace",
    "Page",
    "Part",
    "Settings",
    "Sync",
    "Version",
    "ZdbCursorError",
    "ZdbError",
    "ZdbFrozenError",
    "ZdbFullError",
    "ZdbHeldError",
    "ZdbHooks",
    "ZdbKeyError",
    "ZdbMissingError",
    "ZdbNameError",
    "ZdbReadError",
    "ZdbReadOnlyError",
    "ZdbTooLargeError",
    "ZdbWormError",
    "ZdbWriteError",
    "hookimpl",
]

from __future__ import annotations

import threading

import attrs


@attrs.define(eq=False)
class Figures:
    """What a monitor has seen and done.

    Attributes:
        objects: how many there were when all metadata were last looked at.
        bytes: of all of them.
        tickets: how many of them had less than their redundancy.
        oldest_ticket: when the oldest of those was stored, in seconds since 1970; 0 where there is none.
        leftovers: how many replaced or deleted shards were still to be deleted.
        unread: how many objects there were then whose metadata could not be read.
        looked: when that was, in seconds since 1970.
        repaired: how many objects were repaired.
        failed: how many repairs failed.
        remade: how many shards were made anew, and
        moved: how many were brought elsewhere, and
        mended: in how many were damaged pieces.
        swept: how many pieces that belong to no object were deleted.
        scrubbed: how many bytes of objects were read to look for damage.
        scrub_done: the part of objects that the scrub has seen that runs, or 1.
        scrub_ended: when the last scrub came to its end.
        unreadable: how many objects could not be read in the last scrub.
        reloads: how often the configuration was read again.
        refused: how often it was wrong then.
        evicted: how many local files were deleted because they are stored.

    """

    objects: int = 0
    bytes: int = 0
    tickets: int = 0
    oldest_ticket: float = 0.0
    leftovers: int = 0
    unread: int = 0
    looked: float = 0.0
    repaired: int = 0
    failed: int = 0
    remade: int = 0
    moved: int = 0
    mended: int = 0
    swept: int = 0
    scrubbed: int = 0
    scrub_done: float = 1.0
    scrub_ended: float = 0.0
    unreadable: int = 0
    reloads: int = 0
    refused: int = 0
    evicted: int = 0
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    def add(self, **counts: int) -> None:
        """Add to some of them."""
        with self._lock:
            for name, count in counts.items():
                setattr(self, name, getattr(self, name) + count)

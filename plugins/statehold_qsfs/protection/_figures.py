from __future__ import annotations

import msgspec


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """How well what is here is protected, now.

    Attributes:
        pending_bytes: what is not in the store yet, and is lost if this machine is.
        pending_segments: how many segments have such bytes.
        oldest_seconds: for how long the oldest of them may have been waiting; 0 if there are none.
        unsealed: how many closed segments are not stored as one object yet, and cannot be evicted.
        sent_bytes: what was stored since the start.
        brought_bytes: what was brought back since the start.
        local_bytes: what the data take on this disk.
        limit_bytes: what they may take; 0 for no limit.
        evicted: how many segments only the store has.
        evictions: how many were deleted here since the start.
        epoch: how often somebody has begun to write to the store; this machine last.
        last: when the last cut was made that is in the store, in seconds since 1970; 0 if there is none.
        failures: how often in a row the store did not take what it was given.
        problem: what the store said last; empty while all is well.
        fenced: whether another machine has taken over.

    """

    pending_bytes: int
    pending_segments: int
    oldest_seconds: float
    unsealed: int
    sent_bytes: int
    brought_bytes: int
    local_bytes: int
    limit_bytes: int
    evicted: int
    evictions: int
    epoch: int
    last: float
    failures: int
    problem: str
    fenced: bool

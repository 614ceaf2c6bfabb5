"""A filesystem that outlives its machine and nearly half of its stores: `statehold qsfs demo`."""

from __future__ import annotations

from statehold_qsfs.demo._story import tell

__all__ = ["tell"]

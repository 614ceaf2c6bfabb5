"""A filesystem where programs see it: mounted through FUSE."""

from __future__ import annotations

from statehold_qsfs.mount._inodes import Inodes

__all__ = ["Inodes"]

"""Limits of btrfs: a subvolume for each folder, and a qgroup above them that has the limit of the group."""

from __future__ import annotations

from statehold_quota._btrfs._backend import Btrfs
from statehold_quota._btrfs._state import Mode

__all__ = ["Btrfs", "Mode"]

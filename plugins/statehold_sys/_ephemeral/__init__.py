from __future__ import annotations

from statehold_sys._ephemeral._storage import Ephemeral

__all__ = ["Ephemeral"]

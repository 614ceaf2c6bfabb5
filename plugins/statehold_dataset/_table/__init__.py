from __future__ import annotations

from statehold_dataset._table._storage import Table

__all__ = ["Table"]

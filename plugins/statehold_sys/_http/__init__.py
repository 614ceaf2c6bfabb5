from __future__ import annotations

from statehold_sys._http._storage import Http

__all__ = ["Http"]

"""HTTP as storages speak it: bounded in time, size, redirects and reach."""

from __future__ import annotations

from statehold_sys._web._lazy import LazyClient

__all__ = ["LazyClient"]

"""Placement: which backend gets which shard. Pure, and quick for any number of groups and backends."""

from __future__ import annotations

from statehold_zstor.placement._place import place, place_some
from statehold_zstor.placement._rules import PlacementError, Rules, Spot

__all__ = ["PlacementError", "Rules", "Spot", "place", "place_some"]

"""The compatibility kit of row stores: one class to subclass per driver."""

from __future__ import annotations

from statehold.testing.rows._conformance import RowStoreConformance

__all__ = ["RowStoreConformance"]

"""The life of two services in a vehicle, told while it happens: `statehold aos demo`."""

from __future__ import annotations

from statehold_aos.demo._story import tell

__all__ = ["tell"]

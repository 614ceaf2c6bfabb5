"""The monitor: watches backends, repairs what lost redundancy, scrubs, and tells figures."""

from __future__ import annotations

from statehold_zstor.monitor._figures import Figures
from statehold_zstor.monitor._metrics import Collector
from statehold_zstor.monitor._monitor import Monitor

__all__ = ["Collector", "Figures", "Monitor"]

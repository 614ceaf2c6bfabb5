"""Storage `Launcher`: services as real processes, for the users who are there."""

from __future__ import annotations

from statehold_aos.launcher._config import LauncherConfig
from statehold_aos.launcher._provider import make_provider

__all__ = ["LauncherConfig", "make_provider"]

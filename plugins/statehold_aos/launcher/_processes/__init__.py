"""Services as processes: what starts, ends and limits them."""

from __future__ import annotations

from statehold_aos.launcher._processes._choose import choose_runner
from statehold_aos.launcher._processes._runner import (
    Bind,
    Ended,
    Event,
    Failed,
    Fallback,
    Process,
    Runner,
    Spec,
    Started,
)

__all__ = [
    "Bind",
    "Ended",
    "Event",
    "Failed",
    "Fallback",
    "Process",
    "Runner",
    "Spec",
    "Started",
    "choose_runner",
]

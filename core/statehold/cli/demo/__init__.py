"""The story that `statehold demo` tells: real commands on a real application, explained."""

from __future__ import annotations

from statehold.cli.demo._rates import RatesServer
from statehold.cli.demo._samples import sample
from statehold.cli.demo._story import tell

__all__ = ["RatesServer", "sample", "tell"]

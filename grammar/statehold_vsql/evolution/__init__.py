"""What changed between the declarations of two versions of an app, and who is broken by it."""

from __future__ import annotations

from statehold_vsql.evolution._change import Broken, Change
from statehold_vsql.evolution._compare import compare

__all__ = ["Broken", "Change", "compare"]

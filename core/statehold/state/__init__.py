"""What stands between an extension and a storage: checked keys and values, facades, intents."""

from __future__ import annotations

from statehold.state._facade import METHODS, CallCounts, Facade, compile_facade
from statehold.state._fieldcheck import int_range
from statehold.state._intents import apply_intents
from statehold.state._rows import Rows, compile_rows

__all__ = [
    "METHODS",
    "CallCounts",
    "Facade",
    "Rows",
    "apply_intents",
    "compile_facade",
    "compile_rows",
    "int_range",
]

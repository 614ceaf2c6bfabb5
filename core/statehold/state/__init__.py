"""What stands between an extension and a storage: checked keys and values, facades, intents."""

from __future__ import annotations

from statehold.state._builder import ValueBuilder
from statehold.state._bundle import BundledState
from statehold.state._errors import (
    ExistsError,
    IntentLimitError,
    NotExistsError,
    StateError,
    UnknownStorageError,
    UnsupportedError,
)
from statehold.state._facade import METHODS, CallCounts, Facade, compile_facade
from statehold.state._fieldcheck import int_range
from statehold.state._intents import apply_intents
from statehold.state._rows import Rows, compile_rows
from statehold.state._slot import Slot
from statehold.state._state import State

__all__ = [
    "METHODS",
    "BundledState",
    "CallCounts",
    "ExistsError",
    "Facade",
    "IntentLimitError",
    "NotExistsError",
    "Rows",
    "Slot",
    "State",
    "StateError",
    "UnknownStorageError",
    "UnsupportedError",
    "ValueBuilder",
    "apply_intents",
    "compile_facade",
    "compile_rows",
    "int_range",
]

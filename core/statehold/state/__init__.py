"""What stands between an extension and a storage: checked keys and values, facades, intents."""

from __future__ import annotations

from statehold.state._builder import ValueBuilder
from statehold.state._bundle import BundledState
from statehold.state._counts import CallCounts
from statehold.state._errors import (
    ExistsError,
    IntentLimitError,
    NotExistsError,
    StateError,
    UnknownStorageError,
)
from statehold.state._facade import Facade, compile_facade
from statehold.state._fieldcheck import int_range
from statehold.state._intents import apply_intents
from statehold.state._latency import LATENCIES
from statehold.state._operations import METHODS
from statehold.state._record import IntentRecord
from statehold.state._rows import Rows, compile_rows
from statehold.state._sharing import share_rows
from statehold.state._slot import Slot, compile_slot
from statehold.state._state import State
from statehold.state._uses import Uses

__all__ = [
    "LATENCIES",
    "METHODS",
    "BundledState",
    "CallCounts",
    "ExistsError",
    "Facade",
    "IntentLimitError",
    "IntentRecord",
    "NotExistsError",
    "Rows",
    "Slot",
    "State",
    "StateError",
    "UnknownStorageError",
    "Uses",
    "ValueBuilder",
    "apply_intents",
    "compile_facade",
    "compile_rows",
    "compile_slot",
    "int_range",
    "share_rows",
]

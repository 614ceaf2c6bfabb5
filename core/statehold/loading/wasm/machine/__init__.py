"""What every WebAssembly of this host runs on: the fast way in and out, deadlines, and compiled modules."""

from __future__ import annotations

from statehold.loading.wasm.machine._aside import aside
from statehold.loading.wasm.machine._engine import (
    MIB,
    Machine,
    compiled,
    letters,
    new_engine,
    new_store,
    said_type,
)
from statehold.loading.wasm.machine._native import (
    Argument,
    address,
    argument,
    callback,
    caller,
    check_wasmtime,
    deadline_setter,
    func_type,
    new_function,
    type_text,
)
from statehold.loading.wasm.machine._stops import owned, reason
from statehold.loading.wasm.machine._ticker import TICK, Ticker, ticks

__all__ = [
    "MIB",
    "TICK",
    "Argument",
    "Machine",
    "Ticker",
    "address",
    "argument",
    "aside",
    "callback",
    "caller",
    "check_wasmtime",
    "compiled",
    "deadline_setter",
    "func_type",
    "letters",
    "new_engine",
    "new_function",
    "new_store",
    "owned",
    "reason",
    "said_type",
    "ticks",
    "type_text",
]

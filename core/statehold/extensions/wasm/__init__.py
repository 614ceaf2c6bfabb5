"""Runs extensions that are WebAssembly: EXTENSION ENGINE WASM, one module per package of the image."""

from __future__ import annotations

from statehold.extensions.wasm._engine import WasmEngine, open_wasm
from statehold.extensions.wasm._limits import WasmLimits

__all__ = ["WasmEngine", "WasmLimits", "open_wasm"]

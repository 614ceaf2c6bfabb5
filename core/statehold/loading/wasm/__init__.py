"""Loads storages that are WebAssembly: a module of the image that has no files, no network and no neighbours.

Reading what a module says of itself takes no WebAssembly runtime; that comes with `load_wasm`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from statehold.loading.wasm._description import Description, StorageDescription, describe_wasm
from statehold.loading.wasm._errors import Reason, WasmError
from statehold.loading.wasm._limits import WasmLimits, read_limits

if TYPE_CHECKING:
    from statehold.loading.wasm._plugin import WasmPlugin, load_wasm

__all__ = [
    "Description",
    "Reason",
    "StorageDescription",
    "WasmError",
    "WasmLimits",
    "WasmPlugin",
    "describe_wasm",
    "load_wasm",
    "read_limits",
]

_WITH_RUNTIME = ("WasmPlugin", "load_wasm")


def __getattr__(name: str) -> object:
    if name not in _WITH_RUNTIME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}._plugin"), name)

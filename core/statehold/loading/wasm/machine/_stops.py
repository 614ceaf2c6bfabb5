from __future__ import annotations

import ctypes

import wasmtime
from wasmtime import _ffi as ffi


def owned(error: int | None, trap: int | None) -> wasmtime.Trap | wasmtime.WasmtimeError:
    """Return an error or a trap as what owns it, and gives it back when nobody has it any more."""
    if error:
        pointer = ctypes.cast(error, ctypes.POINTER(ffi.wasmtime_error_t))
        return wasmtime.WasmtimeError._from_ptr(pointer)  # noqa: SLF001 - no other way to one
    return wasmtime.Trap._from_ptr(ctypes.cast(trap or 0, ctypes.POINTER(ffi.wasm_trap_t)))  # noqa: SLF001


def reason(message: str) -> str:
    """Return what stands below the backtrace in a message of wasmtime."""
    last = message.strip().splitlines()[-1].strip()
    return f"it trapped: {last.removeprefix('wasm trap: ')}"

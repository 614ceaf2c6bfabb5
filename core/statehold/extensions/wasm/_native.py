"""The few functions of wasmtime's C interface that every call goes through.

The package's own `Func` takes microseconds where these take a fraction of one, and it keeps what a host
function raised in one place for all threads of the process, where another guest's failure would find it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from struct import Struct
from typing import Any, Final

import attrs
import wasmtime
from wasmtime import _ffi as ffi

#: What a host function looks like from C: (environment, caller, raw values, how many) -> trap or NULL.
CALLBACK: Final = ctypes.CFUNCTYPE(
    ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t
)
#: Raw values come by address; a struct reads or writes all of them there in one step.
_ADDRESSES: Final = (ctypes.c_char * (2**63 - 1)).from_address(0)
#: How one raw value of 16 bytes is read, by its letter: handle, pointer or length, int32, int64, floats.
_FORMATS: Final = {"h": "Q8x", "p": "I12x", "i": "i12x", "l": "q8x", "f": "f12x", "d": "d8x"}
_TYPES: Final = {"h": "i64", "l": "i64", "p": "i32", "i": "i32", "f": "f32", "d": "f64"}
RAW_SIZE: Final = 16


@attrs.frozen(eq=False)
class Native:
    """The functions, taken from the library that the package has loaded; addresses are plain ints."""

    call: Callable[[int, int, int, int, int], int | None]
    data: Callable[[int, int], int]
    data_size: Callable[[int, int], int]
    set_deadline: Callable[[int, int], None]
    increment_epoch: Callable[[int], None]
    new_trap: Callable[[bytes, int], int]


@cache
def native() -> Native:
    """Return the functions."""
    path = ffi.dll._name  # noqa: SLF001 - ctypes has no other way to ask for it
    # The GIL is let go only where a guest runs; it is not worth it for what takes nanoseconds.
    free, held = ctypes.CDLL(path), ctypes.PyDLL(path)
    pointer, size = ctypes.c_void_p, ctypes.c_size_t

    def function(library: Any, name: str, result: Any, *parameters: Any) -> Any:
        found = library[name]
        found.restype, found.argtypes = result, parameters
        return found

    return Native(
        function(free, "wasmtime_func_call_unchecked", pointer, pointer, pointer, pointer, size, pointer),
        function(held, "wasmtime_memory_data", pointer, pointer, pointer),
        function(held, "wasmtime_memory_data_size", size, pointer, pointer),
        function(held, "wasmtime_context_set_epoch_deadline", None, pointer, ctypes.c_uint64),
        function(held, "wasmtime_engine_increment_epoch", None, pointer),
        function(held, "wasmtime_trap_new", pointer, ctypes.c_char_p, size),
    )


def address(pointer: Any) -> int:
    """Return what a pointer of ctypes points to."""
    return ctypes.cast(pointer, ctypes.c_void_p).value or 0


def func_type(parameters: str, result: str) -> wasmtime.FuncType:
    """Return the type of a function in WebAssembly's words; `parameters` and `result` are letters."""
    kinds = {"i32": wasmtime.ValType.i32, "i64": wasmtime.ValType.i64}
    kinds |= {"f32": wasmtime.ValType.f32, "f64": wasmtime.ValType.f64}
    return wasmtime.FuncType(
        [kinds[_TYPES[one]]() for one in parameters], [kinds[_TYPES[one]]() for one in result]
    )


def type_text(parameters: str, result: str) -> str:
    """Return the type of a function for people: `(i32, i64) -> i64`."""
    return f"({', '.join(_TYPES[one] for one in parameters)}) -> {_TYPES[result] if result else 'nothing'}"


def callback(
    function: Callable[..., Any], parameters: str, result: str, fail: Callable[[BaseException], int]
) -> Any:
    """Return *function* as C calls it; what it raises goes to *fail*, which returns a trap."""
    unpack = Struct("<" + "".join(_FORMATS[one] for one in parameters)).unpack_from
    memory = _ADDRESSES

    if not result:

        def act(_environment: Any, _caller: Any, raw: int, _count: int) -> int | None:
            try:
                function(*unpack(memory, raw))
            except BaseException as error:  # noqa: BLE001 - nothing may pass through C; `fail` keeps it
                return fail(error)
            return None

        return CALLBACK(act)
    pack = Struct("<" + _FORMATS[result].rstrip("0123456789x")).pack_into

    def answer(_environment: Any, _caller: Any, raw: int, _count: int) -> int | None:
        try:
            pack(memory, raw, function(*unpack(memory, raw)))
        except BaseException as error:  # noqa: BLE001
            return fail(error)
        return None

    return CALLBACK(answer)

"""The way into a guest and out of it, through wasmtime's C interface.

The package's own `Func` takes microseconds where these take a fraction of one, and it keeps what a host
function raised in one place for all threads of the process, where another guest's failure would find it.
All that is not on this way goes through the package.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from struct import Struct
from typing import Any, Final, NewType, cast

import wasmtime
from wasmtime import _ffi as ffi

from statehold.sdk import StateholdError

#: The major version of wasmtime whose C interface this is; it promises nothing from one to the next.
_MADE_FOR: Final = "50"
#: A number of the width of a pointer, converted for C; a plain int would be cut to 32 bits.
Argument = NewType("Argument", object)
#: What a host function looks like from C: (environment, caller, raw values, how many) -> trap or NULL.
CALLBACK: Final = ctypes.CFUNCTYPE(
    ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t
)
#: Raw values come by address; a struct reads or writes all of them there in one step.
_ADDRESSES: Final = (ctypes.c_char * (2**63 - 1)).from_address(0)
_NO_FINALIZER: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p)()
#: How one raw value of 16 bytes is read, by its letter: handle, pointer or length, int32, int64, floats.
_FORMATS: Final = {"h": "Q8x", "p": "I12x", "i": "i12x", "l": "q8x", "f": "f12x", "d": "d8x"}
_TYPES: Final = {"h": "i64", "l": "i64", "p": "i32", "i": "i32", "f": "f32", "d": "f64"}


def check_wasmtime() -> None:
    """Raise StateholdError unless the wasmtime that is installed is one that this is made for."""
    found = version("wasmtime")
    if found.partition(".")[0] != _MADE_FOR:
        raise StateholdError(
            f"WebAssembly cannot be run: this host is made for wasmtime {_MADE_FOR}, and has {found}",
            hint=f"Install one that fits: pip install 'wasmtime=={_MADE_FOR}.*'",
        )


def argument(number: int) -> Argument:
    """Return an address, or a count, as `caller` takes it."""
    return cast("Argument", ctypes.c_void_p.from_param(number))


@cache
def caller() -> Callable[[Argument, Argument, Argument, Argument, Argument], int | None]:
    """Return what calls a guest, without the GIL: (context, function, raw values, how many, trap) -> error.

    All are addresses but for the count; an error and a trap belong to the caller.
    """
    # Looked up like this, it is an object of its own, and that of the package keeps its types. It has none:
    # with types, each call would convert its arguments anew, which takes a third of its time.
    found = ffi.dll["wasmtime_func_call_unchecked"]
    found.restype = ctypes.c_void_p
    call: Callable[[Argument, Argument, Argument, Argument, Argument], int | None] = found
    return call


@cache
def deadline_setter() -> Callable[[int, int], None]:
    """Return what sets how many ticks a guest may compute from now on: (context, ticks)."""
    found = ffi.dll["wasmtime_context_set_epoch_deadline"]
    found.restype, found.argtypes = None, (ctypes.c_void_p, ctypes.c_uint64)
    call: Callable[[int, int], None] = found
    return call


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


def new_function(store: wasmtime.Store, kind: wasmtime.FuncType, own: Any) -> wasmtime.Func:
    """Return a function that a guest may import; *own* is of `callback`, and has to live as long."""
    made = ffi.wasmtime_func_t()
    ffi.wasmtime_func_new_unchecked(
        ffi.wasmtime_store_context(store.ptr()),
        kind.ptr(),
        ctypes.cast(own, ffi.wasmtime_func_unchecked_callback_t),
        None,
        _NO_FINALIZER,
        ctypes.byref(made),
    )
    return wasmtime.Func._from_raw(made)  # noqa: SLF001 - no other way to one


def callback(
    function: Callable[..., Any], parameters: str, result: str, fail: Callable[[BaseException], None]
) -> Any:
    """Return *function* as C calls it; what it raises goes to *fail*, and the guest traps."""
    unpack = Struct("<" + "".join(_FORMATS[one] for one in parameters)).unpack_from
    memory = _ADDRESSES

    if not result:

        def act(_environment: Any, _caller: Any, raw: int, _count: int) -> int | None:
            try:
                function(*unpack(memory, raw))
            except BaseException as error:  # noqa: BLE001 - nothing may pass through C; `fail` keeps it
                fail(error)
                return _new_trap()
            return None

        return CALLBACK(act)
    pack = Struct("<" + _FORMATS[result].rstrip("0123456789x")).pack_into

    def answer(_environment: Any, _caller: Any, raw: int, _count: int) -> int | None:
        try:
            pack(memory, raw, function(*unpack(memory, raw)))
        except BaseException as error:  # noqa: BLE001
            fail(error)
            return _new_trap()
        return None

    return CALLBACK(answer)


def _new_trap() -> int:
    """Return a trap, which belongs to wasmtime as soon as a callback returns it."""
    return address(ffi.wasmtime_trap_new(b"host", 4))

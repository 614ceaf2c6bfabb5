from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from typing import Any, Final

import wasmtime
from wasmtime import _ffi as ffi

from statehold.extensions.wasm._abi import MEMORY, ON_READ
from statehold.extensions.wasm._errors import GuestError, TrapError
from statehold.extensions.wasm._limits import WasmLimits
from statehold.extensions.wasm._memory import Memory
from statehold.extensions.wasm._module import Module
from statehold.extensions.wasm._native import address, callback, native
from statehold.extensions.wasm._ticker import Ticker, ticks

_NO_FINALIZER: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p)()

Functions = Mapping[tuple[str, str], Callable[..., Any]]


class Guest:
    """One instance of a module: calls into it, and the time they may take. One thread at a time.

    Args:
        engine: what the module was compiled for.
        memory: is attached to the instance's memory.
        functions: what the guest may import, by module and name.
        time: lets time pass.

    """

    def __init__(
        self,
        engine: wasmtime.Engine,
        module: Module,
        memory: Memory,
        functions: Functions,
        *,
        limits: WasmLimits,
        time: Ticker,
    ) -> None:
        self.time = time
        self._until = 0
        self._failure: BaseException | None = None
        self._allocating = False
        self._functions: dict[str, Any] = {}
        self._trap = ctypes.c_void_p()
        self._trap_at = ctypes.addressof(self._trap)
        self._native = native()
        self._store = wasmtime.Store(engine)
        self._store.set_limits(
            memory_size=limits.memory, table_elements=100_000, instances=1, tables=8, memories=1
        )
        self._context_pointer = ffi.wasmtime_store_context(self._store.ptr())
        self._context = address(self._context_pointer)
        self._callbacks: list[Any] = []
        self._instance = ffi.wasmtime_instance_t()
        try:
            self.allow(limits.start_seconds)
            self._instantiate(module, functions)
            self._begin(memory)
        except BaseException:
            self.close()
            raise

    def call(self, name: str) -> None:
        """Call an export without parameters and result.

        Raises:
            TrapError: the guest trapped.
            Exception: what a host function raised, as it was.

        """
        self._call(self._function(name), 0, 0)

    def on_read(self, key: int, value: int) -> None:
        """Hand one row of a READ to the guest."""
        raw = self._read_raw
        raw[0], raw[2] = key, value
        self._call(self._read_function, self._read_at, 2)

    def allow(self, seconds: float) -> None:
        """Let the guest compute so long from now on."""
        count = ticks(seconds)
        self._until = self.time.ticks + count
        self._native.set_deadline(self._context, count)

    def forgive(self, before: int) -> None:
        """Do not count the time since *before*, in ticks: it was the host's."""
        now = self.time.ticks
        self._until += now - before
        self._native.set_deadline(self._context, max(self._until - now, 1))

    def close(self) -> None:
        """Give everything back."""
        self._store.close()
        self._callbacks.clear()
        self._functions.clear()

    def _instantiate(self, module: Module, functions: Functions) -> None:
        imports = (ffi.wasmtime_extern_t * len(module.imports))()
        for place, each in zip(imports, module.imports, strict=True):
            own = callback(functions[each.module, each.name], each.parameters, each.result, self._fail)
            self._callbacks.append(own)
            ffi.wasmtime_func_new_unchecked(
                self._context_pointer,
                each.type.ptr(),
                ctypes.cast(own, ffi.wasmtime_func_unchecked_callback_t),
                None,
                _NO_FINALIZER,
                ctypes.byref(place.of.func),
            )
            place.kind = ffi.WASMTIME_EXTERN_FUNC.value
        trap = ctypes.POINTER(ffi.wasm_trap_t)()
        error = ffi.wasmtime_instance_new(
            self._context_pointer,
            module.code.ptr(),
            imports,
            len(imports),
            ctypes.byref(self._instance),
            ctypes.byref(trap),
        )
        self._check(address(error), address(trap))

    def _begin(self, memory: Memory) -> None:
        handle = self._export(MEMORY).memory
        self._memory_handle = ffi.wasmtime_memory_t.from_buffer_copy(handle)
        self._read_function = self._function(ON_READ)
        self._read_raw = (ctypes.c_uint64 * 4)()
        self._read_at = ctypes.addressof(self._read_raw)
        self._malloc_function = self._function("malloc")
        self._malloc_raw = (ctypes.c_uint64 * 2)()
        self._malloc_at = ctypes.addressof(self._malloc_raw)
        memory.attach(self._context, ctypes.addressof(self._memory_handle), self._malloc)

    def _malloc(self, size: int) -> int:
        if self._allocating:
            raise GuestError("its malloc asks the host for something that the host has to ask malloc for")
        self._allocating = True
        try:
            self._malloc_raw[0] = size
            self._call(self._malloc_function, self._malloc_at, 1)
            return int(self._malloc_raw[0]) & 0xFFFFFFFF
        finally:
            self._allocating = False

    def _call(self, function: int, raw: int, count: int) -> None:
        error = self._native.call(self._context, function, raw, count, self._trap_at)
        trap = self._trap.value
        if error or trap:
            self._trap.value = None
            self._check(error or 0, trap or 0)

    def _check(self, error: int, trap: int) -> None:
        """Raise what a call, or making the instance, came to."""
        failure, self._failure = self._failure, None
        # They own what they are made of, and give it back.
        owned: Any = None
        if error:
            owned = wasmtime.WasmtimeError._from_ptr(  # noqa: SLF001 - no other way to one
                ctypes.cast(error, ctypes.POINTER(ffi.wasmtime_error_t))
            )
        elif trap:
            owned = wasmtime.Trap._from_ptr(ctypes.cast(trap, ctypes.POINTER(ffi.wasm_trap_t)))  # noqa: SLF001
        if failure is not None:
            try:
                raise failure
            finally:
                # The traceback has this frame, and would keep what it keeps.
                del failure
        if isinstance(owned, wasmtime.Trap):
            names = tuple(frame.func_name or "" for frame in owned.frames)
            raise TrapError(_reason(owned.message), code=owned.trap_code, functions=names)
        if owned is not None:
            raise TrapError(_reason(str(owned)), code=None, functions=())

    def _fail(self, error: BaseException) -> int:
        self._failure = error
        return self._native.new_trap(b"host", 4)

    def _function(self, name: str) -> int:
        found = self._functions.get(name)
        if found is None:
            found = ffi.wasmtime_func_t.from_buffer_copy(self._export(name).func)
            self._functions[name] = found
        return ctypes.addressof(found)

    def _export(self, name: str) -> Any:
        item = ffi.wasmtime_extern_t()
        text = name.encode()
        found = ffi.wasmtime_instance_export_get(
            self._context_pointer, ctypes.byref(self._instance), text, len(text), ctypes.byref(item)
        )
        if not found:
            raise GuestError(f"it does not export {name}")
        return item.of


def _reason(message: str) -> str:
    """Return what stands below the backtrace in a message of wasmtime."""
    last = message.strip().splitlines()[-1].strip()
    return f"it trapped: {last.removeprefix('wasm trap: ')}"

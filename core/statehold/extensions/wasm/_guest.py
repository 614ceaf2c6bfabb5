from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, cast

import wasmtime
from wasmtime import _ffi as ffi

from statehold.extensions.wasm._abi import MEMORY, ON_READ
from statehold.extensions.wasm._errors import GuestError, TrapError
from statehold.extensions.wasm._memory import Memory
from statehold.extensions.wasm._module import Module
from statehold.loading.wasm.machine import (
    Argument,
    Ticker,
    address,
    argument,
    callback,
    caller,
    new_function,
    new_store,
    owned,
    reason,
    ticks,
)

Functions = Mapping[tuple[str, str], Callable[..., Any]]

_NONE, _ONE, _TWO = argument(0), argument(1), argument(2)


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
        time: Ticker,
    ) -> None:
        limits = module.limits
        self.time = time
        self._until = 0
        self._failure: BaseException | None = None
        self._allocating = False
        self._trap = ctypes.c_void_p()
        self._trap_at = argument(ctypes.addressof(self._trap))
        self._enter = caller()
        self._functions: Mapping[str, Argument] = {}
        self._callbacks: list[Any] = []
        self._store = new_store(engine, limits.memory)
        self._context = argument(address(ffi.wasmtime_store_context(self._store.ptr())))
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
        self._call(self._functions[name], _NONE, _NONE)

    def on_read(self, key: int, value: int) -> None:
        """Hand one row of a READ to the guest."""
        raw = self._read_raw
        raw[0], raw[2] = key, value
        self._call(self._read_function, self._read_at, _TWO)

    def allow(self, seconds: float) -> None:
        """Let the guest compute so long from now on."""
        count = ticks(seconds)
        self._until = self.time.ticks + count
        self._store.set_epoch_deadline(count)

    def forgive(self, before: int) -> None:
        """Do not count the time since *before*, in ticks: it was the host's."""
        now = self.time.ticks
        self._until += now - before
        self._store.set_epoch_deadline(max(self._until - now, 1))

    def close(self) -> None:
        """Give everything back."""
        self._store.close()
        self._callbacks.clear()
        self._functions = {}

    def _instantiate(self, module: Module, functions: Functions) -> None:
        imports = []
        for each in module.imports:
            own = callback(functions[each.module, each.name], each.parameters, each.result, self._fail)
            self._callbacks.append(own)
            imports.append(new_function(self._store, each.type, own))
        try:
            instance = wasmtime.Instance(self._store, module.code, imports)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            self._raise(error)
        self._exports = instance.exports(self._store)
        self._functions = {
            name: argument(ctypes.addressof(export._func))  # noqa: SLF001 - no other way to it
            for name, export in self._exports.items()
            if isinstance(export, wasmtime.Func)
        }

    def _begin(self, memory: Memory) -> None:
        self._read_function = self._functions[ON_READ]
        self._read_raw = (ctypes.c_uint64 * 4)()
        self._read_at = argument(ctypes.addressof(self._read_raw))
        self._malloc_function = self._functions["malloc"]
        self._malloc_raw = (ctypes.c_uint64 * 2)()
        self._malloc_at = argument(ctypes.addressof(self._malloc_raw))
        memory.attach(self._store, cast("wasmtime.Memory", self._exports[MEMORY]), self._malloc)

    def _malloc(self, size: int) -> int:
        if self._allocating:
            raise GuestError("its malloc asks the host for something that the host has to ask malloc for")
        self._allocating = True
        try:
            self._malloc_raw[0] = size
            self._call(self._malloc_function, self._malloc_at, _ONE)
            return int(self._malloc_raw[0]) & 0xFFFFFFFF
        finally:
            self._allocating = False

    def _call(self, function: Argument, raw: Argument, count: Argument) -> None:
        error = self._enter(self._context, function, raw, count, self._trap_at)
        trap = self._trap.value
        if error or trap:
            self._trap.value = None
            self._raise(owned(error, trap))

    def _raise(self, stopped: wasmtime.Trap | wasmtime.WasmtimeError) -> NoReturn:
        """Raise what a call, or making the instance, came to."""
        failure, self._failure = self._failure, None
        if failure is not None:
            try:
                raise failure
            finally:
                # The traceback has this frame, and would keep what it keeps.
                del failure
        if isinstance(stopped, wasmtime.Trap):
            names = tuple(frame.func_name or "" for frame in stopped.frames)
            raise TrapError(reason(stopped.message), code=stopped.trap_code, functions=names)
        raise TrapError(reason(str(stopped)), code=None, functions=())

    def _fail(self, error: BaseException) -> None:
        self._failure = error

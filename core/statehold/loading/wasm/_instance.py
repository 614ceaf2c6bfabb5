from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NoReturn, TypeVar, cast

import wasmtime
from wasmtime import TrapCode
from wasmtime import _ffi as ffi

from statehold.loading.wasm._abi import ABI_EXPORT, ALLOC, FREE, IMPORTS, MEMORY
from statehold.loading.wasm._description import ABI
from statehold.loading.wasm._errors import GuestError, Reason
from statehold.loading.wasm._imports import Imports
from statehold.loading.wasm._limits import WasmLimits
from statehold.loading.wasm._module import Module
from statehold.loading.wasm.machine import (
    MIB,
    Argument,
    Ticker,
    address,
    argument,
    aside,
    callback,
    caller,
    deadline_setter,
    new_function,
    new_store,
    owned,
    reason,
    ticks,
)

#: How many raw values there are: parameters, or a result.
_ONE, _TWO, _THREE = argument(1), argument(2), argument(3)
_COUNTS: Final = (_ONE, _ONE, _TWO, _THREE)
#: How much room an instance is asked for once, for what it is given; what is larger has room of its own.
_ROOM: Final = 4096
#: A raw value has 16 bytes; in them a number of 32 bits is one word, an answer two.
_WORDS: Final = 4

T = TypeVar("T")


class Instance:
    """One instance of a module, for one caller at a time.

    One that raised is not to be used again, unless the error `is_alive`.

    Raises:
        GuestError: it cannot be started.

    """

    def __init__(self, module: Module, limits: WasmLimits, imports: Imports, ticker: Ticker) -> None:
        self.imports = imports
        self._memory = imports.memory
        self._limits = limits
        self._most = limits.answer_bytes
        self._ticker = ticker
        self._ticks = ticks(limits.deadline)
        self._set_at = -1
        self._failure: BaseException | None = None
        # Its functions run Python, and that may have to handle a signal on the main thread.
        self._main = threading.main_thread().ident if module.imports else None
        self._enter = caller()
        self._set_deadline = deadline_setter()
        self._trap, self._trap_at = _words("Q", 1)
        self._raw, self._raw_at = _words("I", _WORDS * (len(_COUNTS) - 1))
        self._functions: Mapping[str, Argument] = {}
        self._callbacks: list[Any] = []
        self._room = 0
        self._at = 0
        self._store = new_store(module.engine, limits.memory_mib * MIB)
        self._context = address(ffi.wasmtime_store_context(self._store.ptr()))
        self._context_argument = argument(self._context)
        try:
            self._on_a_thread(lambda: self._start(module))
        except BaseException:
            self.close()
            raise

    def ask(self, export: str, data: bytes) -> bytes | None:
        """Give *data* to an export and return its answer, None for none."""
        size = len(data)
        if size > self._room or (self._main is not None and self._main == threading.get_ident()):
            return self._ask_slowly(export, data)
        memory, raw, ticker = self._memory, self._raw, self._ticker
        raw[0] = at = self._at
        raw[_WORDS] = size
        memory.view[at : at + size] = data
        if ticker.ticks != self._set_at or not ticker.awake:
            self._allow()
        error = self._enter(
            self._context_argument, self._functions[export], self._raw_at, _TWO, self._trap_at
        )
        if error or self._trap[0]:
            self._stopped(error)
        # As `_answer`, which would be one more step.
        length, start = raw[0], raw[1]
        if not length or start + length > memory.size or length > self._most:
            return self._answer()
        found: bytes = memory.bytes[start : start + length]
        return found

    def call(self, export: str, *numbers: int) -> bytes | None:
        """Call an export with numbers, and return its answer, None for none."""
        return self._on_a_thread(lambda: self._asked(export, *numbers))

    def do(self, export: str, *numbers: int) -> None:
        """Call an export that has no result."""
        self._on_a_thread(lambda: self._call(export, *numbers))

    def give(self, export: str, first: int, data: bytes) -> bytes | None:
        """Give a number and *data* to an export, and return its answer."""
        return self._on_a_thread(
            lambda: self._lent(data, lambda at: self._asked(export, first, at, len(data)))
        )

    def close(self) -> None:
        """Give everything back."""
        self._memory.close()
        self._store.close()
        self._callbacks.clear()
        self._functions = {}
        self._room = 0

    # -- the way in ------------------------------------------------------------------------------------

    def _asked(self, export: str, *numbers: int) -> bytes | None:
        self._call(export, *numbers)
        return self._answer()

    def _answer(self) -> bytes | None:
        """Return what the result of the last call, address << 32 | length, names; None for zero."""
        length, start = self._raw[0], self._raw[1]
        if not length and not start:
            return None
        self._memory.check(start, length)
        if length > self._most:
            raise GuestError(
                f"answered {length} bytes, and {self._most} is the limit",
                reason=Reason.ANSWER,
                hint="Answer less at once; a READ may answer in pieces",
                is_alive=True,
            )
        return self._memory.read(start, length)

    def _call(self, export: str, *numbers: int) -> int:
        """Call an export; return its result, of 32 bits."""
        raw = self._raw
        raw[0] = 0
        for index, number in enumerate(numbers):
            raw[_WORDS * index] = number
        self._allow()
        error = self._enter(
            self._context_argument,
            self._functions[export],
            self._raw_at,
            _COUNTS[len(numbers)],
            self._trap_at,
        )
        if error or self._trap[0]:
            self._stopped(error)
        return raw[0]

    def _ask_slowly(self, export: str, data: bytes) -> bytes | None:
        def run() -> bytes | None:
            if len(data) <= self._room:
                return self.ask(export, data)
            return self._lent(data, lambda at: self._asked(export, at, len(data)))

        return self._on_a_thread(run)

    def _lent(self, data: bytes, run: Callable[[int], T]) -> T:
        """Run with the address of *data* in memory that is the instance's again afterwards."""
        at = self._alloc(len(data))
        self._memory.write(at, data)
        try:
            found = run(at)
        except GuestError as error:
            if error.is_alive:
                self._call(FREE, at)
            raise
        self._call(FREE, at)
        return found

    def _on_a_thread(self, run: Callable[[], T]) -> T:
        """Run it, on a thread of its own where Python may have to handle a signal in the middle of it."""
        if self._main is not None and threading.get_ident() == self._main:
            return aside(run)
        return run()

    def _alloc(self, size: int) -> int:
        at = self._call(ALLOC, size)
        if not at:
            raise GuestError(
                f"has no room for {size} bytes",
                reason=Reason.MEMORY,
                hint=f"It may have {self._limits.memory_mib} MiB; the operator may raise limits.memory_mib",
                is_alive=True,
            )
        self._memory.check(at, size)
        return at

    # -- the start -------------------------------------------------------------------------------------

    def _start(self, module: Module) -> None:
        self._allow()
        functions = self.imports.functions()
        given = []
        for index, name in enumerate(module.imports):
            own = callback(functions[name], *IMPORTS[name], self._fail)
            self._callbacks.append(own)
            given.append(new_function(self._store, cast("Any", module.code.imports[index].type), own))
        try:
            instance = wasmtime.Instance(self._store, module.code, given)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            self._raise(error)
        exports = instance.exports(self._store)
        self._functions = {
            name: argument(ctypes.addressof(export._func))  # noqa: SLF001 - no other way to it
            for name, export in exports.items()
            if isinstance(export, wasmtime.Func)
        }
        self._exports = exports
        self._memory.attach(self._store, cast("wasmtime.Memory", exports[MEMORY]))
        spoken = self._call(ABI_EXPORT)
        if spoken != ABI:
            raise GuestError(
                f"says that it speaks version {spoken} of the ABI, and its description says {ABI}",
                reason=Reason.START,
            )
        self._at = self._alloc(_ROOM)
        self._room = _ROOM

    # -- time and failures -----------------------------------------------------------------------------

    def _allow(self) -> None:
        ticker = self._ticker
        if not ticker.awake:
            ticker.wake()
        self._set_at = ticker.ticks
        self._set_deadline(self._context, self._ticks)

    def _stopped(self, error: int | None) -> NoReturn:
        trap, self._trap[0] = self._trap[0], 0
        self._raise(owned(error, trap))

    def _raise(self, stopped: wasmtime.Trap | wasmtime.WasmtimeError) -> NoReturn:
        failure, self._failure = self._failure, None
        if failure is not None:
            try:
                raise failure
            finally:
                # The traceback has this frame, and would keep what it keeps.
                del failure
        code = stopped.trap_code if isinstance(stopped, wasmtime.Trap) else None
        if code is TrapCode.INTERRUPT:
            raise GuestError(
                f"computed for more than {self._limits.deadline:g} s",
                reason=Reason.DEADLINE,
                hint="Look for an endless loop, or raise limits.deadline",
            )
        if code is TrapCode.STACK_OVERFLOW:
            raise GuestError(
                "called itself too deeply", reason=Reason.TRAPPED, hint="Look for an endless recursion"
            )
        text = reason(stopped.message if isinstance(stopped, wasmtime.Trap) else str(stopped))
        size, most = self._memory.look(), self._limits.memory_mib * MIB
        hint = f"It had {size / MIB:g} MiB of memory, of {most // MIB}" if 2 * size > most else ""
        raise GuestError(text.removeprefix("it "), reason=Reason.TRAPPED, hint=hint)

    def _fail(self, error: BaseException) -> None:
        self._failure = error


def _words(kind: Literal["I", "Q"], count: int) -> tuple[memoryview[int], Argument]:
    """Return so many words of 32 or 64 bits, and their address."""
    made = (ctypes.c_uint32 * count if kind == "I" else ctypes.c_uint64 * count)()
    # Through a view, a word is read and written in fewer steps; it keeps the words alive.
    return memoryview(made).cast("B").cast(kind), argument(ctypes.addressof(made))

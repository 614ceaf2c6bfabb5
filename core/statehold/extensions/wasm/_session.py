from __future__ import annotations

from typing import Final

import wasmtime
from wasmtime import TrapCode

from statehold.extensions.wasm import _wasi
from statehold.extensions.wasm._errors import ExhaustedError, GuestError, TrapError
from statehold.extensions.wasm._guest import Guest
from statehold.extensions.wasm._host import Host
from statehold.extensions.wasm._keys import Targets
from statehold.extensions.wasm._memory import Memory
from statehold.extensions.wasm._module import Module
from statehold.extensions.wasm._packages import Packages
from statehold.extensions.wasm._values import Fields
from statehold.loading.wasm.machine import Ticker
from statehold.state import State

_PANIC: Final = "panic: "
_OUT_OF_MEMORY: Final = "out of memory"
_ALLOCATOR: Final = "runtime.alloc"


class Session:
    """An instance of a module with all that it reaches; it serves one call at a time, many in a row.

    Raises:
        GuestError: the guest does not start.

    """

    def __init__(
        self,
        engine: wasmtime.Engine,
        module: Module,
        *,
        packages: Packages,
        fields: Fields,
        time: Ticker,
    ) -> None:
        limits = self._limits = module.limits
        self._memory = Memory()
        self._host = Host(self._memory, packages, fields, limits)
        self._wasi = _wasi.Wasi(self._memory, limits.stdout)
        functions = {("env", name): function for name, function in self._host.functions().items()}
        functions |= {
            (_wasi.MODULE, each.name): self._wasi.function(each.name)
            for each in module.imports
            if each.module == _wasi.MODULE
        }
        time.enter()
        try:
            self._guest = Guest(engine, module, self._memory, functions, time=time)
            self._host.guest = self._guest
            if module.start is not None:
                self._start(module.start)
        except BaseException as error:
            self.close()
            if isinstance(error, TrapError):
                raise self._explained(error, limits.start_seconds) from error
            raise
        finally:
            time.leave()

    @property
    def asked(self) -> bool:
        """Whether the last call used its state."""
        return self._host.asked

    @property
    def printed(self) -> str:
        """What the guest printed in the last call, or when it was started."""
        return self._wasi.printed

    @property
    def is_worn(self) -> bool:
        """Whether the guest has so much memory that it could not double it, and did not begin so.

        Guests that never free anything are best replaced then, between two calls.
        """
        size = self._memory.look()
        return size > self._memory.first_size and size * 2 > self._limits.memory

    def run(self, export: str, state: State, targets: Targets, seconds: float) -> None:
        """Call an extension; a session that raised is not to be used again.

        Raises:
            ExhaustedError: it ran out of memory.
            GuestError: it failed otherwise.
            Exception: what its state raised, as it was.

        """
        guest, time = self._guest, self._guest.time
        self._memory.begin()
        self._wasi.begin()
        self._host.begin(state, targets)
        time.enter()
        try:
            guest.allow(seconds)
            guest.call(export)
        except TrapError as error:
            raise self._explained(error, seconds) from error
        finally:
            time.leave()
            self._host.end()

    def close(self) -> None:
        """Give everything back."""
        self._memory.close()
        guest = getattr(self, "_guest", None)
        if guest is not None:
            guest.close()

    def _start(self, name: str) -> None:
        try:
            self._guest.call(name)
        except _wasi.ExitError as error:
            if error.code != 0:
                raise

    def _explained(self, error: TrapError, seconds: float) -> GuestError:
        """Return the error that says in the guest's own words, if it left some, why it trapped."""
        printed = self._wasi.printed
        if error.code is TrapCode.INTERRUPT:
            return GuestError(
                f"it computed for more than {seconds:g} s",
                hint="Do less in one call, or look for an endless loop",
            )
        if error.code is TrapCode.STACK_OVERFLOW:
            return GuestError("it called itself too deeply", hint="Look for an endless recursion")
        exhausted = any(_ALLOCATOR in name for name in error.functions)
        text = error.args[0]
        panic = next((line for line in printed.splitlines() if line.startswith(_PANIC)), "")
        if panic:
            text = panic
            exhausted = exhausted or _OUT_OF_MEMORY in text
        if exhausted:
            return ExhaustedError(
                text, hint=f"It may have {self._limits.pages} pages of 64 KiB; use less in one call"
            )
        return GuestError(text)

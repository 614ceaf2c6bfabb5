from __future__ import annotations

import weakref

from statehold.loading.wasm._imports import Imports
from statehold.loading.wasm._instance import Instance
from statehold.loading.wasm._limits import WasmLimits
from statehold.loading.wasm._module import Module
from statehold.loading.wasm.machine import Ticker


class Runtime:
    """A module with the time that passes for its instances."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.ticker = Ticker(module.engine.increment_epoch)
        self._instances: weakref.WeakSet[Instance] = weakref.WeakSet()

    def instance(self, limits: WasmLimits, imports: Imports) -> Instance:
        """Return a new instance, which has been started and not opened.

        Raises:
            GuestError: it cannot be started.

        """
        made = Instance(self.module, limits, imports, self.ticker)
        self._instances.add(made)
        return made

    def end(self) -> tuple[tuple[str, weakref.ref[object]], ...]:
        """End the thread and release the module; return the instances that somebody still has."""
        self.ticker.end()
        self.module.code.close()
        self.module.engine.close()
        return tuple(("an instance", weakref.ref(each)) for each in self._instances)

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from statehold.extensions._engine import EngineContext
from statehold.extensions.wasm._limits import WasmLimits
from statehold.loading import FreeReport
from statehold.sdk import CallContext, Scope
from statehold.state import State

_LIMITS: Final = WasmLimits()


class WasmEngine:
    """Runs the exports of the image's WebAssembly modules, each call in an instance of its own pool."""

    names: frozenset[str]

    def invoke(self, name: str, state: State, call: CallContext, *, partition: int, kind: Scope) -> None:
        """Run one extension to its end."""
        raise NotImplementedError

    def free(self) -> Sequence[FreeReport]:
        """Release every instance, module and thread."""
        raise NotImplementedError


def open_wasm(context: EngineContext, *, limits: WasmLimits = _LIMITS) -> WasmEngine:
    """Compile the modules of the image, check them against the ABI and the declarations, and try them.

    Raises:
        DeployError: with one line in `problems` for everything that does not match or does not work.

    """
    raise NotImplementedError

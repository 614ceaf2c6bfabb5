from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from statehold.loading.wasm import WasmLimits, WasmPlugin, load_wasm
from statehold.testing import open_storage

sys.path.insert(0, str(Path(__file__).parent))

from wasm_modules import module

USUAL = WasmLimits()


@pytest.fixture
def load(tmp_path):
    """Return what loads a module as `module` makes it; what it loaded is freed in the end."""
    with contextlib.ExitStack() as stack:

        def load(functions=None, *, limits=USUAL, **rest) -> WasmPlugin:
            path = tmp_path / "things.wasm"
            path.write_bytes(module(functions, **rest))
            return stack.enter_context(load_wasm(path, owner="acme.app 1", limits=limits))

        yield load


@pytest.fixture
def opened(load):
    """Return what opens the storage of such a module; it is freed in the end, whatever that raises."""
    with contextlib.ExitStack() as stack:

        def opened(functions=None, *, deadline=0.3, memory_mib=1, context=None, **rest):
            limits = WasmLimits(deadline=deadline, memory_mib=memory_mib)
            plugin = load(functions, limits=limits, **rest)
            opening = open_storage(plugin.providers["Thing"], **(context or {}))
            found = opening.__enter__()
            stack.callback(lambda: suppressed(lambda: opening.__exit__(None, None, None)))
            return found

        yield opened


def suppressed(run: Callable[[], object]) -> None:
    """Run, and forget what it raises."""
    with contextlib.suppress(Exception):
        run()

"""What a storage that is a WebAssembly module costs: a GET, a start, and memory."""

from __future__ import annotations

import ctypes
import logging
import re
import timeit
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import cast

import wasmtime
from wasmtime import _ffi as ffi

from benchmarks._measure import Row, against, within
from statehold.loading.wasm import WasmLimits, WasmPlugin, load_wasm
from statehold.loading.wasm._imports import Imports
from statehold.loading.wasm.machine import address, argument, caller
from statehold.sdk import StorageLogger
from statehold.testing import FakeClock, OpenStorage, open_storage

MODULE = Path("app_images/acme.meter/image/pkg/acme.example/meter/wasm/storages-1.0.wasm")
CALLS = 1_000
REPEATS = 10
BATCH = 1_000
INSTANCES = 100
EMPTY = """(module (memory (export "memory") 1)
  (func (export "empty") (param i32 i32) (result i64) (i64.const 0)))"""


def rows() -> Iterator[Row]:
    """Yield the rows of this page."""
    with load_wasm(MODULE, owner="acme.meter 1") as plugin:
        with open_storage(plugin.providers["Meter"], config={}) as opened:
            for number in range(BATCH):
                key = opened.key(1, Meter="gas", At=number)
                opened.insert(key, opened.value(Reading=1.5, Note="hello"))
            yield from _gets(opened)
            yield _batch(opened)
        yield _start(plugin)
        yield _memory(plugin)
    yield _load()


def _gets(opened: OpenStorage) -> Iterator[Row]:
    get, key = opened.facade.get, opened.key(1, Meter="gas", At=5)
    found = get(key)
    assert found is not None
    assert found["Note"] == "hello"
    store = wasmtime.Store()
    module = wasmtime.Module(store.engine, EMPTY)
    exports = wasmtime.Instance(store, module, []).exports(store)
    empty = exports["empty"]
    assert isinstance(empty, wasmtime.Func)
    yield against(
        "GET from a WASM storage",
        lambda: _quickest(lambda: get(key)),
        lambda: _bare(store, empty),
        limit_name="C call of an empty export with as many arguments",
        bar=8.0,
    )
    yield against(
        "GET from a WASM storage",
        lambda: _quickest(lambda: get(key)),
        lambda: _quickest(lambda: empty(store, 4096, 12), calls=20),
        limit_name="call of such an export by the package wasmtime",
        bar=0.1,
    )


def _bare(store: wasmtime.Store, empty: wasmtime.Func) -> float:
    """Return the seconds of the cheapest call that there is from Python, without the GIL as all of them."""
    call, (raw, trap) = caller(), ((ctypes.c_uint64 * 4)(4096, 0, 12), ctypes.c_uint64())
    context = argument(address(ffi.wasmtime_store_context(store.ptr())))
    function = argument(ctypes.addressof(empty._func))  # noqa: SLF001 - no other way to it
    values, count, trap_at = argument(ctypes.addressof(raw)), argument(2), argument(ctypes.addressof(trap))
    return _quickest(lambda: call(context, function, values, count, trap_at))


def _quickest(call: Callable[[], object], *, calls: int = CALLS) -> float:
    """Return the seconds of one call in the best of some runs: a call gives other threads its turn."""
    return min(timeit.repeat(call, number=calls, repeat=REPEATS)) / calls


def _batch(opened: OpenStorage) -> Row:
    keys = [opened.key(1, Meter="gas", At=number) for number in range(BATCH)]
    get, get_batch = opened.facade.get, opened.facade.get_batch
    return against(
        "GETBATCH of 1,000 keys from a WASM storage, each",
        lambda: _quickest(lambda: get_batch(keys), calls=1) / BATCH,
        lambda: _quickest(lambda: get(keys[0])),
        limit_name="GET",
        bar=0.3,
    )


def _load() -> Row:
    def load() -> float:
        begun = perf_counter()
        load_wasm(MODULE, owner="acme.meter 2").free()
        return perf_counter() - begun

    # Another version of the app with the same module: compiled once as long as one of them has it.
    with load_wasm(MODULE, owner="acme.meter 1"):
        return within("load a module that is compiled, and free it", load, limit=5.0, unit="ms")


def _start(plugin: WasmPlugin) -> Row:
    runtime, limits = plugin._runtime, WasmLimits()  # noqa: SLF001 - a storage's part of it is not asked for

    def start() -> float:
        imports = Imports(limits, cast("StorageLogger", logging.getLogger(__name__)), FakeClock())
        begun = perf_counter()
        made = runtime.instance(limits, imports)
        taken = perf_counter() - begun
        made.close()
        return taken

    return within("start of one instance", start, limit=0.25, unit="ms", rounds=100)


def _memory(plugin: WasmPlugin) -> Row:
    with ExitStack() as stack:
        first, *rest = range(INSTANCES + 1)
        stack.enter_context(open_storage(plugin.providers["Meter"], config={}, partition=first))
        before = _dirty_kib()
        for partition in rest:
            stack.enter_context(open_storage(plugin.providers["Meter"], config={}, partition=partition))
        each = (_dirty_kib() - before) / INSTANCES
    return Row(
        name="private memory of one more partition (Private_Dirty)",
        limit_name="128 KiB",
        unit="KiB",
        measured=each,
        limit=128.0,
        ratio=each / 128.0,
        bar=1.0,
    )


def _dirty_kib() -> int:
    text = Path("/proc/self/smaps_rollup").read_text(encoding="utf-8")
    found = re.search(r"Private_Dirty:\s+(\d+) kB", text)
    assert found is not None
    return int(found[1])

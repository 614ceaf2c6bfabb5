from __future__ import annotations

from hashlib import sha256
from typing import Final
from weakref import WeakValueDictionary

import attrs
import wasmtime

from statehold.loading.wasm.machine._apart import compile_apart, compile_here
from statehold.loading.wasm.machine._bodies import check_bodies, is_small

MIB: Final = 1024 * 1024


@attrs.frozen(eq=False)
class Machine:
    """A module as machine code, which any engine of this process takes."""

    code: bytes


#: By the digest of the module.
_machines: Final[WeakValueDictionary[bytes, Machine]] = WeakValueDictionary()


def new_engine() -> wasmtime.Engine:
    """Return an engine that compiles what guests need and no more, and can interrupt them."""
    config = wasmtime.Config()
    config.epoch_interruption = True
    # Compiling on threads of its own would leave them behind.
    config.parallel_compilation = False
    # So the address of a memory can be kept.
    config.memory_may_move = False
    config.wasm_threads = False
    config.wasm_memory64 = False
    config.wasm_multi_memory = False
    config.wasm_tail_call = False
    config.wasm_gc = False
    config.wasm_function_references = False
    config.wasm_exceptions = False
    return wasmtime.Engine(config)


def new_store(engine: wasmtime.Engine, memory_bytes: int) -> wasmtime.Store:
    """Return a place for one instance, whose memory grows up to so much."""
    store = wasmtime.Store(engine)
    store.set_limits(memory_size=memory_bytes, table_elements=100_000, instances=1, tables=8, memories=1)
    return store


def compiled(data: bytes) -> Machine:
    """Return a module as machine code; versions that run at the same time compile the same module once.

    Raises:
        ValueError: it cannot be compiled, or not within the time and memory that a host gives for it; the
            text says why, in one line.

    """
    digest = sha256(data).digest()
    found = _machines.get(digest)
    if found is None:
        check_bodies(data)
        code = compile_here(data) if is_small(data) else compile_apart(data)
        found = _machines[digest] = Machine(code)
    return found


def letters(kind: wasmtime.FuncType) -> tuple[str, str]:
    """Return the types of the parameters and of the result, to compare two functions by."""
    return " ".join(map(str, kind.params)), " ".join(map(str, kind.results))


def said_type(kind: object) -> str:
    """Return the type of an import or export for people."""
    if not isinstance(kind, wasmtime.FuncType):
        return f"a {type(kind).__name__.removesuffix('Type').lower()}"
    results = ", ".join(map(str, kind.results))
    return f"({', '.join(map(str, kind.params))}) -> {results or 'nothing'}"

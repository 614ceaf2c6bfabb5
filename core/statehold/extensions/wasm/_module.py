from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Final
from weakref import WeakValueDictionary

import attrs
import wasmtime

from statehold.extensions.wasm import _wasi
from statehold.extensions.wasm._abi import (
    EXPORTS,
    IMPORTS,
    MEMORY,
    STARTS,
    VERSION,
    VERSION_PREFIX,
    is_reserved,
)
from statehold.extensions.wasm._limits import WasmLimits
from statehold.extensions.wasm._native import func_type, type_text


@attrs.frozen(eq=False)
class _Machine:
    """A module as machine code, which any engine of this process takes."""

    code: bytes


#: By the digest of the module.
_machines: Final[WeakValueDictionary[bytes, _Machine]] = WeakValueDictionary()


@attrs.frozen(kw_only=True, eq=False)
class Import:
    """A function that a module imports: its type in letters, and as wasmtime has it."""

    module: str
    name: str
    parameters: str
    result: str
    type: wasmtime.FuncType


@attrs.frozen(kw_only=True, eq=False)
class Module:
    """A compiled module that fits the ABI.

    Attributes:
        path: its place in the image.
        code: what wasmtime made of it.
        imports: what it imports, in its order.
        extensions: its exports that are extensions.
        limits: what its instances may take.
        machine: its machine code, for as long as somebody has the module.
        start: the export that starts it, if there is one.

    """

    path: str
    code: wasmtime.Module
    imports: tuple[Import, ...]
    extensions: frozenset[str]
    limits: WasmLimits
    machine: _Machine
    start: str | None


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


def load_module(
    engine: wasmtime.Engine, path: str, data: bytes, limits: WasmLimits
) -> tuple[Module | None, list[str]]:
    """Compile a module and return it, or all that keeps it from running here."""
    if len(data) > limits.module_bytes:
        return None, [
            f"{path}: it has {len(data)} bytes, and {limits.module_bytes} is the limit. Build it smaller"
        ]
    try:
        machine = _compiled(data)
        code = wasmtime.Module.deserialize(engine, machine.code)
    except wasmtime.WasmtimeError as error:
        text = str(error).partition("\n\nStack backtrace")[0].strip().replace("\n", " ")
        return None, [f"{path}: it cannot be compiled: {text}. Build it for plain wasm32"]
    imports: list[Import] = []
    problems = [
        f"{path}: {problem}" for problem in (*_check_imports(code, imports), *_check_exports(code, limits))
    ]
    if problems:
        return None, problems
    functions = {
        export.name: export.type for export in code.exports if isinstance(export.type, wasmtime.FuncType)
    }
    found = Module(
        path=path,
        code=code,
        imports=tuple(imports),
        extensions=frozenset(
            name for name, kind in functions.items() if not is_reserved(name) and _letters(kind) == ("", "")
        ),
        limits=limits,
        machine=machine,
        start=next((name for name in STARTS if name in functions), None),
    )
    return found, []


def _compiled(data: bytes) -> _Machine:
    """Return a module as machine code; versions that run at the same time compile the same module once."""
    digest = sha256(data).digest()
    found = _machines.get(digest)
    if found is None:
        found = _machines[digest] = _Machine(bytes(wasmtime.Module(new_engine(), data).serialize()))
    return found


def _check_imports(code: wasmtime.Module, imports: list[Import]) -> Iterator[str]:
    for each in code.imports:
        module, name, kind = each.module, each.name or "", each.type
        if module == "env" and name in IMPORTS:
            parameters, result = IMPORTS[name]
        elif module == _wasi.MODULE and name in _wasi.FUNCTIONS:
            parameters, result = _wasi.FUNCTIONS[name], "" if name == "proc_exit" else "i"
        else:
            yield (
                f"it imports {module}.{name}, which no host gives a guest. "
                f"It may import the ABI's functions from env, and WASI preview 1"
            )
            continue
        if not isinstance(kind, wasmtime.FuncType) or _letters(kind) != _letters(
            func_type(parameters, result)
        ):
            yield (
                f"it imports {module}.{name} as {_said(kind)}, and it is {type_text(parameters, result)}. "
                f"Declare it so where it is imported"
            )
            continue
        imports.append(Import(module=module, name=name, parameters=parameters, result=result, type=kind))


def _check_exports(code: wasmtime.Module, limits: WasmLimits) -> Iterator[str]:
    exports = {export.name: export.type for export in code.exports}
    versions = [name for name in exports if name.startswith(VERSION_PREFIX)]
    if versions and VERSION not in versions:
        yield f"it is made for {', '.join(versions)}, and this host has {VERSION}. Build it for that"
    missing = [name for name in EXPORTS if name not in exports and not (name == VERSION and versions)]
    memory = exports.get(MEMORY)
    if not isinstance(memory, wasmtime.MemoryType):
        missing.insert(0, MEMORY)
    elif memory.limits.min > limits.pages:
        yield (
            f"it needs {memory.limits.min} pages of memory from the start, and {limits.pages} is the limit. "
            f"Build it with less data or a smaller stack"
        )
    if missing:
        yield f"it does not export {', '.join(missing)}. The client library of the ABI has them"
    for name, (parameters, result) in (*EXPORTS.items(), *((start, ("", "")) for start in STARTS)):
        kind = exports.get(name)
        if kind is not None and (
            not isinstance(kind, wasmtime.FuncType)
            or _letters(kind) != _letters(func_type(parameters, result))
        ):
            yield f"it exports {name} as {_said(kind)}, and it has to be {type_text(parameters, result)}"


def _letters(kind: wasmtime.FuncType) -> tuple[str, str]:
    return " ".join(map(str, kind.params)), " ".join(map(str, kind.results))


def _said(kind: object) -> str:
    if not isinstance(kind, wasmtime.FuncType):
        return f"a {type(kind).__name__.removesuffix('Type').lower()}"
    results = ", ".join(map(str, kind.results))
    return f"({', '.join(map(str, kind.params))}) -> {results or 'nothing'}"

from __future__ import annotations

from collections.abc import Iterator

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
from statehold.loading.wasm.machine import Machine, compiled, func_type, letters, said_type, type_text


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
    machine: Machine
    start: str | None


def load_module(
    engine: wasmtime.Engine, path: str, data: bytes, limits: WasmLimits
) -> tuple[Module | None, list[str]]:
    """Compile a module and return it, or all that keeps it from running here."""
    if len(data) > limits.module_bytes:
        return None, [
            f"{path}: it has {len(data)} bytes, and {limits.module_bytes} is the limit. Build it smaller"
        ]
    try:
        machine = compiled(data)
    except ValueError as error:
        return None, [f"{path}: it cannot be compiled: {error}. Build it for plain wasm32"]
    code = wasmtime.Module.deserialize(engine, machine.code)
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
            name for name, kind in functions.items() if not is_reserved(name) and letters(kind) == ("", "")
        ),
        limits=limits,
        machine=machine,
        start=next((name for name in STARTS if name in functions), None),
    )
    return found, []


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
        if not isinstance(kind, wasmtime.FuncType) or letters(kind) != letters(func_type(parameters, result)):
            yield (
                f"it imports {module}.{name} as {said_type(kind)}, and it is "
                f"{type_text(parameters, result)}. Declare it so where it is imported"
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
            not isinstance(kind, wasmtime.FuncType) or letters(kind) != letters(func_type(parameters, result))
        ):
            yield f"it exports {name} as {said_type(kind)}, and it has to be {type_text(parameters, result)}"

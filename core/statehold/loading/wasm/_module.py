from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from hashlib import sha256 as sha256_of
from typing import Final

import attrs
import wasmtime

from statehold.loading.wasm._abi import HOST, IMPORTS, MEMORY, OF_OPERATION, OPTIONAL, PREFIX, REQUIRED
from statehold.loading.wasm._description import Description, describe_wasm
from statehold.loading.wasm.machine import (
    MIB,
    Machine,
    check_wasmtime,
    compiled,
    func_type,
    letters,
    new_engine,
    said_type,
    type_text,
)
from statehold.sdk import PluginError

_MOST_BYTES: Final = 32 * MIB
_KNOWN: Final = {
    **REQUIRED,
    **{name: kind for exports in OF_OPERATION.values() for name, kind in exports.items()},
    **OPTIONAL,
}


@attrs.frozen(kw_only=True, eq=False)
class Module:
    """A module that fits the ABI; nothing of it has run.

    Attributes:
        engine: what it was compiled for.
        code: what wasmtime made of it.
        machine: its machine code, for as long as somebody has the module.
        imports: the names of what it imports of its host, in its order.
        exports: the names of the functions that it exports for its host.
        who: which module it is, and whose.

    """

    engine: wasmtime.Engine
    code: wasmtime.Module
    machine: Machine
    imports: tuple[str, ...]
    exports: frozenset[str]
    sha256: str
    who: str


def load_module(data: bytes, *, who: str, sha256: str | None) -> tuple[Description, Module]:
    """Compile a module and check it against the ABI and its own description.

    Raises:
        PluginError: with everything that is wrong with it.

    """
    check_wasmtime()
    digest = sha256_of(data).hexdigest()
    if sha256 is not None and digest != sha256:
        raise PluginError(
            f"{who} is not the one expected: its SHA-256 is {digest}, not {sha256}",
            hint="Deploy the image again",
        )
    if len(data) > _MOST_BYTES:
        raise PluginError(f"{who} has {len(data)} bytes, and {_MOST_BYTES} is the limit")
    description = describe_wasm(data, who=who)
    try:
        machine = compiled(data)
    except ValueError as error:
        raise PluginError(f"{who} cannot be compiled: {error}", hint="Build it for plain wasm32") from error
    engine = new_engine()
    code = wasmtime.Module.deserialize(engine, machine.code)
    problems = [*_check_imports(code), *_check_exports(code, description)]
    if problems:
        code.close()
        engine.close()
        raise PluginError(
            f"{who} does not fit the ABI: {'; '.join(problems)}",
            hint="The page on storages in WebAssembly has all that it may import and has to export",
        )
    return description, Module(
        engine=engine,
        code=code,
        machine=machine,
        imports=tuple(each.name or "" for each in code.imports),
        exports=frozenset(each.name for each in code.exports),
        sha256=digest,
        who=who,
    )


def _check_imports(code: wasmtime.Module) -> Iterator[str]:
    for each in code.imports:
        name = each.name or ""
        if each.module != HOST or name not in IMPORTS:
            yield (
                f"it imports {each.module}.{name}, which no host gives a storage: it may import "
                f"{', '.join(f'{HOST}.{one}' for one in IMPORTS)}, and nothing else"
            )
        elif _differs(each.type, IMPORTS[name]):
            yield f"it imports {HOST}.{name} as {said_type(each.type)}, and it is {type_text(*IMPORTS[name])}"


def _check_exports(code: wasmtime.Module, description: Description) -> Iterator[str]:
    exports = {each.name: each.type for each in code.exports}
    if not isinstance(exports.get(MEMORY), wasmtime.MemoryType):
        yield f"it does not export its memory as {MEMORY!r}"
    missing = [name for name in REQUIRED if name not in exports]
    if missing:
        yield f"it does not export {', '.join(missing)}"
    wanted = set()
    for storage in description.storages.values():
        for operation in storage.contract.operations:
            wanted |= set(OF_OPERATION[operation])
            lacking = [name for name in OF_OPERATION[operation] if name not in exports]
            if lacking:
                yield f"storage {storage.name} has {operation}, and it does not export {', '.join(lacking)}"
    for operation, functions in OF_OPERATION.items():
        if functions.keys() <= exports.keys() and not functions.keys() <= wanted:
            yield f"it exports {', '.join(functions)}, and no storage that it describes has {operation}"
    for name, kind in exports.items():
        if name in _KNOWN and _differs(kind, _KNOWN[name]):
            yield f"it exports {name} as {said_type(kind)}, and it has to be {type_text(*_KNOWN[name])}"
        elif name.startswith(PREFIX) and name not in _KNOWN:
            near = get_close_matches(name, _KNOWN, n=1)
            yield f"it exports {name}, which no host calls{f' (did you mean {near[0]}?)' if near else ''}"


def _differs(kind: object, wanted: tuple[str, str]) -> bool:
    return not isinstance(kind, wasmtime.FuncType) or letters(kind) != letters(func_type(*wanted))

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any

import attrs

from statehold.extensions._compare import compare, declared, plain
from statehold.extensions.python._imports import Imported
from statehold.extensions.python._sources import top_name
from statehold.loading import LoadedCode
from statehold.sdk._extension import EXTENSION
from statehold_vsql import ExtensionEngine, ExtensionKind
from statehold_vsql.appdef import AppDef, ExtensionDef

Function = Callable[[Any], Any]


@attrs.frozen(kw_only=True)
class Marked:
    """A function with `@extension`: of which package, what it calls itself, and where it is."""

    package: str
    name: str
    function: Function
    place: str


def find_functions(
    appdef: AppDef, code: LoadedCode, imported: Imported
) -> tuple[dict[str, Function], list[str]]:
    """Return the function of each declared extension, and what does not match."""
    wanted = declared(appdef, ExtensionEngine.PYTHON)
    functions: dict[str, Function] = {}
    found: dict[str, str] = {}
    problems = []
    for marked in _marked(appdef, code, imported.modules.values()):
        name = _name_of(marked, wanted)
        if name in found:
            problems.append(
                f"{marked.place}: there is another function for {name}, at {found[name]}. "
                "Take one of them out, or name the declaration: @extension('...')"
            )
            continue
        found[name] = marked.place
        if name in wanted:
            functions[name] = marked.function
            problems += _check(marked, wanted[name])
    # What a module that cannot be imported would define is not missing yet.
    unknown = {
        package
        for package, path in appdef.packages.items()
        if any(file.startswith(f"image/pkg/{path}/") for file in imported.broken)
    }
    for name, place in _unmarked(code, imported.modules.values(), wanted, found):
        problems.append(f"{place}: the function for {name} is not marked. Put @extension above it")
        found[name] = place
    hidden = {name: "" for name, each in wanted.items() if each.name.package in unknown}
    problems += compare(appdef, ExtensionEngine.PYTHON, {**hidden, **found})
    return functions, problems


def _marked(appdef: AppDef, code: LoadedCode, modules: Iterable[ModuleType]) -> Iterator[Marked]:
    packages = {top_name(package): package for package in appdef.packages}
    seen: set[int] = set()
    for module, function in _callables(modules):
        # Statically: asking a foreign object for an attribute may run its code.
        name = inspect.getattr_static(function, EXTENSION, None)
        if not isinstance(name, str) or id(function) in seen:
            continue
        seen.add(id(function))
        # One that another package imports stays the function of its own.
        home = code.public(getattr(function, "__module__", None) or module.__name__).partition(".")[0]
        package = packages.get(home) or packages[code.public(module.__name__).partition(".")[0]]
        own = name or getattr(function, "__name__", type(function).__name__)
        yield Marked(package=package, name=own, function=function, place=_place(code, function, module))


def _unmarked(
    code: LoadedCode,
    modules: Iterable[ModuleType],
    wanted: Mapping[str, ExtensionDef],
    found: Mapping[str, str],
) -> Iterator[tuple[str, str]]:
    """Find plain functions with the names of declarations that have no function yet."""
    missing = {
        (top_name(each.name.package), plain(each.name.name)): name
        for name, each in wanted.items()
        if name not in found
    }
    for module, function in _callables(modules):
        if inspect.isfunction(function) and function.__module__ == module.__name__:
            top = code.public(module.__name__).partition(".")[0]
            name = missing.pop((top, plain(function.__name__)), None)
            if name is not None:
                yield name, _place(code, function, module)


def _callables(modules: Iterable[ModuleType]) -> Iterator[tuple[ModuleType, Any]]:
    for module in modules:
        for thing in list(vars(module).values()):
            if callable(thing) and not isinstance(thing, type):
                yield module, thing


def _name_of(marked: Marked, wanted: Mapping[str, ExtensionDef]) -> str:
    exact = f"{marked.package}.{marked.name}"
    if exact in wanted:
        return exact
    near = [
        name
        for name, each in wanted.items()
        if each.name.package == marked.package and plain(each.name.name) == plain(marked.name)
    ]
    return near[0] if len(near) == 1 else exact


def _check(marked: Marked, definition: ExtensionDef) -> list[str]:
    """Return what is wrong with the shape of a function."""
    who = f"{marked.place}: the function for {definition.kind} {definition.name}"
    function = marked.function
    problems = []
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        problems.append(f"{who} is async, and extensions are not awaited. Write it with plain `def`")
    if inspect.isgeneratorfunction(function) and definition.kind is not ExtensionKind.QUERY:
        problems.append(f"{who} yields, which only a QUERY may. Let it return its result")
    try:
        inspect.signature(function).bind(object())
    except TypeError as error:
        problems.append(f"{who} does not take the call alone: {error}. Write `def {marked.name}(call)`")
    except ValueError:
        pass  # It has no signature, such as one written in C.
    return problems


def _place(code: LoadedCode, function: Any, module: ModuleType) -> str:
    plain_function = inspect.unwrap(function)
    found = getattr(plain_function, "__code__", None)
    if found is not None and (file := code.file(found.co_filename)):
        return f"{file}:{found.co_firstlineno}"
    return code.modules.get(code.public(module.__name__), "")

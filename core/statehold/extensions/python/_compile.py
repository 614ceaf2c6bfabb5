from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from typing import Any, Final

from statehold.extensions._engine import Use
from statehold.extensions.python._call import Call, Names, Namespace
from statehold.extensions.python._helpers import Log, responder
from statehold.extensions.python._names import Path, attribute_paths
from statehold.extensions.python._storage import compile_storage
from statehold.sdk import Operation
from statehold.state import State
from statehold_vsql.appdef import AppDef, ExtensionDef

#: What a call has beside storages.
RESERVED = frozenset(name for name in dir(Call) if not name.startswith("_")) | {"arg", "log", "respond"}


class _Lazy:
    """A part of a call that is made when it is first used, and then found without a detour."""

    __slots__ = ("_make", "_name")

    def __init__(self, name: str, make: Callable[[State], Any]) -> None:
        self._name = name
        self._make = make

    def __get__(self, holder: Any, owner: type | None = None) -> Any:
        if holder is None:
            return self._make
        made = holder.__dict__[self._name] = self._make(holder._state)  # noqa: SLF001 - it is a part of it
        return made


#: Helpers of a call, and the storage that each stands for.
_HELPERS: Final = {"log": ("sys.Logger", Log), "respond": ("sys.Response", responder)}


def compile_call(appdef: AppDef, extension: ExtensionDef, uses: Iterable[Use]) -> type[Call]:
    """Return the class of what the function of *extension* gets."""
    named = {(use.storage, use.entity): use for use in uses}
    package = extension.name.package
    tree: dict[str, Any] = {}
    for key, path in attribute_paths(package, named, reserved=RESERVED).items():
        _place(tree, path, named[key])
    # Only where somebody gets a name wrong: an app may have thousands.
    names = cache(partial(_names_of, appdef, package))
    call: type[Call] = _compile(extension.name.name, Call, tree, (), names)
    for attribute, (storage, make) in _HELPERS.items():
        use = named.get((storage, None))
        if use is not None and Operation.INSERT in use.allowed:
            setattr(call, attribute, _Lazy(attribute, partial(make, use.rows)))
    return call


def _compile(
    name: str, base: type, tree: Mapping[str, Any], path: Path, names: Callable[[], Names]
) -> type[Any]:
    namespace: dict[str, Any] = {"_path": path, "_names": staticmethod(names)}
    for attribute, below in tree.items():
        if isinstance(below, Use):
            made: type[Any] = compile_storage(attribute, below)
        else:
            made = _compile(attribute, Namespace, below, (*path, attribute), names)
        namespace[attribute] = _Lazy(attribute, made)
    return type(name, (base,), namespace)


def _names_of(appdef: AppDef, package: str) -> Names:
    """Return what there is in the app, with every entity that it could be used with."""
    tree: Names = {}
    for use, path in attribute_paths(package, _of_app(appdef), reserved=RESERVED).items():
        _place(tree, path, use)
    for attribute, (storage, _) in _HELPERS.items():
        tree[attribute] = (storage, None)
    return tree


def _place(tree: dict[str, Any], path: Path, thing: object) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = thing


def _of_app(appdef: AppDef) -> Iterable[tuple[str, str | None]]:
    for name, storage in appdef.storages.items():
        entities = [
            *(appdef.tables if storage.entity_record else ()),
            *(appdef.views if storage.entity_view else ()),
        ]
        yield from ((str(name), str(entity)) for entity in entities)
        if not entities:
            yield str(name), None

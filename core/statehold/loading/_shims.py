"""Stand-ins for the few standard modules that take a module's or distribution's name as a text.

A plugin that says `importlib.import_module("scada.points")` or `importlib.metadata.version("scada")`
means its own. Only the plugin's modules see these; they are gone with them.
"""

from __future__ import annotations

import atexit
import importlib
import re
import sys
from collections.abc import Callable
from functools import partial, wraps
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from statehold.loading._space import Space

_RESOURCES: Final = (
    "contents", "files", "is_resource", "open_binary", "open_text", "path", "read_binary", "read_text",
)  # fmt: skip
_DISTRIBUTION: Final = ("distribution", "files", "metadata", "requires", "version")


class Shim(ModuleType):
    """A module that answers some names itself and gets all others from the real one."""

    def __init__(self, space: Space, real: ModuleType, own: dict[str, Any]) -> None:
        super().__init__(real.__name__, real.__doc__)
        for name in ("__file__", "__loader__", "__package__", "__path__", "__spec__"):
            if hasattr(real, name):
                setattr(self, name, getattr(real, name))
        vars(self).update(own)
        self._space = space
        self._real = real

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if isinstance(found, ModuleType) and found.__name__ in _OWN:
            return shim(self._space, found.__name__)
        return found

    def __dir__(self) -> list[str]:
        return dir(self._real)


def shim(space: Space, name: str) -> ModuleType:
    """Return what the plugin gets for the imported module *name*."""
    real = sys.modules[name]
    own = _OWN.get(name)
    if own is None:
        return real
    known = space.shims.get(name)
    if known is None:
        known = space.shims[name] = Shim(space, real, own(space, real))
    return known


def _importlib(space: Space, real: ModuleType) -> dict[str, Any]:
    @wraps(real.import_module)
    def import_module(name: str, package: str | None = None) -> ModuleType:
        return importlib.import_module(space.private(name), package and space.private(package))

    return {"import_module": import_module, "__import__": space.import_}


def _importlib_util(space: Space, real: ModuleType) -> dict[str, Any]:
    @wraps(real.find_spec)
    def find_spec(name: str, package: str | None = None) -> Any:
        return real.find_spec(space.private(name), package and space.private(package))

    return {"find_spec": find_spec}


def _importlib_resources(space: Space, real: ModuleType) -> dict[str, Any]:
    def by_anchor(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def of_the_plugin(*args: Any, **kwargs: Any) -> Any:
            for name in ("anchor", "package"):
                if name in kwargs:
                    args = (kwargs.pop(name), *args)
            # `files()` without an anchor means the caller's own package.
            anchor = args[0] if args else sys._getframe(1).f_globals["__package__"]  # noqa: SLF001
            if isinstance(anchor, str):
                anchor = importlib.import_module(space.private(anchor))
            return function(anchor, *args[1:], **kwargs)

        return of_the_plugin

    return {name: by_anchor(getattr(real, name)) for name in _RESOURCES if hasattr(real, name)}


def _pkgutil(space: Space, real: ModuleType) -> dict[str, Any]:
    def by_name(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def of_the_plugin(name: Any, *args: Any) -> Any:
            return function(space.private(name) if isinstance(name, str) else name, *args)

        return of_the_plugin

    names = ("find_loader", "get_data", "get_loader", "resolve_name")
    return {name: by_name(getattr(real, name)) for name in names if name in vars(real)}


def _metadata(space: Space, real: ModuleType) -> dict[str, Any]:
    from statehold.loading._resources import distribution  # noqa: PLC0415 - only for plugins that ask

    def ask(what: str, name: str) -> Any:
        wanted = _canonical(space.public(name))
        for metadata in space.archive.metadata:
            if _canonical(metadata.name) == wanted:
                own = distribution(space.archive, metadata.folder, real.Distribution)
                return own if what == "distribution" else getattr(own, what)
        return getattr(real, what)(name)

    return {what: partial(ask, what) for what in _DISTRIBUTION}


def _logging(space: Space, real: ModuleType) -> dict[str, Any]:
    # `getLogger("scada")` is the parent of what the plugin's modules get by `getLogger(__name__)`, and
    # two versions do not pile their handlers upon one logger.
    @wraps(real.getLogger)
    def get_logger(name: str | None = None) -> Any:
        return real.getLogger(name and space.private(name))

    return {"getLogger": get_logger}


def _atexit(space: Space, real: ModuleType) -> dict[str, Any]:
    def register(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        if not space.exit_calls:
            real.register(space.run_exit_calls)
        space.exit_calls.append((function, args, kwargs))
        return function

    def unregister(function: Callable[..., Any], /) -> None:
        space.exit_calls[:] = [call for call in space.exit_calls if call[0] != function]

    return {"register": register, "unregister": unregister}


def forget_exit_calls(space: Space) -> None:
    """Take the plugin's functions off the list of what runs when the process ends."""
    atexit.unregister(space.run_exit_calls)


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


_OWN: Final[dict[str, Callable[[Space, ModuleType], dict[str, Any]]]] = {
    "atexit": _atexit,
    "importlib": _importlib,
    "importlib.metadata": _metadata,
    "importlib.resources": _importlib_resources,
    "importlib.util": _importlib_util,
    "importlib_metadata": _metadata,
    "importlib_resources": _importlib_resources,
    "logging": _logging,
    "pkgutil": _pkgutil,
}

SHIMMED: Final = frozenset(name.partition(".")[0] for name in _OWN)

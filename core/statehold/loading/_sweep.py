"""Takes a freed plugin's classes and functions out of the registries of the standard library."""

from __future__ import annotations

import copyreg
import inspect
import logging
import sys
import typing
import warnings
from contextlib import suppress
from types import FunctionType
from typing import Any

from statehold.loading._traces import marked


def sweep(marker: str) -> None:
    """Remove what carries *marker* from caches and registries that hold classes strongly."""
    for clear in getattr(typing, "_cleanups", ()):  # there is no public way
        clear()
    # Python 3.12 keeps in there what was compared with a protocol; there is no public way either.
    if compared := getattr(inspect, "_shadowed_dict_from_mro_tuple", None):
        compared.cache_clear()
    for logger in (logging.root, *list(logging.Logger.manager.loggerDict.values())):
        if isinstance(logger, logging.Logger):
            for handler in [each for each in logger.handlers if is_of(each, marker)]:
                logger.removeHandler(handler)
                with suppress(Exception):
                    handler.close()
            for condition in [each for each in logger.filters if is_of(each, marker)]:
                logger.removeFilter(condition)
    for registry in _registries():
        for key in [
            key for key, value in list(registry.items()) if _has(key, marker) or is_of(value, marker)
        ]:
            registry.pop(key, None)
    kept = [each for each in warnings.filters if not is_of(each[2], marker)]
    if len(kept) != len(warnings.filters):
        warnings.filters[:] = kept  # type: ignore[index]


def remove_finders(marker: str) -> None:
    """Take the plugin's finders out of the import system, where every import would go on asking them."""
    finders: tuple[list[Any], ...] = (sys.meta_path, sys.path_hooks)
    for hooks in finders:
        for each in [each for each in hooks if is_of(each, marker)]:
            hooks.remove(each)


def is_of(thing: object, marker: str) -> bool:
    """Return whether *thing* was defined by the plugin, or is an instance of what was."""
    # By its type alone: asking a foreign object for anything may run its code.
    kind = type(thing)
    owner = thing if issubclass(kind, (type, FunctionType)) else kind
    name = getattr(owner, "__module__", None)
    return isinstance(name, str) and bool(marked((name,), marker))


def _has(key: object, marker: str) -> bool:
    return any(is_of(each, marker) for each in (key if isinstance(key, tuple) else (key,)))


def _registries() -> list[dict[Any, Any]]:
    registries = [copyreg.dispatch_table, getattr(warnings, "onceregistry", {})]
    sqlite3 = sys.modules.get("sqlite3")
    if sqlite3 is not None:
        registries += [vars(sqlite3).get("adapters", {}), vars(sqlite3).get("converters", {})]
    return registries

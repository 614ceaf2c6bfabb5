"""What loading and running a plugin leaves in the registries of the process, under its private names."""

from __future__ import annotations

import linecache
import logging
import sys
import typing
import zipimport
from collections.abc import Iterable
from contextlib import suppress
from types import ModuleType

from statehold.loading._space import Space


def remove_modules(space: Space) -> dict[str, ModuleType]:
    """Take the plugin's modules out of the import system, and return them by private name."""
    space.close()
    removed: dict[str, ModuleType] = {}
    for name in space.modules:
        module = sys.modules.pop(name, None)
        if module is not None:
            removed[name] = module
    for name in marked(sys.modules, space.marker):
        removed[name] = sys.modules.pop(name)
    # `typing.overload` remembers every variant by the name of its module.
    overloads = getattr(typing, "_overload_registry", {})
    for name, module in removed.items():
        overloads.pop(name, None)
        for folder in vars(module).get("__path__", ()):
            sys.path_importer_cache.pop(folder, None)
    # Both are filled when somebody walks through the plugin's packages.
    archive = str(space.archive.path)
    sys.path_importer_cache.pop(archive, None)
    getattr(zipimport, "_zip_directory_cache", {}).pop(archive, None)
    return removed


def remove_source_lines(space: Space) -> None:
    """Forget the source lines that tracebacks and generated methods left."""
    for name in space.archive.modules:
        linecache.cache.pop(space.archive.location(name), None)
    for name in marked(linecache.cache, space.marker):
        linecache.cache.pop(name, None)


def remove_loggers(space: Space) -> None:
    """Remove the loggers named after the plugin's modules, and close their handlers."""
    loggers = logging.Logger.manager.loggerDict
    for name in marked(loggers, space.marker):
        logger = loggers.pop(name, None)
        if isinstance(logger, logging.Logger):
            for handler in logger.handlers[:]:
                logger.removeHandler(handler)
                with suppress(Exception):  # a handler that cannot be closed is of no use to anybody
                    handler.close()


def marked(names: Iterable[str], marker: str) -> list[str]:
    """Return those of *names* that carry the plugin's marker."""
    return [name for name in list(names) if marker in name and _carries(name, marker)]


def _carries(name: str, marker: str) -> bool:
    # `__plugin1` is not the marker in `scada__plugin12`.
    return any(not rest[:1].isdigit() for rest in name.split(marker)[1:])

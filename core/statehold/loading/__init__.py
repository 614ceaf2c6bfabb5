"""Finds the plugins that are installed, loads those that images bring, and frees them without a trace.

Importing it takes only the catalog of what is installed; what loads and frees plugins comes at its first use,
because a check of declarations loads none.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from statehold.loading._catalog import Catalog, Found, Listed, installed
from statehold.loading._entries import Entry
from statehold.loading._outage import OutageError

if TYPE_CHECKING:
    from statehold.loading._app_plugins import AppPlugins
    from statehold.loading._boundaries import runs_in, why_inprocess
    from statehold.loading._check import Problem, check_provider, check_storage
    from statehold.loading._code import LoadedCode
    from statehold.loading._files import PluginFiles
    from statehold.loading._free import FreeReport, settle
    from statehold.loading._plugin import LoadedPlugin, distribution_of, load_plugin
    from statehold.loading._resolve import Resolved, Source, resolve
    from statehold.loading._survivors import Survivor
    from statehold.loading._work import Work

__all__ = [
    "AppPlugins",
    "Catalog",
    "Entry",
    "Found",
    "FreeReport",
    "Listed",
    "LoadedCode",
    "LoadedPlugin",
    "OutageError",
    "PluginFiles",
    "Problem",
    "Resolved",
    "Source",
    "Survivor",
    "Work",
    "check_provider",
    "check_storage",
    "distribution_of",
    "installed",
    "load_plugin",
    "resolve",
    "runs_in",
    "settle",
    "why_inprocess",
]

_HOMES = {
    "AppPlugins": "_app_plugins",
    "FreeReport": "_free",
    "LoadedCode": "_code",
    "LoadedPlugin": "_plugin",
    "PluginFiles": "_files",
    "Problem": "_check",
    "Resolved": "_resolve",
    "Source": "_resolve",
    "Survivor": "_survivors",
    "Work": "_work",
    "check_provider": "_check",
    "check_storage": "_check",
    "distribution_of": "_plugin",
    "load_plugin": "_plugin",
    "resolve": "_resolve",
    "settle": "_free",
    "runs_in": "_boundaries",
    "why_inprocess": "_boundaries",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

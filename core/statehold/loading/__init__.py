"""Finds the plugins that are installed, loads those that images bring, and frees them without a trace."""

from __future__ import annotations

from statehold.loading._app_plugins import AppPlugins
from statehold.loading._catalog import Catalog, Found, Listed, installed
from statehold.loading._check import Problem, check_provider, check_storage
from statehold.loading._entries import Entry
from statehold.loading._files import PluginFiles
from statehold.loading._free import FreeReport
from statehold.loading._plugin import LoadedPlugin, load_plugin
from statehold.loading._resolve import Resolved, Source, resolve
from statehold.loading._survivors import Survivor

__all__ = [
    "AppPlugins",
    "Catalog",
    "Entry",
    "Found",
    "FreeReport",
    "Listed",
    "LoadedPlugin",
    "PluginFiles",
    "Problem",
    "Resolved",
    "Source",
    "Survivor",
    "check_provider",
    "check_storage",
    "installed",
    "load_plugin",
    "resolve",
]

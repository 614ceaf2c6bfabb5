from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from enum import StrEnum

import attrs

from statehold.loading._catalog import Catalog
from statehold.loading._plugin import LoadedPlugin
from statehold.sdk import PluginError, Provider
from statehold_vsql import StorageEngine
from statehold_vsql.appdef import StorageDef


class Source(StrEnum):
    """Where a provider came from."""

    IMAGE = "image"
    INSTALLED = "installed"


@attrs.frozen(kw_only=True)
class Resolved:
    """The provider of a declared storage, and where it came from; `location` is a file or a folder."""

    provider: Provider
    distribution: str
    version: str
    source: Source
    location: str


def resolve(storage: StorageDef, *, image_plugins: Mapping[str, LoadedPlugin], catalog: Catalog) -> Resolved:
    """Return the provider of *storage*: for PYPLUGIN from the plugin file of its package, else installed.

    *image_plugins* holds the loaded plugin file of each package of the image, by package path.

    Raises:
        PluginError: nobody provides it, its plugin is broken, or this host cannot run its engine.

    """
    if storage.engine not in (StorageEngine.BUILTIN, StorageEngine.PYPLUGIN):
        raise PluginError(
            f"storage {storage.name} ({storage.position}) asks for engine {storage.engine}, "
            "which this host cannot run yet: only storages in Python, BUILTIN and PYPLUGIN, run in it",
            hint="Provide the storage as a Python plugin, or deploy on a host with that engine",
        )
    plugin = image_plugins.get(storage.position.package)
    if (
        plugin is not None
        and storage.engine is StorageEngine.PYPLUGIN
        and storage.provider in plugin.providers
    ):
        return Resolved(
            provider=plugin.providers[storage.provider],
            distribution=plugin.distribution,
            version=plugin.version,
            source=Source.IMAGE,
            location=str(plugin.path),
        )
    try:
        found = catalog.find(storage.provider, engine=storage.engine)
    except PluginError as error:
        raise PluginError(
            f"storage {storage.name} ({storage.position}) has no provider: {error.message}",
            hint=_hint(storage, plugin, error),
        ) from error
    return Resolved(
        provider=found.provider,
        distribution=found.entry.distribution,
        version=found.entry.version,
        source=Source.INSTALLED,
        location=found.entry.location,
    )


def _hint(storage: StorageDef, plugin: LoadedPlugin | None, error: PluginError) -> str:
    if plugin is None or storage.engine is not StorageEngine.PYPLUGIN:
        return error.hint
    near = get_close_matches(storage.provider, plugin.providers, n=1)
    if near:
        return f"Did you mean {near[0]!r}, which {plugin.path.name} of the image provides?"
    return f"{plugin.path.name} of the image provides {', '.join(plugin.providers)}. {error.hint}"

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

import attrs

from statehold.loading._catalog import Catalog
from statehold.sdk import PluginError, Provider
from statehold_vsql import StorageEngine
from statehold_vsql.appdef import StorageDef

#: What the plugin file of an image is called, for the engines whose storages nothing else brings.
_FILES: Final = {
    StorageEngine.GOPLUGIN: ("executable", "storages-<version>, without a suffix"),
    StorageEngine.WASM: ("module", "storages-<version>.wasm"),
}


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


class ImagePlugin(Protocol):
    """The loaded plugin file of a package of an image, whatever it runs in."""

    distribution: str
    version: str

    @property
    def path(self) -> Path | None:
        """The file."""

    @property
    def providers(self) -> Mapping[str, Provider]:
        """The providers by name."""


def resolve(storage: StorageDef, *, image_plugins: Mapping[str, ImagePlugin], catalog: Catalog) -> Resolved:
    """Return the provider of *storage*.

    For PYPLUGIN it comes from the plugin file of its package, else from what is installed, as for BUILTIN;
    for GOPLUGIN and WASM from the executable or the module of its package.

    *image_plugins* holds the loaded plugin file of each package of the image, by package path.

    Raises:
        PluginError: nobody provides it, or its plugin is broken.

    """
    plugin = image_plugins.get(storage.position.package)
    of_image = storage.engine is not StorageEngine.BUILTIN
    if plugin is not None and of_image and storage.provider in plugin.providers:
        return Resolved(
            provider=plugin.providers[storage.provider],
            distribution=plugin.distribution,
            version=plugin.version,
            source=Source.IMAGE,
            location=str(plugin.path),
        )
    if storage.engine in _FILES:
        raise _not_in_file(storage, plugin)
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


def _not_in_file(storage: StorageDef, plugin: ImagePlugin | None) -> PluginError:
    who = f"storage {storage.name} ({storage.position}) has no provider"
    what, name = _FILES[storage.engine]
    if plugin is None:
        return PluginError(
            f"{who}: its package has no {what} with storages",
            hint=f"Put one beside its declarations, called {name}",
        )
    near = get_close_matches(storage.provider, plugin.providers, n=1)
    return PluginError(
        f"{who}: the {what} {plugin.distribution} {plugin.version} has no storage {storage.provider!r}",
        hint=f"Did you mean {near[0]!r}?" if near else f"It has {', '.join(plugin.providers)}",
    )


def _hint(storage: StorageDef, plugin: ImagePlugin | None, error: PluginError) -> str:
    if plugin is None or storage.engine is not StorageEngine.PYPLUGIN:
        return error.hint
    near = get_close_matches(storage.provider, plugin.providers, n=1)
    name = plugin.path.name if plugin.path else plugin.distribution
    if near:
        return f"Did you mean {near[0]!r}, which {name} of the image provides?"
    return f"{name} of the image provides {', '.join(plugin.providers)}. {error.hint}"

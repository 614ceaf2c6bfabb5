from __future__ import annotations

from collections.abc import Iterator

from statehold.images import AppImage, Isolation, PluginKind, StorageSettings
from statehold_vsql import StorageEngine
from statehold_vsql.appdef import AppDef

_PYTHON = (PluginKind.WHEEL, PluginKind.ZIP)
_APART = (Isolation.SIDECAR, Isolation.WASM)


def isolation_problems(image: AppImage, appdef: AppDef) -> Iterator[str]:
    """Yield what code of *image* would run in the host's own process, and what of the host it allows itself.

    An unsigned image may neither: its descriptor is as little the operator's as its code. Found without
    importing any of it. Plugins that are installed on the host are the host's, not the image's.
    """
    for package in image.extensions:
        yield (
            f"{package}: extensions in Python run in the host's process, and nobody has signed the image. "
            "Write them in WebAssembly, or sign it"
        )
    for name, settings in image.descriptor.storages.items():
        if settings.allow:
            yield (
                f"descriptor.json: Storages.{name}.allow: nobody has signed the image, and it may not allow "
                f"itself {', '.join(settings.allow)}. Take it out, or sign it"
            )
    own = {plugin.package for plugin in image.plugins if plugin.kind in _PYTHON}
    for storage in appdef.storages.values():
        if storage.engine is not StorageEngine.PYPLUGIN or storage.position.package not in own:
            continue
        settings = image.descriptor.storages.get(str(storage.name), StorageSettings())
        if settings.isolation not in _APART:
            yield (
                f"descriptor.json: Storages.{storage.name}.isolation: expected {Isolation.SIDECAR}, got "
                f"{settings.isolation or 'none'}: nobody has signed the image, and its plugins may not "
                "run in the host's process"
            )

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from statehold.extensions import EngineContext, Engines, open_engines
from statehold.hosting._nearest import nearest
from statehold.hosting._quarantine import FreedPlugin
from statehold.images import AppImage, PluginFile, PluginKind
from statehold.loading import (
    AppPlugins,
    Catalog,
    LoadedPlugin,
    PluginFiles,
    Resolved,
    load_plugin,
    resolve,
)
from statehold.loading.wasm import read_limits
from statehold.sdk import DeployError, PluginError
from statehold_vsql import StorageEngine
from statehold_vsql.appdef import StorageDef

if TYPE_CHECKING:
    from statehold.loading.wasm import WasmPlugin

#: What the plugin file of a package is, by the engine that its storages ask for.
_KINDS = {
    StorageEngine.PYPLUGIN: (PluginKind.WHEEL, PluginKind.ZIP),
    StorageEngine.WASM: (PluginKind.WASM,),
}
_PARTS = re.compile(r"\d+|[a-z]+")


class Reported(Protocol):
    """What the freeing of some code says, wherever it ran."""

    @property
    def plugin(self) -> str:
        """Which code, and whose."""

    @property
    def problems(self) -> Sequence[str]:
        """What went wrong."""

    @property
    def survivors(self) -> Sequence[object]:
        """What does not die, and what holds it."""


class VersionPlugins:
    """The code of one app version: plugins of its image, loaded at their first use, engines, and hooks."""

    def __init__(self, image: AppImage, catalog: Catalog, store: PluginFiles) -> None:
        self._image = image
        self._catalog = catalog
        self._store = store
        self._owner = f"{image.app} {image.version}"
        self._loaded: dict[str, LoadedPlugin | WasmPlugin] = {}
        self._hooks: AppPlugins | None = None
        self._engines: Engines | None = None
        self._announced = False
        self._freed: tuple[tuple[Reported, FreedPlugin | None], ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """The digests of the plugin files that were loaded."""
        return tuple(plugin.sha256 for plugin in self._loaded.values())

    def resolve(self, storage: StorageDef, pinned: str | None) -> Resolved:
        """Return the provider of *storage*; from the image, it comes from the file of the *pinned* version.

        Raises:
            PluginError: nobody provides it, the version is not in the image, or its plugin is broken.

        """
        package = storage.position.package
        found: dict[str, LoadedPlugin | WasmPlugin] = {}
        if storage.engine in _KINDS:
            file = self._choose(storage, package, pinned)
            if file is not None:
                found[package] = self._load(file)
        resolved = resolve(storage, image_plugins=found, catalog=self._catalog)
        return self._limited(storage, resolved, found.get(package))

    @property
    def engines(self) -> Engines:
        """What runs the extensions, once it has been opened."""
        assert self._engines is not None  # noqa: S101 - a plan has its engines
        return self._engines

    def open_engines(self, context: EngineContext) -> None:
        """Load the code of the extensions.

        Raises:
            DeployError: it does not match the declarations, or cannot be loaded.

        """
        self._engines = open_engines(context)

    def do_without_engines(self) -> None:
        """Let no extension be provided."""
        self._engines = Engines(engines={}, of={}, missing=frozenset())

    def functions(self) -> Mapping[str, Callable[..., Any]]:
        """Return the BUILTIN extensions of this host, by qualified name."""
        return self._catalog.functions()

    def announce_opened(self) -> None:
        """Tell the hook plugins, installed ones and those of the loaded files, that all storages are open.

        Raises:
            DeployError: one of them does not fit the hooks, or refuses.

        """
        self._hooks = self._catalog.app_plugins()
        try:
            for plugin in self._loaded.values():
                for name, hooks in plugin.hooks.items():
                    self._hooks.register(hooks, name=f"{plugin.distribution} {plugin.version}:{name}")
            self._hooks.hook.statehold_version_opened(app=self._image.app, version=self._image.version)
        except (Exception, SystemExit) as error:
            problem = f"a hook refused it: {type(error).__name__}: {error}"
            raise DeployError(f"{self._owner} cannot be deployed: {problem}", problems=[problem]) from error
        self._announced = True

    def free(self) -> tuple[str, ...]:
        """Remove every plugin from the process, and return what went wrong."""
        problems = []
        if self._hooks is not None:
            if self._announced:
                problems += self._announce_freed(self._hooks)
            self._hooks.free()
        # In the reverse of their loading.
        freed: list[tuple[Reported, FreedPlugin | None]] = (
            [] if self._engines is None else [(one, None) for one in self._engines.free()]
        )
        self._engines = None
        freed += [(plugin.free(), _named(plugin)) for plugin in reversed(self._loaded.values())]
        self._freed = tuple(freed)
        self._loaded.clear()
        problems += [f"{report.plugin}: {line}" for report, _ in self._freed for line in report.problems]
        return tuple(problems)

    def _announce_freed(self, hooks: AppPlugins) -> list[str]:
        try:
            hooks.hook.statehold_version_freed(app=self._image.app, version=self._image.version)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a foreign hook must not keep the rest from being freed
            return [f"{self._owner}: statehold_version_freed raised {type(error).__name__}: {error}"]
        return []

    def survivors(self) -> tuple[tuple[str, ...], tuple[FreedPlugin, ...]]:
        """Return what of the freed code lives on, and what holds it; and the same by plugin file run here.

        Collects garbage.
        """
        found, files = [], []
        for report, file in self._freed:
            alive = tuple(map(str, report.survivors))
            found += [f"{report.plugin}: {one}" for one in alive]
            if file is not None:
                files.append(attrs.evolve(file, survivors=alive))
        return tuple(found), tuple(files)

    def _choose(self, storage: StorageDef, package: str, pinned: str | None) -> PluginFile | None:
        files = {
            file.version: file
            for file in self._image.plugins
            if file.package == package and file.kind in _KINDS[storage.engine]
        }
        if pinned is None:
            return files[max(files, key=version_key)] if files else None
        if pinned not in files:
            raise PluginError(
                f"descriptor.json: Storages.{storage.name}.version: the image has no plugin file of version "
                f"{pinned!r} in package {package!r}",
                hint=nearest(pinned, files),
            )
        return files[pinned]

    def _load(self, file: PluginFile) -> LoadedPlugin | WasmPlugin:
        loaded = self._loaded.get(file.path)
        if loaded is None:
            copy = self._store.add(
                self._image.read(file.path), sha256=file.sha256, suffix=Path(file.name).suffix
            )
            load = self._load_module if file.kind is PluginKind.WASM else load_plugin
            loaded = self._loaded[file.path] = load(copy, owner=self._owner, sha256=file.sha256)
        return loaded

    def _limited(
        self, storage: StorageDef, resolved: Resolved, plugin: LoadedPlugin | WasmPlugin | None
    ) -> Resolved:
        """Return what was resolved, within the limits that the operator has set for a module."""
        settings = self._image.descriptor.storages.get(str(storage.name))
        if isinstance(plugin, LoadedPlugin) or plugin is None or settings is None:
            return resolved
        limits, _ = read_limits(settings.limits)
        return attrs.evolve(resolved, provider=plugin.limited(storage.provider, limits))

    def _load_module(self, path: Path, *, owner: str, sha256: str) -> WasmPlugin:
        from statehold.loading.wasm import load_wasm  # noqa: PLC0415 - it takes the WebAssembly runtime along

        return load_wasm(path, owner=owner, sha256=sha256)


def _named(plugin: LoadedPlugin | WasmPlugin) -> FreedPlugin | None:
    """Return which plugin file it was; None for one that did not run as Python in this process."""
    if not isinstance(plugin, LoadedPlugin):
        return None
    return FreedPlugin(distribution=plugin.distribution, version=plugin.version, sha256=plugin.sha256)


def version_key(version: str) -> tuple[tuple[int, int | str], ...]:
    """Return what versions are ordered by, such as `2.0rc1`, `2.0`, `2.0.1`, `2.9`, `2.10`."""
    parts = _PARTS.findall(version.lower())
    return (*((2, int(part)) if part.isdigit() else (0, part) for part in parts), (1, ""))

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from statehold.extensions import EngineContext, Engines, open_engines
from statehold.hosting._isolation import Placement, own_isolation, placement_of
from statehold.hosting._loading import PluginLoader, within_limits
from statehold.hosting._nearest import nearest
from statehold.hosting._quarantine import FreedPlugin
from statehold.hosting._settings import HostSettings
from statehold.images import AppImage, Isolation, PluginFile, PluginKind, StorageSettings
from statehold.loading import (
    AppPlugins,
    Catalog,
    FreeReport,
    LoadedPlugin,
    PluginFiles,
    Resolved,
    Source,
    resolve,
    settle,
    why_inprocess,
)
from statehold.sdk import DeployError, PluginError, Provider, StateholdError
from statehold_vsql import StorageEngine
from statehold_vsql.appdef import StorageDef

if TYPE_CHECKING:
    from statehold.hosting._loading import Loaded
    from statehold.loading.sidecar import SidecarStatus

#: What the plugin file of a package is, by the engine that its storages ask for.
_KINDS = {
    StorageEngine.PYPLUGIN: (PluginKind.WHEEL, PluginKind.ZIP),
    StorageEngine.GOPLUGIN: (PluginKind.EXECUTABLE,),
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


class VersionPlugins:
    """The code of one app version: plugins of its image, loaded at their first use, engines, and hooks."""

    def __init__(self, image: AppImage, catalog: Catalog, store: PluginFiles, settings: HostSettings) -> None:
        self._image = image
        self._catalog = catalog
        self._settings = settings
        self._owner = f"{image.app} {image.version}"
        self._loader = PluginLoader(image, store, settings)
        self._places: dict[str, tuple[object, Placement]] = {}
        self._warnings: dict[str, None] = {}
        self._leaks: dict[str, bool] = {}  # by file, whether it runs in a sidecar for that
        self._hooks: AppPlugins | None = None
        self._engines: Engines | None = None
        self._announced = False
        self._freed: tuple[tuple[Reported, FreedPlugin | None], ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """The digests of the plugin files that were loaded."""
        return self._loader.files

    @property
    def sidecars(self) -> tuple[SidecarStatus, ...]:
        """How the processes fare of what runs in sidecars."""
        return self._loader.sidecars

    @property
    def logger(self) -> logging.Logger:
        """What sidecars say to before their storages are open."""
        return self._loader.logger

    @property
    def warnings(self) -> tuple[str, ...]:
        """What an operator is to know of where its storages run."""
        return (*self._warnings, *self._loader.warnings())

    def resolve(self, storage: StorageDef, settings: StorageSettings) -> Resolved:
        """Return the provider of *storage*, loaded to where an operator's *settings* want it to run.

        From the image it comes from the file of the version that they name.

        Raises:
            PluginError: nobody provides it, the version is not in the image, or its plugin is broken.
            SidecarError: its process cannot be started, or failed.

        """
        package, name = storage.position.package, str(storage.name)
        file = self._choose(storage, package, settings.version) if storage.engine in _KINDS else None
        placement = self._placement(storage, settings, file)
        found: dict[str, Loaded] = {}
        if file is not None:
            found[package] = self._loader.load(file, self._rehearsed(storage, placement), name)
            self._places[name] = file.path, placement
        if file is None or (
            storage.engine is StorageEngine.PYPLUGIN and storage.provider not in found[package].providers
        ):
            return self._installed(storage, placement, found)
        resolved = resolve(storage, image_plugins=found, catalog=self._catalog)
        provider = within_limits(found[package], storage.provider, placement)
        return attrs.evolve(resolved, provider=provider)

    @property
    def places(self) -> Mapping[str, str]:
        """Where each storage runs that was resolved, by name."""
        return {name: place.isolation.value for name, (_, place) in sorted(self._places.items())}

    def isolation(self, storage: str) -> Isolation:
        """Return where a storage runs that was resolved."""
        return self._places[storage][1].isolation

    def apart(self, one: str, other: str) -> bool:
        """Return whether a storage that runs in a sidecar cannot reach another one, which runs elsewhere."""
        place = self._places.get(one)
        return (
            place is not None and place[1].isolation is Isolation.SIDECAR and self._places.get(other) != place
        )

    def _installed(self, storage: StorageDef, placement: Placement, found: Mapping[str, Loaded]) -> Resolved:
        """Return an installed provider; one that runs in a sidecar is not imported here."""
        if placement.isolation is not Isolation.SIDECAR or self._rehearsed(storage, placement) != placement:
            resolved = resolve(storage, image_plugins=found, catalog=self._catalog)
            self._places[str(storage.name)] = resolved.location, placement
            return resolved
        if storage.engine is StorageEngine.GOPLUGIN:
            return resolve(storage, image_plugins=found, catalog=self._catalog)
        entry = self._catalog.entry(storage.provider, engine=storage.engine)
        plugin = self._loader.load_installed(entry, placement, str(storage.name))
        self._places[str(storage.name)] = entry, placement
        return Resolved(
            provider=plugin.providers[storage.provider],
            distribution=entry.distribution,
            version=entry.version,
            source=Source.INSTALLED,
            location=entry.location,
        )

    def _rehearsed(self, storage: StorageDef, placement: Placement) -> Placement:
        """Return where a storage runs: when rehearsing, in this process if it can."""
        if self._settings.rehearsing and own_isolation(storage.engine) is Isolation.INPROCESS:
            return Placement(isolation=Isolation.INPROCESS)
        return placement

    def _placement(
        self, storage: StorageDef, settings: StorageSettings, file: PluginFile | None
    ) -> Placement:
        """Return where a storage runs: where it is wanted, or in a sidecar if its plugin leaks."""
        wanted = placement_of(storage, settings)
        if file is None or wanted.isolation is not Isolation.INPROCESS:
            return wanted
        if file.path not in self._leaks:
            self._leaks[file.path] = self._goes_apart(file, storage, settings)
        return self._apart_with(file, storage, settings) if self._leaks[file.path] else wanted

    def _apart_with(self, file: PluginFile, storage: StorageDef, settings: StorageSettings) -> Placement:
        """Return the sidecar of a storage that leaks: where others of its file are in one, with those.

        Of several it is the one with what it requires, or what requires it: they need the same process.
        """
        package, _, name = str(storage.name).rpartition(".")
        others: dict[str, Placement] = {}
        for other, its in self._image.descriptor.storages.items():
            of, _, short = other.rpartition(".")
            if of == package and its.isolation is Isolation.SIDECAR and its.version == settings.version:
                others[short] = placement_of(storage, its)
        found = list(dict.fromkeys(others.values()))
        if not found:
            return placement_of(storage, attrs.evolve(settings, isolation=Isolation.SIDECAR))
        if len(found) > 1:
            providers = self._loader.load(file, found[0], str(storage.name)).providers
            requires = {one: _required(provider) for one, provider in providers.items()}
            for other, placement in others.items():
                if other in requires.get(storage.provider, ()) or name in requires.get(other, ()):
                    return placement
        return found[0]

    def _goes_apart(self, file: PluginFile, storage: StorageDef, settings: StorageSettings) -> bool:
        """Return whether a file runs in a sidecar, because its plugin leaks: as a whole, and where it can."""
        quarantine = self._settings.services.quarantine
        if quarantine is None or not quarantine.listed(self._image.app):
            return False
        held = quarantine.holds_file(self._image.app, self._loader.path(file))
        if not held:
            return False
        try:
            placement = self._apart_with(file, storage, settings)
            why = _tied(self._loader.load(file, placement, str(storage.name)))
        except StateholdError as error:
            raise PluginError(
                f"{error.message}. It was to run in a sidecar, because {held}",
                hint="Mend it, or let it run in the host's process again: statehold quarantine lift NAME",
            ) from error
        where = f"It runs in the host's process all the same: {why}" if why else "It runs in a sidecar"
        self._warnings[f"{held}. {where}"] = None
        return not why

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
            for plugin in self._loader.plugins:
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
        freed += [(report, _named(plugin)) for plugin, report in self._loader.free()]
        self._freed = tuple(freed)
        problems += [f"{report.plugin}: {line}" for report, _ in self._freed for line in report.problems]
        return tuple(problems)

    def _announce_freed(self, hooks: AppPlugins) -> list[str]:
        try:
            hooks.hook.statehold_version_freed(app=self._image.app, version=self._image.version)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a foreign hook must not keep the rest from being freed
            return [f"{self._owner}: statehold_version_freed raised {type(error).__name__}: {error}"]
        return []

    @property
    def gone(self) -> bool:
        """Whether nothing of the freed code is alive at this moment."""
        return not any(report.alive for report, _ in self._freed if isinstance(report, FreeReport))

    def settle(self) -> bool:
        """Collect garbage where that is needed, and return whether all of the freed code is gone."""
        return settle([report for report, _ in self._freed if isinstance(report, FreeReport)])

    def survivors(self) -> tuple[tuple[str, ...], tuple[FreedPlugin, ...]]:
        """Return what of the freed code lives on, and what holds it; and the same by plugin file run here."""
        found, files = [], []
        for report, file in self._freed:
            # Of code that ran elsewhere nothing is here.
            alive = tuple(map(str, report.named())) if isinstance(report, FreeReport) else ()
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


def _tied(plugin: Loaded) -> str:
    """Return why a plugin file cannot run in a sidecar; empty if it can.

    A part of it does not help: what stays in this process would leak all the same.
    """
    for name, provider in plugin.providers.items():
        why = why_inprocess(provider)
        if why:
            return f"provider {name!r} says: {why}"
        outside = [one for one in _required(provider) if one not in plugin.providers]
        if outside:
            return f"provider {name!r} requires {', '.join(outside)}, which is not in the same file"
    return ""


def _required(provider: Provider) -> list[str]:
    return [one.rpartition(".")[2] for one in provider.requires]


def _named(plugin: Loaded) -> FreedPlugin | None:
    """Return which plugin file it was; None for one that did not run as Python in this process."""
    if not isinstance(plugin, LoadedPlugin):
        return None
    return FreedPlugin(distribution=plugin.distribution, version=plugin.version, sha256=plugin.sha256)


def version_key(version: str) -> tuple[tuple[int, int | str], ...]:
    """Return what versions are ordered by, such as `2.0rc1`, `2.0`, `2.0.1`, `2.9`, `2.10`."""
    parts = _PARTS.findall(version.lower())
    return (*((2, int(part)) if part.isdigit() else (0, part) for part in parts), (1, ""))

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from statehold.hosting._isolation import Placement
from statehold.hosting._logger import HostedLogger
from statehold.hosting._sandbox import Sandbox
from statehold.hosting._settings import HostSettings
from statehold.images import AppImage, Isolation, PluginFile, PluginKind
from statehold.loading import Entry, LoadedPlugin, PluginFiles, load_plugin
from statehold.loading.wasm import read_limits
from statehold.sdk import Provider

if TYPE_CHECKING:
    from statehold.loading.sidecar import SidecarPlugin, SidecarStatus
    from statehold.loading.wasm import WasmPlugin

    Loaded: TypeAlias = LoadedPlugin | WasmPlugin | SidecarPlugin


#: The limits that the sandbox keeps.
_BY_SANDBOX: Final = ("memory_mib", "cpu_seconds", "open_files", "processes")


@attrs.frozen(eq=False)
class _Kept:
    """A plugin that is loaded, and the storages that live in it."""

    plugin: Loaded
    sha256: str
    storages: list[str]


class PluginLoader:
    """Loads the plugins of one app version, each once for every place in which its storages are to run.

    Attributes:
        logger: takes what sidecars say before their storages are open.

    """

    def __init__(self, image: AppImage, store: PluginFiles, settings: HostSettings) -> None:
        self.logger = HostedLogger(f"statehold.{image.app}.{image.version}")
        self._image = image
        self._store = store
        self._settings = settings
        self._owner = f"{image.app} {image.version}"
        self._kept: dict[tuple[object, Placement], _Kept] = {}

    @property
    def plugins(self) -> tuple[Loaded, ...]:
        """What was loaded, in the order of its loading."""
        return tuple(kept.plugin for kept in self._kept.values())

    @property
    def sidecars(self) -> tuple[SidecarStatus, ...]:
        """How the processes fare of what runs in sidecars."""
        return tuple(status for plugin in self.plugins if (status := getattr(plugin, "status", None)))

    @property
    def files(self) -> tuple[str, ...]:
        """The digests of the plugin files in use, each once."""
        return tuple(dict.fromkeys(kept.sha256 for kept in self._kept.values() if kept.sha256))

    def path(self, file: PluginFile) -> Path:
        """Return a copy of a plugin file of the image, with the bytes that were verified."""
        executable = file.kind is PluginKind.EXECUTABLE
        return self._store.add(
            self._image.read(file.path),
            sha256=file.sha256,
            suffix="" if executable else Path(file.name).suffix,
            executable=executable,
        )

    def load(self, file: PluginFile, placement: Placement, storage: str) -> Loaded:
        """Return the plugin in *file*, loaded to where *storage* is to run.

        Raises:
            PluginError: it is broken.
            SidecarError: its process cannot be started, or failed.

        """
        path = self.path(file)

        def in_process(_: list[str]) -> Loaded:
            return load_plugin(path, owner=self._owner, sha256=file.sha256)

        def as_module(_: list[str]) -> Loaded:
            from statehold.loading.wasm import load_wasm  # noqa: PLC0415 - takes the WebAssembly runtime along

            return load_wasm(path, owner=self._owner, sha256=file.sha256)

        def in_sidecar(storages: list[str]) -> Loaded:
            sidecars = self._settings.sidecars.get()
            options = {"sha256": file.sha256, "name": file.name, **self._options(placement, storages)}
            if file.kind is PluginKind.EXECUTABLE:
                interpreters = _interpreters(self._image.read(file.path))
                return sidecars.load_executable(path, interpreters=interpreters, **options)
            return sidecars.load_file(path, **options)

        load = {Isolation.INPROCESS: in_process, Isolation.WASM: as_module}.get(
            placement.isolation, in_sidecar
        )
        # One module does for all limits: each instance has its own.
        where = attrs.evolve(placement, limits=()) if load is as_module else placement
        return self._once((file.path, where), file.sha256, storage, load)

    def load_installed(self, entry: Entry, placement: Placement, storage: str) -> Loaded:
        """Return an installed provider, loaded into a sidecar.

        Raises:
            PluginError: it is broken.
            SidecarError: its process cannot be started, or failed.

        """

        def in_sidecar(storages: list[str]) -> Loaded:
            return self._settings.sidecars.get().load_installed([entry], **self._options(placement, storages))

        return self._once((entry, placement), "", storage, in_sidecar)

    def warnings(self) -> Iterator[str]:
        """Yield what an operator is to know of the sidecars that were loaded."""
        lacking: dict[str, None] = {}
        for plugin in self.plugins:
            lacking.update(dict.fromkeys(getattr(plugin, "lacking", ())))
            unheard = getattr(plugin, "unheard", ())
            if unheard:
                yield (
                    f"{plugin}: its hooks {', '.join(unheard)} are not called, because it does not run in "
                    "the host's process"
                )
        if self._settings.sidecars.sandbox is Sandbox.OFF:
            for (_, placement), kept in self._kept.items():
                loose = [name for name, _ in placement.limits if name in _BY_SANDBOX]
                if loose and placement.isolation is Isolation.SIDECAR:
                    yield (
                        f"{kept.plugin}: nothing keeps it within {', '.join(loose)}, because this host does "
                        f"not shut sidecars in (sandbox: {Sandbox.OFF})"
                    )
        for lack in lacking:
            yield f"this machine lacks a part of the sandbox that sidecars are shut in with: {lack}"

    def free(self) -> list[tuple[Loaded, Any]]:
        """Free every plugin, in the reverse of its loading, and return each with its report."""
        freed = [(plugin, plugin.free()) for plugin in reversed(self.plugins)]
        self._kept.clear()
        return freed

    def _once(
        self, key: tuple[object, Placement], sha256: str, storage: str, load: Callable[[list[str]], Loaded]
    ) -> Loaded:
        kept = self._kept.get(key)
        if kept is None:
            storages: list[str] = []
            kept = self._kept[key] = _Kept(load(storages), sha256, storages)
            for lack in getattr(kept.plugin, "lacking", ()):
                # Also when the host comes back, and nobody reads what a deploy warns of.
                self.logger.warning("%s: a part of its sandbox is lacking: %s", kept.plugin, lack)
        kept.storages.append(storage)
        return kept.plugin

    def _options(self, placement: Placement, storages: Iterable[str]) -> Mapping[str, Any]:
        from statehold.loading.sidecar import Limits  # noqa: PLC0415 - for hosts that have some

        app, count = self._image.app, self._image.descriptor.num_parts

        def folders() -> list[Path]:
            every = (
                self._settings.storage_folder(app, number, storage)
                for number in range(count)
                for storage in storages
            )
            return [folder for folder in every if folder.is_dir()]

        return {
            "owner": self._owner,
            "data_folders": folders,
            "network": placement.network,
            "limits": Limits.of(dict(placement.limits)),
            "logger": self.logger,
            "required": self._settings.untrusted,
        }


def within_limits(plugin: Loaded, name: str, placement: Placement) -> Provider:
    """Return a provider of a plugin, for a storage that runs in *placement*."""
    if placement.isolation is Isolation.WASM:
        module: Any = plugin
        found: Provider = module.limited(name, read_limits(dict(placement.limits))[0])
        return found
    return plugin.providers[name]


def _interpreters(data: bytes) -> list[Path]:
    """Return what a script needs to be run: what its first line names, and what `env` finds for it."""
    if not data.startswith(b"#!"):
        return []
    words = data[2:].partition(b"\n")[0].decode(errors="replace").split()
    named = words[:1]
    if words and Path(words[0]).name == "env":
        named += [found for word in words[1:] if not word.startswith("-") and (found := shutil.which(word))]
    return [Path(word) for word in named if word.startswith("/")]

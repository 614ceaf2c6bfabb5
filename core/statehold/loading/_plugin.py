from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from statehold.loading._archive import Metadata, open_archive
from statehold.loading._entries import HOOKS, STORAGES
from statehold.loading._free import FreeReport, free_space
from statehold.loading._reference import check_is_provider, load_object
from statehold.loading._space import Space
from statehold.sdk import FreedError, PluginError, Provider


class LoadedPlugin:
    """A plugin file, loaded into a namespace of its own; `free()` removes it from the process.

    Attributes:
        path: the plugin file.
        owner: whom it was loaded for.
        distribution: the distribution's name.
        version: its version.
        sha256: the digest of what was loaded.

    """

    def __init__(
        self,
        *,
        owner: str,
        space: Space,
        metadata: Metadata,
        providers: Mapping[str, Provider],
        hooks: Mapping[str, object],
    ) -> None:
        self.path = space.archive.path
        self.sha256 = space.archive.sha256
        self.owner = owner
        self.distribution = metadata.name
        self.version = metadata.version
        self._space = space
        self._providers: Mapping[str, Provider] | None = MappingProxyType(dict(providers))
        self._hooks: Mapping[str, object] = MappingProxyType(dict(hooks))
        self._report: FreeReport | None = None

    @property
    def providers(self) -> Mapping[str, Provider]:
        """The providers by name."""
        if self._providers is None:
            raise FreedError(f"{self} has been freed")
        return self._providers

    @property
    def hooks(self) -> Mapping[str, object]:
        """The hook plugins by name, for the app version that the file belongs to."""
        if self._providers is None:
            raise FreedError(f"{self} has been freed")
        return self._hooks

    @property
    def prefix(self) -> str:
        """The end of the private names of its modules' packages: `scada` is `scada` + prefix."""
        return self._space.marker

    def free(self) -> FreeReport:
        """Remove every trace of the plugin; to be called when its storages have been freed.

        Takes microseconds. What the plugin made is collected with Python's next garbage collection;
        the report's `survivors` prove it. A second call returns the same report.
        """
        if self._report is None:
            providers, self._providers, self._hooks = self._providers, None, {}
            self._report = free_space(self._space, who=str(self), made=tuple((providers or {}).values()))
        return self._report

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.free()

    def __str__(self) -> str:
        """Return which plugin it is, and whose."""
        return f"plugin {self.distribution} {self.version} ({self.path.name}) of {self.owner}"

    def __del__(self) -> None:
        if getattr(self, "_report", self) is None:
            warnings.warn(f"{self} was never freed: its modules stay loaded", ResourceWarning, stacklevel=2)


def load_plugin(path: Path, *, owner: str, sha256: str | None = None) -> LoadedPlugin:
    """Load the plugin file at *path*, side by side with whatever else has its package names.

    The plugin's top-level code runs in this call. *owner*, such as `acme.bills 1.2`, says in errors
    whose plugin it is; *sha256*, if given, is verified against the bytes that are loaded.

    Raises:
        PluginError: the file is damaged, has compiled extensions, names no storage, or its code
            cannot be imported; nothing of it stays loaded then.

    """
    archive = open_archive(path)
    if sha256 is not None and archive.sha256 != sha256:
        raise PluginError(
            f"the plugin file {path} of {owner} is not the one expected: "
            f"its SHA-256 is {archive.sha256}, not {sha256}",
            hint="Deploy the image again",
        )
    metadata = _the_plugin(archive.metadata, path)
    label = f"plugin {metadata.name} {metadata.version} ({path}) of {owner}"
    space = Space(archive)
    try:
        providers = {}
        hooks = {}
        for name, value in metadata.entry_points[STORAGES].items():
            who = f"storage {name!r} ({value}) of {label}"
            found = load_object(value, who=who, import_module=space.import_module, public=space.public)
            providers[name] = check_is_provider(found, name=name, who=who)
        for name, value in metadata.entry_points.get(HOOKS, {}).items():
            who = f"hook plugin {name!r} ({value}) of {label}"
            hooks[name] = load_object(value, who=who, import_module=space.import_module, public=space.public)
    except BaseException:
        free_space(space, who=label, made=())
        raise
    return LoadedPlugin(owner=owner, space=space, metadata=metadata, providers=providers, hooks=hooks)


def distribution_of(path: Path) -> str:
    """Return the name of the distribution in the plugin file at *path*; none of its code is loaded.

    Raises:
        PluginError: the file is damaged, or names no storage.

    """
    return _the_plugin(open_archive(path).metadata, path).name


def _the_plugin(found: tuple[Metadata, ...], path: Path) -> Metadata:
    plugins = [metadata for metadata in found if metadata.entry_points.get(STORAGES)]
    if len(plugins) == 1:
        return plugins[0]
    if plugins:
        raise PluginError(
            f"the plugin file {path} holds {len(plugins)} distributions with storages: "
            f"{', '.join(f'{each.name} {each.version}' for each in plugins)}",
            hint="Name all storages in the entry points of one of them",
        )
    raise PluginError(
        f"the plugin file {path} names no storage: no *.dist-info/entry_points.txt in it has the group "
        f"{STORAGES!r}",
        hint='Add [project.entry-points."statehold.storages"] to its pyproject.toml, and build it again',
    )

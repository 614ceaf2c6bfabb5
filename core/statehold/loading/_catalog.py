from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import attrs

from statehold.loading._app_plugins import AppPlugins
from statehold.loading._entries import Entry, installed_entries
from statehold.loading._hook_plugins import HookPlugins, label
from statehold.loading._reference import check_is_provider, load_object
from statehold.sdk import Contract, PluginError, Provider
from statehold_vsql import StorageEngine

_log = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class Found:
    """A loaded provider and the installed distribution that brings it."""

    provider: Provider
    entry: Entry


@attrs.frozen(kw_only=True)
class Listed:
    """One line of the list of what is installed; `error` says why something cannot be used.

    `provider` is None where it cannot be loaded, and for hook plugins, which are listed only if broken.
    """

    entry: Entry
    provider: Provider | None = None
    error: str = ""


class Catalog:
    """The storages and hooks that installed distributions bring.

    Making one imports no plugin. A provider is imported when it is first asked for, and only then can
    its being broken, or claimed by two distributions, be an error.
    """

    def __init__(self, *, storages: Iterable[Entry] = (), hooks: Iterable[Entry] = ()) -> None:
        self.storages = tuple(storages)
        self.hooks = tuple(hooks)
        self._hook_plugins = HookPlugins(self.hooks)
        self._brought: Mapping[Entry, Provider] | None = None
        self._loaded: dict[Entry, Provider | PluginError] = {}
        self._sorted: dict[bool, tuple[Entry, ...]] = {}
        self._lock = threading.RLock()

    def names(self, *, engine: StorageEngine = StorageEngine.PYPLUGIN) -> tuple[str, ...]:
        """Return the names of the providers that a storage of *engine* may have."""
        return tuple(sorted({entry.name for entry in self._entries(engine)}))

    def find(self, name: str, *, engine: StorageEngine) -> Found:
        """Return the provider *name*, imported at its first use.

        A BUILTIN provider is one of Statehold's own; nobody else can claim its name.

        Raises:
            PluginError: nobody brings it, two distributions do, or it cannot be loaded.

        """
        entry = self._claimed(name, engine)
        return Found(provider=self._load(entry), entry=entry)

    def entry(self, name: str, *, engine: StorageEngine) -> Entry:
        """Return who brings the provider *name*, without importing it.

        Raises:
            PluginError: nobody brings it, two distributions do, or a hook plugin does, which makes it here.

        """
        entry = self._claimed(name, engine)
        if entry in self._by_hook():
            raise PluginError(
                f"the storage {name!r} of {entry} is made by a hook plugin, in the host's process",
                hint="Let it run inprocess, or name it among the entry points",
            )
        return entry

    def _claimed(self, name: str, engine: StorageEngine) -> Entry:
        entries = self._entries(engine)
        claims = [entry for entry in entries if entry.name == name]
        if not claims:
            near = get_close_matches(name, {entry.name for entry in entries}, n=1)
            where = (
                "Statehold itself does not provide" if engine == "BUILTIN" else "nothing installed provides"
            )
            raise PluginError(
                f"{where} a storage {name!r}",
                hint=f"Did you mean {near[0]!r}?"
                if near
                else f"Provided are {', '.join(self.names(engine=engine)) or 'none'}",
            )
        if len(claims) > 1:
            raise _conflict(claims)
        return claims[0]

    def contracts(self, names: Iterable[str] | None = None) -> Mapping[str, Contract]:
        """Return contracts by provider name, of *names* or of all, for `compile_app`.

        Where two distributions claim a name, Statehold's own counts. Storages that are only announced are
        included. A foreign provider that cannot be used has no contract here, and its reason in the log.

        Raises:
            PluginError: a provider of Statehold's own cannot be loaded.

        """
        announced = self.announced()
        wanted = {*self.names(), *announced} if names is None else frozenset(names)
        contracts = {}
        for name in sorted(wanted):
            if name in announced:
                contracts[name] = announced[name]
            elif any(entry.name == name for entry in self._entries(StorageEngine.PYPLUGIN)):
                own = name in self.names(engine=StorageEngine.BUILTIN)
                engine = StorageEngine.BUILTIN if own else StorageEngine.PYPLUGIN
                try:
                    contracts[name] = self.find(name, engine=engine).provider.contract
                except PluginError as error:
                    if own:
                        raise
                    _log.warning("%s", error)
        return contracts

    def announced(self) -> Mapping[str, Contract]:
        """Return the contracts of storages that this host knows, and has no provider for."""
        provided = self.names(engine=StorageEngine.BUILTIN)
        return {
            name: contract
            for _, contracts in self._hook_plugins.answers("statehold_contracts")
            for name, contract in contracts.items()
            if name not in provided
        }

    def functions(self) -> Mapping[str, Callable[..., Any]]:
        """Return the code of BUILTIN extensions that installed hook plugins bring, by qualified name.

        Raises:
            PluginError: two plugins bring one extension.

        """
        found: dict[str, tuple[Entry, Callable[..., Any]]] = {}
        for entry, functions in self._hook_plugins.answers("statehold_extensions"):
            for name, function in functions.items():
                if name in found:
                    raise PluginError(
                        f"the extension {name!r} is brought twice: by {found[name][0]}, and by {entry}",
                        hint="Uninstall one of them",
                    )
                found[name] = entry, function
        return {name: function for name, (_, function) in found.items()}

    def packages(self) -> Mapping[str, Mapping[str, str]]:
        """Return the VSQL packages that installed hook plugins bring: package path -> {file name: text}.

        Raises:
            PluginError: two plugins bring one package, or Statehold's own plugin is broken.

        """
        return {path: _only(path, claims) for path, claims in self._packages().items()}

    def _packages(self) -> Mapping[str, Sequence[tuple[Entry, Mapping[str, str]]]]:
        """Return what each package path is claimed for, and by whom."""
        found: dict[str, list[tuple[Entry, Mapping[str, str]]]] = {}
        for entry, brought in self._hook_plugins.answers("statehold_packages"):
            for path, files in brought.items():
                found.setdefault(path, []).append((entry, files))
        self._hook_plugins.require_own()
        return found

    def complete(self, application: Mapping[str, Mapping[str, str]]) -> dict[str, Mapping[str, str]]:
        """Return the packages of an application, and with them those of `packages` that it needs.

        That is `sys`, and what is named in an IMPORT; a package of the application goes before an
        installed one of the same path.

        Raises:
            PluginError: two plugins bring one that is needed, or Statehold's own plugin is broken.

        """
        brought = self._packages()
        needed = dict(application)
        if "sys" in brought and "sys" not in application:
            needed = {"sys": _only("sys", brought["sys"]), **application}
        waiting = list(needed.values())
        while waiting:
            text = "\n".join(waiting.pop().values())
            for path in brought.keys() - needed.keys():
                if f"'{path}'" in text:
                    needed[path] = _only(path, brought[path])
                    waiting.append(needed[path])
        return needed

    def app_plugins(self) -> AppPlugins:
        """Return the installed hook plugins, registered for one app version, which is to free them."""
        plugins = AppPlugins()
        for entry, plugin in self._hook_plugins.plugins.items():
            plugins.register(plugin, name=label(entry))
        return plugins

    def listing(self) -> tuple[Listed, ...]:
        """Return every claimed name, imported, or with the reason why it cannot be; stops at nothing."""
        entries = self._entries(StorageEngine.PYPLUGIN)
        lines = [self._list(entry, entries) for entry in entries]
        lines += [Listed(entry=entry, error=str(error)) for entry, error in self._hook_plugins.errors.items()]
        return tuple(lines)

    def _list(self, entry: Entry, entries: Sequence[Entry]) -> Listed:
        claims = [other for other in entries if other.name == entry.name]
        try:
            provider = self._load(entry)
        except PluginError as error:
            return Listed(entry=entry, error=str(error))
        return Listed(entry=entry, provider=provider, error=str(_conflict(claims)) if len(claims) > 1 else "")

    def _entries(self, engine: StorageEngine) -> tuple[Entry, ...]:
        own = engine is StorageEngine.BUILTIN
        found = self._sorted.get(own)
        if found is None:
            entries = (*self.storages, *self._by_hook())
            found = self._sorted[own] = tuple(sorted(entry for entry in entries if entry.builtin or not own))
        return found

    def _by_hook(self) -> Mapping[Entry, Provider]:
        with self._lock:
            if self._brought is None:
                self._brought = {
                    attrs.evolve(entry, name=provider.name, value=f"{entry.value} (hook)"): provider
                    for entry, providers in self._hook_plugins.answers("statehold_providers")
                    for provider in providers
                }
            return self._brought

    def _load(self, entry: Entry) -> Provider:
        with self._lock:
            found = self._by_hook().get(entry) or self._loaded.get(entry)
            if found is None:
                who = f"storage {entry.name!r} ({entry.value}) of {entry}"
                try:
                    loaded = load_object(entry.value, who=who, import_module=importlib.import_module)
                    found = check_is_provider(loaded, name=entry.name, who=who)
                except PluginError as error:
                    found = error
                self._loaded[entry] = found
        if isinstance(found, PluginError):
            # A new one each time: an error gathers a traceback wherever it is raised.
            raise PluginError(found.message, hint=found.hint) from found.__cause__
        return found


def installed() -> Catalog:
    """Return the catalog of everything installed beside this Statehold."""
    storages, hooks = installed_entries()
    return Catalog(storages=storages, hooks=hooks)


def _only(path: str, claims: Sequence[tuple[Entry, Mapping[str, str]]]) -> Mapping[str, str]:
    if len(claims) > 1:
        owners = ", and by ".join(str(entry) for entry, _ in claims)
        raise PluginError(
            f"the package {path!r} is brought {len(claims)} times: by {owners}",
            hint="Uninstall all but one of them",
        )
    return claims[0][1]


def _conflict(claims: Sequence[Entry]) -> PluginError:
    return PluginError(
        f"the storage name {claims[0].name!r} is claimed by {len(claims)} distributions: "
        f"{' and '.join(map(str, claims))}",
        hint="Uninstall all but one of them",
    )

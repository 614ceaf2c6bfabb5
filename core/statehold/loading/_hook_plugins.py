from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any, Final

from statehold.loading._app_plugins import AppPlugins
from statehold.loading._entries import Entry
from statehold.loading._reference import load_object, short
from statehold.sdk import Contract, PluginError, Provider

_log = logging.getLogger(__name__)


class HookPlugins:
    """The installed hook plugins, imported at first use; a broken one is set aside with its error."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(entries)
        self.errors: dict[Entry, PluginError] = {}
        self._plugins: dict[Entry, object] = {}
        self._asked: AppPlugins | None = None
        self._lock = threading.RLock()

    @property
    def plugins(self) -> Mapping[Entry, object]:
        """The plugins that could be loaded."""
        self._load()
        return self._plugins

    def answers(self, hook: str) -> list[tuple[Entry, Any]]:
        """Return what each plugin answers to *hook*, without those that raised."""
        by_name = {label(entry): entry for entry in self.entries}
        answers = []
        for name, function in self._load().implementations(hook):
            entry = by_name[name]
            try:
                answers.append((entry, _CHECKS[hook](function())))
            except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a hook raises, the host goes on
                self._reject(
                    entry,
                    PluginError(
                        f"hook plugin {entry.name!r} ({entry.value}) of {entry} is broken: "
                        f"{hook} raised {short(error)}",
                        hint="Correct the plugin, or uninstall it",
                    ),
                )
        return answers

    def require_own(self) -> None:
        """Raise the error of a broken hook plugin of Statehold's own: nothing works without those."""
        self._load()
        for entry, error in self.errors.items():
            if entry.builtin:
                raise PluginError(error.message, hint=error.hint) from error.__cause__

    def _load(self) -> AppPlugins:
        with self._lock:
            if self._asked is None:
                self._asked = AppPlugins()
                for entry in self.entries:
                    who = f"hook plugin {entry.name!r} ({entry.value}) of {entry}"
                    try:
                        plugin = load_object(entry.value, who=who, import_module=importlib.import_module)
                        self._asked.register(plugin, name=label(entry))
                    except PluginError as error:
                        self._reject(entry, error)
                    else:
                        self._plugins[entry] = plugin
            return self._asked

    def _reject(self, entry: Entry, error: PluginError) -> None:
        if entry not in self.errors:
            _log.warning("%s", error)
        self.errors[entry] = error


def _packages(answer: Any) -> Mapping[str, Mapping[str, str]]:
    if not isinstance(answer, Mapping) or not all(
        isinstance(path, str) and isinstance(files, Mapping) and all(map(_is_text, chain(*files.items())))
        for path, files in answer.items()
    ):
        raise TypeError("expected a mapping of package paths to {file name: text} as its answer")
    return answer


def _contracts(answer: Any) -> Mapping[str, Contract]:
    if not isinstance(answer, Mapping) or not all(
        isinstance(name, str) and isinstance(contract, Contract) for name, contract in answer.items()
    ):
        raise TypeError("expected a mapping of names to Contracts as its answer")
    return answer


def _providers(answer: Any) -> tuple[Provider, ...]:
    providers = tuple(answer)
    if not all(isinstance(provider, Provider) for provider in providers):
        raise TypeError("expected Providers as its answer")
    return providers


def _functions(answer: Any) -> Mapping[str, Callable[..., Any]]:
    if not isinstance(answer, Mapping) or not all(
        isinstance(name, str) and callable(function) for name, function in answer.items()
    ):
        raise TypeError("expected a mapping of qualified names to functions as its answer")
    return answer


def _is_text(thing: object) -> bool:
    return isinstance(thing, str)


_CHECKS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "statehold_contracts": _contracts,
    "statehold_extensions": _functions,
    "statehold_packages": _packages,
    "statehold_providers": _providers,
}


def label(entry: Entry) -> str:
    """Return the name a hook plugin is registered under, one of its own per distribution."""
    return f"{entry.distribution}:{entry.name}"

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

import pluggy

from statehold.sdk import FreedError, Hooks, PluginError


class AppPlugins:
    """The hook plugins of one app version: registered one by one, freed together, shared with nobody."""

    def __init__(self) -> None:
        self._manager: pluggy.PluginManager | None = pluggy.PluginManager("statehold")
        self._manager.add_hookspecs(Hooks)

    @property
    def hook(self) -> Any:
        """The hooks to call: `plugins.hook.statehold_version_opened(app=..., version=...)`."""
        return self._live.hook

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the registered plugins, in the order of registration."""
        return tuple(name for name, plugin in self._live.list_name_plugin() if plugin is not None)

    def register(self, plugin: object, *, name: str) -> Callable[[], None]:
        """Take the hook implementations of *plugin* and return a function that undoes it.

        Raises:
            PluginError: the name or the plugin is registered already, or an implementation fits no hook.

        """
        manager = self._live
        try:
            manager.register(plugin, name)
            manager.check_pending()
        except (ValueError, pluggy.PluginValidationError) as error:
            with suppress(ValueError, AssertionError):
                if manager.get_plugin(name) is plugin:
                    manager.unregister(name=name)
            raise PluginError(
                f"hook plugin {name!r} cannot be registered: {' '.join(str(error).split())}",
                hint=_hook_hint(plugin),
            ) from error

        def undo() -> None:
            # By then the manager may be freed, or the name taken by another plugin.
            if manager.get_plugin(name) is plugin:
                _unregister(manager, name)

        return undo

    def implementations(self, hook: str) -> Iterator[tuple[str, Callable[..., Any]]]:
        """Yield the name and the function of every plugin that implements *hook*, the last one first."""
        for implementation in reversed(getattr(self._live.hook, hook).get_hookimpls()):
            yield implementation.plugin_name, implementation.function

    def free(self) -> None:
        """Unregister every plugin, the last one first, and keep no reference to any; idempotent."""
        manager, self._manager = self._manager, None
        if manager is not None:
            for name, _ in reversed(manager.list_name_plugin()):
                _unregister(manager, name)

    @property
    def _live(self) -> pluggy.PluginManager:
        if self._manager is None:
            raise FreedError("the hook plugins of this app version have been freed")
        return self._manager


def _unregister(manager: pluggy.PluginManager, name: str) -> None:
    plugin = manager.unregister(name=name)
    # pluggy 1.7 remembers the pairs of plugin and distribution after unregistering.
    known: list[tuple[object, object]] = getattr(manager, "_plugin_distinfo", [])
    known[:] = [pair for pair in known if pair[0] is not plugin]


def _hook_hint(plugin: object) -> str:
    hooks = [name for name in vars(Hooks) if name.startswith("statehold_")]
    for name in dir(plugin):
        if name.startswith("stateh") and name not in hooks:
            near = get_close_matches(name, hooks, n=1)
            if near:
                return f"Did you mean the hook {near[0]!r} by {name!r}?"
    return f"The hooks are {', '.join(hooks)}"

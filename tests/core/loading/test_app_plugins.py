"""Hook plugins of one app version: registered one by one, freed together, never shared."""

from __future__ import annotations

import gc
import weakref

import pytest

from statehold.loading import AppPlugins
from statehold.sdk import FreedError, PluginError, hookimpl


class Watch:
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    @hookimpl
    def statehold_version_opened(self, app: str, version: str) -> None:
        """Write it down."""
        self.heard.append((app, version))


class Misspelt:
    """A plugin whose hook does not exist."""

    @hookimpl
    def statehold_version_opend(self, app: str) -> None:
        """Never be called."""


class WrongArgument:
    """A plugin whose hook has an argument that there is not."""

    @hookimpl
    def statehold_version_opened(self, application: str) -> None:
        """Never be called."""


def test_a_registered_plugin_hears_its_own_version_only():
    """Two versions have two managers."""
    one, two = AppPlugins(), AppPlugins()
    watch = Watch()
    one.register(watch, name="watch")
    one.hook.statehold_version_opened(app="acme.bills", version="1")
    two.hook.statehold_version_opened(app="acme.bills", version="2")
    assert watch.heard == [("acme.bills", "1")]
    assert (one.names, two.names) == (("watch",), ())


def test_registering_returns_how_to_undo_it():
    """The undo function unregisters this plugin, and nothing when called again."""
    plugins = AppPlugins()
    undo = plugins.register(Watch(), name="watch")
    undo()
    plugins.register(Watch(), name="watch")
    undo()
    assert plugins.names == ("watch",)


def test_a_misspelt_hook_is_refused_with_the_right_name():
    """check_pending is asked after every registration, and the plugin is not kept."""
    plugins = AppPlugins()
    with pytest.raises(PluginError, match="Did you mean the hook 'statehold_version_opened'") as refused:
        plugins.register(Misspelt(), name="misspelt")
    assert "'misspelt'" in str(refused.value)
    assert plugins.names == ()


def test_an_argument_that_no_hook_has_is_refused():
    """The error names the plugin and the argument."""
    with pytest.raises(PluginError, match=r"'wrong'.*application"):
        AppPlugins().register(WrongArgument(), name="wrong")


def test_a_name_and_a_plugin_are_registered_once():
    """A second registration is an error and leaves the first."""
    plugins = AppPlugins()
    watch = Watch()
    plugins.register(watch, name="watch")
    for plugin, name in ((Watch(), "watch"), (watch, "again")):
        with pytest.raises(PluginError, match="already registered"):
            plugins.register(plugin, name=name)
    assert plugins.names == ("watch",)


def test_free_lets_go_of_every_plugin():
    """The plugins die although pluggy remembers distributions; a freed manager answers no more."""
    plugins = AppPlugins()
    watch = Watch()
    plugins.register(watch, name="watch")
    plugins._live._plugin_distinfo.append((watch, object()))
    manager, dead = weakref.ref(plugins._live), weakref.ref(watch)
    del watch
    plugins.free()
    plugins.free()
    gc.collect()
    assert dead() is None
    assert manager() is None
    with pytest.raises(FreedError):
        plugins.hook  # noqa: B018

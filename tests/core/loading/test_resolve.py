"""Where a declared storage gets its provider: the image of its package, else what is installed."""

from __future__ import annotations

import pytest

from statehold.loading import Catalog, Source, installed, resolve
from statehold.sdk import PluginError
from statehold_vsql import StorageEngine
from statehold_vsql.appdef import Position, QName, StorageDef

PATH = "example.com/acme/bills"


def storage(provider: str, engine: str = "PYPLUGIN", *, package: str = PATH) -> StorageDef:
    return StorageDef(
        name=QName("bills", "Scada"),
        engine=StorageEngine(engine),
        provider=provider,
        operations=None,
        position=Position(package, "bills.vsql", 3, 5),
    )


def test_the_plugin_file_of_the_package_comes_first(load):
    """Its provider, distribution, version and path are told."""
    plugin = load(version="2.0")
    found = resolve(storage("Scada"), image_plugins={PATH: plugin}, catalog=Catalog())
    assert found.provider is plugin.providers["Scada"]
    assert (found.distribution, found.version, found.source) == ("acme-scada", "2.0", Source.IMAGE)
    assert found.location == str(plugin.path)


def test_what_the_file_does_not_bring_is_looked_for_among_the_installed(load):
    """Statehold's own count for PYPLUGIN as well."""
    found = resolve(storage("Ephemeral"), image_plugins={PATH: load()}, catalog=installed())
    assert (found.distribution, found.source) == ("statehold", Source.INSTALLED)


def test_an_image_cannot_stand_in_for_a_builtin(make_wheel, load):
    """BUILTIN is shipped with the host, even if the image brings a plugin of that name."""
    code = "from statehold.sdk import Provider\nprovider = Provider(name='Http', open=print, operations=[])\n"
    plugin = load({"scada/__init__.py": code}, storages={"Http": "scada:provider"})
    found = resolve(storage("Http", "BUILTIN"), image_plugins={PATH: plugin}, catalog=installed())
    assert found.distribution == "statehold"


def test_the_plugin_of_another_package_does_not_count(load):
    """A package gets what it brings itself."""
    with pytest.raises(PluginError, match=r"storage bills.Scada \(bills.vsql:3:5\) has no provider"):
        resolve(storage("Scada"), image_plugins={"example.com/other": load()}, catalog=Catalog())


def test_the_nearest_name_of_the_file_is_offered(load):
    """The hint speaks of the plugin file that the package has."""
    images = {PATH: load()}
    with pytest.raises(
        PluginError, match=r"Did you mean 'Scada', which storages-1.whl of the image provides\?"
    ):
        resolve(storage("Skada"), image_plugins=images, catalog=Catalog())
    with pytest.raises(PluginError, match=r"storages-1.whl of the image provides Scada. .*Provided are"):
        resolve(storage("Qwxyz"), image_plugins=images, catalog=installed())


@pytest.mark.parametrize(
    ("engine", "what", "name"),
    [
        ("WASM", "module", "storages-<version>.wasm"),
        ("GOPLUGIN", "executable", "storages-<version>, without"),
    ],
)
def test_a_module_or_an_executable_is_what_the_package_itself_has(engine, what, name):
    """An installed provider does not stand in for it, and the file's name is told."""
    with pytest.raises(PluginError, match=rf"has no {what} with storages\. .* called {name}"):
        resolve(storage("Ephemeral", engine), image_plugins={}, catalog=installed())

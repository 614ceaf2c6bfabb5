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


def test_an_engine_that_this_host_lacks_is_refused():
    """The error names the storage, where it is declared, and what to do."""
    with pytest.raises(PluginError, match=r"bills.Scada \(bills.vsql:3:5\) asks for engine GOPLUGIN"):
        resolve(storage("Scada", "GOPLUGIN"), image_plugins={}, catalog=Catalog())


def test_a_module_is_what_the_package_itself_has():
    """An installed provider does not stand in for it, and the file's name is told."""
    with pytest.raises(PluginError, match=r"has no module with storages\. .* storages-<version>\.wasm"):
        resolve(storage("Ephemeral", "WASM"), image_plugins={}, catalog=installed())

"""What is installed: listed without an import, loaded at first use, and never silently ambiguous."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from statehold.loading import Catalog, Entry, installed
from statehold.sdk import Operation, PluginError
from statehold_vsql import StorageEngine

BUILTIN, PYPLUGIN = StorageEngine.BUILTIN, StorageEngine.PYPLUGIN


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Writes an importable module and returns its name."""
    monkeypatch.syspath_prepend(tmp_path)
    made: list[str] = []

    def write(code: str) -> str:
        made.append(f"catalog_plugin_{len(made)}")
        (tmp_path / f"{made[-1]}.py").write_text(code)
        return made[-1]

    yield write
    for name in made:
        sys.modules.pop(name, None)


def entry(name: str, value: str, *, distribution: str = "acme-scada") -> Entry:
    return Entry(name=name, value=value, distribution=distribution, version="1.0", location="/site-packages")


def provider(name: str) -> str:
    return (
        "from statehold.sdk import Provider, Operation\n"
        f"provider = Provider(name={name!r}, open=print, operations=[Operation.GET])\n"
    )


def test_the_installed_statehold_is_found():
    """Statehold's own storages and hooks are entry points like any others."""
    catalog = installed()
    assert {"AppSecret", "Ephemeral", "Http", "Logger", "SendMail", "Table"} <= set(catalog.names())
    found = catalog.find("Ephemeral", engine=BUILTIN)
    assert found.entry.distribution == "statehold"
    assert Operation.UPDATE in found.provider.operations
    assert "sys" in catalog.packages()
    assert {"View", "Record", "Ephemeral"} <= catalog.contracts().keys()
    assert catalog.app_plugins().names == ("statehold:sys",)


def test_listing_the_entries_imports_nothing(module):
    """Making a catalog, and reading whose names it has, leaves the plugin's module alone."""
    name = module(provider("Scada"))
    catalog = Catalog(storages=[entry("Scada", f"{name}:provider")])
    assert [str(each) for each in catalog.storages] == ["acme-scada 1.0 in /site-packages"]
    assert catalog.names() == ("Scada",)
    assert name not in sys.modules


def test_a_provider_is_imported_at_its_first_use_and_only_then(module):
    """The second use returns the same object."""
    name = module(provider("Scada"))
    catalog = Catalog(storages=[entry("Scada", f"{name}:provider")])
    found = catalog.find("Scada", engine=PYPLUGIN)
    assert found.provider is sys.modules[name].provider
    assert catalog.find("Scada", engine=PYPLUGIN) == found


def test_an_unknown_name_gets_the_nearest(module):
    """The error offers what there is."""
    catalog = Catalog(storages=[entry("Scada", f"{module(provider('Scada'))}:provider")])
    with pytest.raises(
        PluginError, match=r"nothing installed provides a storage 'Skada'.*Did you mean 'Scada'"
    ):
        catalog.find("Skada", engine=PYPLUGIN)
    with pytest.raises(PluginError, match=r"'Ephemeral'. Provided are Scada"):
        catalog.find("Ephemeral", engine=PYPLUGIN)
    with pytest.raises(PluginError, match=r"Statehold itself does not provide .*'Scada'. Provided are none"):
        catalog.find("Scada", engine=BUILTIN)


def test_a_name_claimed_twice_names_both_when_it_is_used(module):
    """Both distributions, versions and places are in the error; other names work on."""
    name = module(provider("Scada"))
    twice = [entry("Scada", f"{name}:provider"), entry("Scada", f"{name}:provider", distribution="zeta")]
    catalog = Catalog(storages=[*twice, entry("Other", f"{module(provider('Other'))}:provider")])
    assert catalog.find("Other", engine=PYPLUGIN)
    with pytest.raises(PluginError) as refused:
        catalog.find("Scada", engine=PYPLUGIN)
    assert "claimed by 2 distributions: acme-scada 1.0 in /site-packages and zeta 1.0" in str(refused.value)
    listed = {(line.entry.distribution, line.entry.name): line for line in catalog.listing()}
    assert "claimed by 2" in listed["zeta", "Scada"].error
    assert listed["zeta", "Scada"].provider is not None
    assert listed["acme-scada", "Other"].error == ""


def test_nobody_can_claim_a_builtin_name(module, caplog):
    """A BUILTIN storage is Statehold's own, whatever else is installed."""
    name = module(provider("Http"))
    own = entry("Http", f"{name}:provider", distribution="statehold")
    catalog = Catalog(storages=[entry("Http", f"{name}:other"), own])
    assert catalog.find("Http", engine=BUILTIN).entry is own
    assert catalog.contracts(["Http"])["Http"].operations.keys() == {Operation.GET}
    with pytest.raises(PluginError, match="claimed by 2"):
        catalog.find("Http", engine=PYPLUGIN)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import no_such_library", "needs the module 'no_such_library'"),
        ("raise SystemExit(1)", "SystemExit: 1"),
        ("raise ValueError('bad')", "ValueError: bad"),
        ("def broken(:", "SyntaxError"),
        ("", "has no 'provider'"),
        ("provider = print", "expected a statehold.sdk.Provider, got a builtin_function_or_method"),
        (provider("Other"), "its entry point is called 'Broken', its provider 'Other'"),
    ],
)
def test_a_broken_plugin_stops_only_who_asks_for_it(module, caplog, code, reason):
    """It says which, from where, why and what to do; it is listed; contracts go without it."""
    broken = entry("Broken", f"{module(code)}:provider")
    catalog = Catalog(storages=[broken, entry("Fine", f"{module(provider('Fine'))}:provider")])
    assert catalog.find("Fine", engine=PYPLUGIN)
    for _ in range(2):
        with pytest.raises(PluginError) as refused:
            catalog.find("Broken", engine=PYPLUGIN)
        assert f"storage 'Broken' ({broken.value}) of acme-scada 1.0 in /site-packages" in str(refused.value)
        assert reason in refused.value.message
        assert refused.value.hint
    lines = {line.entry.name: line for line in catalog.listing()}
    assert reason in lines["Broken"].error
    assert lines["Fine"].error == ""
    with caplog.at_level(logging.WARNING, logger="statehold.loading"):
        assert catalog.contracts().keys() == {"Fine"}
    assert reason in caplog.text


def test_an_entry_point_to_a_module_that_is_gone_says_so():
    """It is not a missing dependency, but a broken installation."""
    catalog = Catalog(storages=[entry("Scada", "no_such_plugin.storage:provider")])
    with pytest.raises(
        PluginError, match=r"there is no module 'no_such_plugin' there.*install the distribution"
    ):
        catalog.find("Scada", engine=PYPLUGIN)


def test_a_broken_provider_of_statehold_itself_is_an_error(module):
    """Without its contract no app compiles, and the compiler could not say why."""
    broken = entry("Http", f"{module('import no_such_library')}:provider", distribution="statehold")
    with pytest.raises(PluginError, match=r"storage 'Http' .* needs the module 'no_such_library'"):
        Catalog(storages=[broken]).contracts()


HOOKS = """
from statehold.sdk import Contract, Operation, Provider, Scope, hookimpl

@hookimpl
def statehold_packages():
    return {"acme.com/points": {"points.vsql": "-- nothing"}}

@hookimpl
def statehold_contracts():
    return {"Later": Contract(operations={Operation.GET: frozenset(Scope)})}

@hookimpl
def statehold_providers():
    return [Provider(name="Extra", open=print, operations=[Operation.READ])]

@hookimpl
def statehold_extensions():
    return {"sys.Collection": print}
"""


def test_a_hook_plugin_brings_packages_contracts_and_providers(module):
    """Providers of hooks are found like those of entry points, and may conflict with them."""
    hooks = entry("points", module(HOOKS))
    catalog = Catalog(hooks=[hooks])
    assert catalog.packages() == {"acme.com/points": {"points.vsql": "-- nothing"}}
    assert catalog.announced().keys() == {"Later"}
    assert catalog.contracts().keys() == {"Later", "Extra"}
    assert catalog.contracts(["Later", "Nowhere"]).keys() == {"Later"}
    assert catalog.find("Extra", engine=PYPLUGIN).entry.value == f"{hooks.value} (hook)"
    other = entry("Extra", f"{module(provider('Extra'))}:provider", distribution="zeta")
    with pytest.raises(PluginError, match="claimed by 2"):
        Catalog(storages=[other], hooks=[hooks]).find("Extra", engine=PYPLUGIN)


def test_an_application_gets_only_the_installed_packages_that_it_imports(module):
    """A package that nobody uses would be an error of the application."""
    catalog = Catalog(hooks=[entry("points", module(HOOKS))])
    plain, importing = {"a.b/c": {"c.vsql": ""}}, {"a.b/c": {"c.vsql": "IMPORT SCHEMA 'acme.com/points';"}}
    assert catalog.complete(plain) == plain
    assert catalog.complete(importing) == importing | catalog.packages()
    own = importing | {"acme.com/points": {"own.vsql": ""}}
    assert catalog.complete(own) == own


def test_a_hook_plugin_brings_builtin_extensions_each_from_one_distribution(module):
    """Nobody could say which of two functions is to run."""
    assert Catalog(hooks=[entry("points", module(HOOKS))]).functions() == {"sys.Collection": print}
    hooks = [entry("a", module(HOOKS)), entry("b", module(HOOKS), distribution="zeta")]
    with pytest.raises(PluginError, match=r"'sys\.Collection' is brought twice: by .* and by "):
        Catalog(hooks=hooks).functions()


def test_a_package_brought_twice_names_both(module):
    """Two hook plugins with one package path are an error."""
    hooks = [entry("a", module(HOOKS)), entry("b", module(HOOKS), distribution="zeta")]
    with pytest.raises(PluginError, match=r"'acme\.com/points' is brought 2 times: by .* and by "):
        Catalog(hooks=hooks).packages()


def test_a_package_brought_twice_stops_only_who_imports_it(module):
    """An application that has nothing to do with it goes on."""
    hooks = [entry("a", module(HOOKS)), entry("b", module(HOOKS), distribution="zeta")]
    plain, importing = {"a.b/c": {"c.vsql": ""}}, {"a.b/c": {"c.vsql": "IMPORT SCHEMA 'acme.com/points';"}}
    catalog = Catalog(hooks=hooks)
    assert catalog.complete(plain) == plain
    with pytest.raises(PluginError, match=r"'acme\.com/points' is brought 2 times"):
        catalog.complete(importing)


@pytest.mark.parametrize(
    "code",
    ["import no_such_library", "1/0", HOOKS + "@hookimpl\ndef statehold_pakages(): pass\n"],
)
def test_a_broken_hook_plugin_is_set_aside(module, caplog, code):
    """The others work, the log and the listing tell of it, and no version gets it."""
    broken = entry("broken", module(code), distribution="zeta")
    catalog = Catalog(hooks=[broken, entry("points", module(HOOKS))])
    with caplog.at_level(logging.WARNING, logger="statehold.loading"):
        assert catalog.packages().keys() == {"acme.com/points"}
    assert "hook plugin" in caplog.text
    assert [line.entry for line in catalog.listing() if line.error] == [broken]
    assert catalog.app_plugins().names == ("acme-scada:points",)


def test_a_hook_that_raises_is_set_aside(module, caplog):
    """What one plugin raises when asked does not keep the others from answering."""
    code = "from statehold.sdk import hookimpl\n@hookimpl\ndef statehold_packages(): raise OSError('gone')\n"
    catalog = Catalog(hooks=[entry("b", module(code), distribution="b"), entry("p", module(HOOKS))])
    with caplog.at_level(logging.WARNING, logger="statehold.loading"):
        assert catalog.packages().keys() == {"acme.com/points"}
    assert "statehold_packages raised OSError: gone" in caplog.text


@pytest.mark.parametrize(
    ("hook", "answer"),
    [
        ("packages", "5"),
        ("packages", "{'a': {'b': 5}}"),
        ("packages", "{7: {}}"),
        ("contracts", "['Later']"),
        ("contracts", "{'Later': 3}"),
        ("extensions", "{'sys.Collection': 5}"),
        ("providers", "None"),
        ("providers", "[1, None]"),
        ("providers", "(1 / 0 for _ in 'x')"),
    ],
)
def test_a_hook_that_answers_nonsense_is_set_aside(module, caplog, hook, answer):
    """It is as good as one that raises: the others work, the log and the listing tell of it."""
    code = f"from statehold.sdk import hookimpl\n@hookimpl\ndef statehold_{hook}(): return {answer}\n"
    broken = entry("b", module(code), distribution="b")
    catalog = Catalog(hooks=[broken, entry("p", module(HOOKS))])
    with caplog.at_level(logging.WARNING, logger="statehold.loading"):
        assert catalog.packages().keys() == {"acme.com/points"}
        assert catalog.contracts().keys() == {"Later", "Extra"}
        assert catalog.functions() == {"sys.Collection": print}
    assert f"statehold_{hook} raised " in caplog.text
    assert [line.entry for line in catalog.listing() if line.error] == [broken]


METADATA = "Metadata-Version: 2.1\nName: zeta\nVersion: 1\n"
POINT = "[statehold.storages]\nZeta = zeta:provider\n"


@pytest.mark.parametrize(
    "files",
    [
        {"entry_points.txt": POINT},
        {"METADATA": "", "entry_points.txt": POINT},
        {"METADATA": "Name: zeta\n", "entry_points.txt": POINT},
        {"METADATA": METADATA, "entry_points.txt": "[anything]\nZeta\n"},
        {"METADATA": METADATA, "entry_points.txt": "[statehold.storages]\nZeta = \xff".encode("latin-1")},
        {"METADATA": METADATA, "entry_points.txt": POINT, "direct_url.json": "{"},
    ],
    ids=["no-metadata", "empty", "no-version", "no-value", "no-utf8", "no-json"],
)
def test_a_damaged_distribution_is_left_out(tmp_path, monkeypatch, caplog, files):
    """What an interrupted installation leaves stops nobody else, and the log says where it is."""
    folder = tmp_path / "zeta-1.dist-info"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.syspath_prepend(tmp_path)
    with caplog.at_level(logging.WARNING, logger="statehold.loading"):
        catalog = installed()
    assert {"Ephemeral", "Table"} <= set(catalog.names())
    assert "Zeta" not in catalog.names()
    assert catalog.app_plugins().names == ("statehold:sys",)
    assert str(folder) in caplog.text
    assert "Install it again" in caplog.text


def test_a_broken_hook_plugin_of_statehold_itself_is_an_error(module):
    """Without its own package sys, no app compiles: better say why at once."""
    catalog = Catalog(hooks=[entry("sys", module("1/0"), distribution="statehold")])
    with pytest.raises(PluginError, match=r"hook plugin 'sys'.*ZeroDivisionError"):
        catalog.packages()

"""A plugin that cannot be loaded says which, from where, why, and how to mend it; and leaves nothing."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from statehold.loading import load_plugin
from statehold.sdk import FreedError, PluginError


def refusal(wheel: Path, **options) -> PluginError:
    before = set(sys.modules)  # other tests may have an application loaded
    with pytest.raises(PluginError) as refused:
        load_plugin(wheel, owner="acme.bills 1", **options)
    assert not any("__plugin" in name for name in set(sys.modules) - before)
    return refused.value


def test_a_plugin_tells_what_it_is(load):
    """Distribution, version, path, digest and providers are read from its metadata."""
    plugin = load(name="acme-scada", version="2.5")
    assert (plugin.distribution, plugin.version, plugin.path.name) == ("acme-scada", "2.5", "storages-1.whl")
    assert list(plugin.providers) == ["Scada"]
    assert str(plugin) == "plugin acme-scada 2.5 (storages-1.whl) of acme.bills 1"


def test_it_may_bring_hooks_for_its_app_version(load):
    """The group statehold.hooks of a plugin file is loaded with it."""
    plugin = load({"scada/hooks.py": "ANSWER = 42\n"}, hooks={"watch": "scada.hooks"})
    assert plugin.hooks["watch"].ANSWER == 42


def test_after_free_it_gives_nothing_away(load):
    """Providers and hooks of a freed plugin are an error that says so."""
    plugin = load()
    plugin.free()
    for what in ("providers", "hooks"):
        with pytest.raises(FreedError, match=r"acme-scada 1\.0 .* has been freed"):
            getattr(plugin, what)


def test_one_that_is_forgotten_warns(make_wheel):
    """A plugin that is dropped without free() is a ResourceWarning: its modules would stay for ever."""
    plugin = load_plugin(make_wheel(), owner="acme.bills 1")
    space = plugin._space
    with pytest.warns(ResourceWarning, match="never freed"):
        del plugin
    from statehold.loading._free import free_space

    free_space(space, who="", made=())


@pytest.mark.parametrize(
    ("code", "reason", "hint"),
    [
        ("import no_such_library", "needs the module 'no_such_library'.*scada/__init__.py:1", "Install what"),
        ("from scada import nothing", r"ImportError: cannot import name 'nothing' from .*'scada'", "Correct"),
        (
            "import scada.nothing",
            r"its package has no module 'scada\.nothing', .*__init__.py:1",
            "Correct the import",
        ),
        (
            "def __getattr__(name): import no_such_library",
            "needs the module 'no_such_library'",
            "Install what",
        ),
        ("1 / 0", "ZeroDivisionError: division by zero at .*scada/__init__.py:1", "Correct"),
        ("raise SystemExit(3)", "raised SystemExit: 3", "Correct"),
        ("def broken(:", "SyntaxError: .* at .*scada/__init__.py:1", "Correct"),
        ("x = '\0'", "SyntaxError: source code string cannot contain null bytes at its entry", "Correct"),
        ("raise KeyError", "raised KeyError at", "Correct"),
        ("providr = 1", "'scada' has no 'provider'", "Did you mean 'providr'?"),
        ("provider = 'Scada'", "expected a statehold.sdk.Provider, got a str", "Let the entry point"),
        ("class provider: pass", "got the class provider", "Let the entry point"),
        (
            "import statehold.sdk as s; provider = s.Provider(name='Skada', open=print, operations=[])",
            "its entry point is called 'Scada', its provider 'Skada'",
            "Give both the same name",
        ),
        (
            "from statehold.sdk import Provider\nprovider = Provider(name='Scada')",
            "TypeError: .*missing 2 required keyword-only arguments",
            "Correct",
        ),
    ],
)
def test_broken_code_is_named_with_its_place_and_reason(make_wheel, code, reason, hint):
    """Which entry point, of which distribution and file, whose, why in short, and what to do."""
    error = refusal(make_wheel({"scada/__init__.py": code + "\n"}))
    assert error.message.startswith("storage 'Scada' (scada:provider) of plugin acme-scada 1.0 (")
    assert "storages-1.whl) of acme.bills 1 " in error.message
    assert pytest.raises(PluginError, match=reason).matches(error)
    assert hint in error.hint
    assert "__plugin" not in str(error)


def test_a_broken_entry_point_is_named(make_wheel):
    """A reference that is none, or to a module that is not in the file."""
    assert "'scada provider' is no reference" in str(
        refusal(make_wheel(storages={"Scada": "scada provider"}))
    )
    assert "there is no module 'scadda' there" in str(
        refusal(make_wheel(storages={"Scada": "scadda:provider"}))
    )


def test_the_module_deep_inside_that_wants_what_is_missing_is_named(make_wheel):
    """The place is where the import stands, not the entry point; the original error is chained."""
    error = refusal(
        make_wheel(
            {"scada/__init__.py": "import scada.deep\n", "scada/deep.py": "\nimport no_such_library\n"}
        )
    )
    assert "imported by" in error.message
    assert "scada/deep.py:2" in error.message
    assert isinstance(error.__cause__, ModuleNotFoundError)


def test_interrupting_a_load_interrupts_the_host(make_wheel):
    """KeyboardInterrupt is the operator's and passes; what was loaded is removed."""
    with pytest.raises(KeyboardInterrupt):
        load_plugin(make_wheel({"scada/__init__.py": "raise KeyboardInterrupt\n"}), owner="a 1")


def test_a_file_that_is_not_the_one_expected_is_refused(make_wheel):
    """A digest, if given, is compared with the bytes that are loaded."""
    assert "is not the one expected" in str(refusal(make_wheel(), sha256="0" * 64))


def test_a_file_without_storages_is_refused(make_wheel, tmp_path):
    """No dist-info, or none with the group statehold.storages."""
    assert "names no storage" in str(refusal(make_wheel(storages={})))
    bare = tmp_path / "bare.zip"
    with zipfile.ZipFile(bare, "w") as archive:
        archive.writestr("scada.py", "")
    assert "names no storage" in str(refusal(bare))

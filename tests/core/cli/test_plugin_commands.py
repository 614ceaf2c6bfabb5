from __future__ import annotations

import sys
from pathlib import Path

import pytest

CODE = """
import click

@click.group()
def command():
    '''Hold fruit.'''

@command.command()
def peel():
    '''Take the skin off.'''
    click.echo("peeled")
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution that brings commands, out of `{name: value}` and the code of its module."""

    def make(distribution: str, commands: dict[str, str], code: str = CODE) -> None:
        module = distribution.replace("-", "_")
        monkeypatch.delitem(sys.modules, module, raising=False)
        (tmp_path / f"{module}.py").write_text(code, encoding="utf-8")
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        lines = [f"{name} = {value}\n" for name, value in commands.items()]
        (info / "entry_points.txt").write_text("[statehold.commands]\n" + "".join(lines), encoding="utf-8")

    monkeypatch.syspath_prepend(tmp_path)
    yield make
    for path in tmp_path.glob("*.py"):
        sys.modules.pop(Path(path).stem, None)


def test_a_command_of_a_plugin_is_listed_and_runs(install, statehold):
    install("fruit-plugin", {"fruit": "fruit_plugin:command"})
    text = statehold("--help")
    assert text.index("Plugins:") > text.index("More:")
    assert "  fruit " in text
    assert "Hold fruit." in text
    assert statehold("fruit", "peel") == "peeled\n"


def test_a_plugin_is_not_imported_by_other_commands(install, statehold):
    install("fruit-plugin", {"fruit": "fruit_plugin:command"})
    statehold("storages", "--help")
    assert "fruit_plugin" not in sys.modules


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("fruit_plugin:command", "RuntimeError: rotten"),
        ("no_such_module:command", "ModuleNotFoundError"),
        ("json:dumps", "is no click command"),
    ],
)
def test_a_broken_command_is_told_and_harms_no_other(install, statehold, machine, value, says):
    install("fruit-plugin", {"fruit": value}, code="raise RuntimeError('rotten')")
    text = statehold("--help")
    assert "broken: " in text
    assert "deploy" in text
    assert says in statehold("fruit", "peel", "--ripe", code=1)
    assert machine("fruit", code=1)["error"]["type"] == "PluginError"
    statehold("storages", "--help")


def test_a_command_that_two_plugins_claim_is_told_with_both(install, statehold):
    install("fruit-plugin", {"fruit": "fruit_plugin:command"})
    install("apple-plugin", {"fruit": "apple_plugin:command"})
    text = statehold("fruit", code=1)
    assert "fruit_plugin:command of fruit-plugin" in text
    assert "apple_plugin:command of apple-plugin" in text


def test_no_plugin_takes_the_name_of_a_command_of_the_host(install, statehold):
    install("fruit-plugin", {"deploy": "fruit_plugin:command"})
    assert "Hold fruit." not in statehold("deploy", "--help")


def test_a_name_near_to_that_of_a_plugin_is_told(install, statehold):
    install("fruit-plugin", {"fruit": "fruit_plugin:command"})
    assert "Did you mean 'fruit'?" in statehold("friut", code=2)

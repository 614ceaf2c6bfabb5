from __future__ import annotations

import os
import subprocess
import sys

import pytest

from statehold_vsql import compile_app


def _tests_pass(folder):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_tests_of_a_new_plugin_pass_at_once(statehold, tmp_path):
    statehold("new", "plugin", "red-box", "--into", tmp_path)
    assert "passed" in _tests_pass(tmp_path / "red-box")


def test_the_storage_of_a_new_plugin_is_less_than_20_lines_of_code(statehold, tmp_path):
    statehold("new", "plugin", "red-box", "--into", tmp_path)
    source = (tmp_path / "red-box/src/red_box/__init__.py").read_text()
    assert sum(bool(line.strip()) for line in source.splitlines()) < 20


def test_a_new_plugin_is_typed(statehold, tmp_path):
    statehold("new", "plugin", "red-box", "--into", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", "src"],
        cwd=tmp_path / "red-box",
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_tests_of_a_new_app_pass_at_once(statehold, tmp_path):
    statehold("new", "app", "you.shop", "--into", tmp_path)
    assert "passed" in _tests_pass(tmp_path / "you.shop")


def test_a_new_app_passes_the_check(statehold, tmp_path):
    statehold("new", "app", "you.shop", "--into", tmp_path)
    assert "no errors" in statehold("check", tmp_path / "you.shop")


def test_the_declaration_in_a_new_plugins_readme_compiles(statehold, tmp_path):
    statehold("new", "plugin", "red-box", "--into", tmp_path)
    readme = (tmp_path / "red-box/README.md").read_text()
    block = readme.split("```sql\n")[1].split("```")[0]
    compiled = compile_app({"sys": {}, "a": {"a.vsql": f"APPLICATION a();\n{block}"}})
    assert not [d for d in compiled.diagnostics if d.file]


@pytest.mark.parametrize("name", ["Red", "1st", "red box", "../red", "red-", "", "ré"])
def test_a_name_that_is_no_plugin_name_is_wrong_usage(statehold, tmp_path, name):
    assert "no plugin name" in statehold("new", "plugin", name, "--into", tmp_path, code=2)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("class", "class is a keyword of Python"),
        ("json", "a module json is there already"),
        ("pytest", "a module pytest is there already"),
        ("http", "a module http is there already"),
        ("send-mail", "SendMail is a storage of Statehold's own"),
        ("table", "Table is a storage of Statehold's own"),
        ("view", "View is a storage of Statehold's own"),
    ],
)
def test_a_plugin_gets_no_name_that_is_taken(statehold, tmp_path, name, reason):
    told = statehold("new", "plugin", name, "--into", tmp_path, code=2)
    assert reason in told
    assert f"like 'my-{name}'" in told
    assert not list(tmp_path.iterdir())


def test_an_application_is_not_called_sys(statehold, tmp_path):
    assert "of the package that all stand on" in statehold(
        "new", "app", "you.sys", "--into", tmp_path, code=2
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["shop", "a.b.c", "You.shop", "you.", "../you.shop", "you/shop"])
def test_a_name_that_is_no_app_name_is_wrong_usage(statehold, tmp_path, name):
    assert "no application name" in statehold("new", "app", name, "--into", tmp_path, code=2)
    assert not list(tmp_path.iterdir())


def test_what_exists_is_never_touched(machine, tmp_path):
    (tmp_path / "red-box").mkdir()
    assert (
        "exists already"
        in machine("new", "plugin", "red-box", "--into", tmp_path, code=1)["error"]["message"]
    )
    assert not list((tmp_path / "red-box").iterdir())


def test_a_machine_gets_the_files(machine, tmp_path):
    made = machine("new", "app", "you.shop", "--into", tmp_path)
    assert made["folder"] == str(tmp_path / "you.shop")
    assert all((tmp_path / "you.shop" / name).is_file() for name in made["files"])

"""A plugin that is no part of Statehold: built with a real backend, installed in a fresh environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from statehold.loading import load_plugin

PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "{version}"

[project.entry-points."statehold.storages"]
Scada = "acme_scada:provider"

[project.entry-points."statehold.hooks"]
acme = "acme_scada.hooks"

[tool.hatch.build.targets.wheel]
packages = ["acme_scada"]
"""

PLUGIN = """
import importlib.metadata
from acme_scada.storage import Points
from statehold.sdk import Operation, Provider

provider = Provider(
    name="Scada", open=lambda ctx: Points(), operations=[Operation.GET],
    description=importlib.metadata.version("acme-scada"),
)
"""

STORAGE = """
class Points:
    VERSION = "{version}"
    def get(self, key): return None
    def free(self): pass
"""

HOOKS = """
from statehold.sdk import hookimpl

@hookimpl
def statehold_packages():
    return {"acme.com/scada": {"scada.vsql": ""}}
"""

ASK = """
import json, sys
from statehold.loading import installed
from statehold.sdk import PluginError
from statehold_vsql import StorageEngine

catalog = installed()
imported = "acme_scada" in sys.modules
entries = [entry for entry in catalog.storages if entry.name == "Scada"]
try:
    found = catalog.find("Scada", engine=StorageEngine.PYPLUGIN)
    answer = [found.provider.description, type(found.provider.open(None)).__name__]
except PluginError as error:
    answer = str(error)
print(json.dumps({
    "imported": imported,
    "entries": [[entry.distribution, entry.version, entry.location] for entry in entries],
    "answer": answer,
    "packages": sorted(catalog.packages()) if isinstance(answer, list) else [],
}))
"""


def _run(*command: str | Path, **options: object) -> str:
    done = subprocess.run(
        [str(each) for each in command], check=False, capture_output=True, text=True, timeout=120, **options
    )  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


@pytest.fixture(scope="module")
def pip() -> list[str]:
    """The pip at hand: of this environment, or of the Python that it was made from."""
    for python in (sys.executable, getattr(sys, "_base_executable", "")):
        if (
            python
            and subprocess.run(
                [python, "-m", "pip", "--version"], capture_output=True, check=False
            ).returncode
            == 0
        ):
            return [python, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    pytest.skip("no pip on this machine")


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Builds a real wheel of the plugin with hatchling."""

    def make(version: str, *, name: str = "acme-scada") -> Path:
        project = tmp_path_factory.mktemp("project")
        (project / "acme_scada").mkdir()
        (project / "pyproject.toml").write_text(PYPROJECT.format(name=name, version=version))
        (project / "acme_scada/__init__.py").write_text(PLUGIN)
        (project / "acme_scada/storage.py").write_text(STORAGE.format(version=version))
        (project / "acme_scada/hooks.py").write_text(HOOKS)
        _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", cwd=project)
        (wheel,) = (project / "dist").glob("*.whl")
        return wheel

    return make


@pytest.fixture(scope="module")
def environment(
    tmp_path_factory: pytest.TempPathFactory, build: Callable[..., Path], pip: list[str]
) -> tuple[Path, Path]:
    """A fresh environment that sees Statehold, with the plugin 1.0 installed; its Python and packages."""
    folder = tmp_path_factory.mktemp("environment")
    _run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin/python"
    packages = Path(_run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    ours = sysconfig.get_path("purelib")
    (packages / "statehold_of_the_tests.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    install = ("install", "--quiet", "--no-deps", "--no-index")
    _run(*pip, "--python", python, *install, build("1.0"))
    return python, packages


def _ask(python: Path, *, path: str = "") -> dict[str, object]:
    answer: dict[str, object] = json.loads(_run(python, "-c", ASK, env={**os.environ, "PYTHONPATH": path}))
    return answer


def test_an_installed_plugin_is_found_by_its_entry_point(environment):
    """Listed with version and place before it is imported, then loaded, with its hooks."""
    python, packages = environment
    assert _ask(python) == {
        "imported": False,
        "entries": [["acme-scada", "1.0", str(packages)]],
        "answer": ["1.0", "Points"],
        "packages": ["acme.com/scada", "sys"],
    }


def test_two_distributions_with_one_name_are_both_named(environment, build, pip, tmp_path):
    """A second distribution, in a folder of its own, claims the storage, too."""
    python, packages = environment
    _run(
        *pip,
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        tmp_path,
        build("3.0", name="zeta-scada"),
    )
    answer = _ask(python, path=str(tmp_path))["answer"]
    assert "'Scada' is claimed by 2 distributions" in answer
    assert f"acme-scada 1.0 in {packages}" in answer
    assert f"zeta-scada 3.0 in {tmp_path}" in answer


def test_one_distribution_found_twice_is_no_conflict(environment, build, pip, tmp_path):
    """As with an import, the first on the path is the one that counts."""
    python, _ = environment
    _run(*pip, "install", "--quiet", "--no-deps", "--no-index", "--target", tmp_path, build("1.1"))
    found = _ask(python, path=str(tmp_path))
    assert found["entries"] == [["acme-scada", "1.1", str(tmp_path)]]
    assert found["answer"] == ["1.1", "Points"]


def test_real_wheels_in_two_versions_live_beside_the_installed_one(build, monkeypatch, pip, tmp_path):
    """What the host imports is its own version; each plugin file has its own, metadata included."""
    _run(*pip, "install", "--quiet", "--no-deps", "--no-index", "--target", tmp_path, build("1.0"))
    monkeypatch.syspath_prepend(tmp_path)
    with load_plugin(build("2.0"), owner="a 1") as two, load_plugin(build("3.0"), owner="b 1") as three:
        import acme_scada

        seen = [
            each.provider if hasattr(each, "provider") else each.providers["Scada"]
            for each in (acme_scada, two, three)
        ]
        assert [provider.description for provider in seen] == ["1.0", "2.0", "3.0"]
        assert [provider.open(None).VERSION for provider in seen] == ["1.0", "2.0", "3.0"]
        assert list(two.hooks) == ["acme"]
        del seen
    for name in ("acme_scada.storage", "acme_scada"):
        sys.modules.pop(name)
    assert two.free().survivors == three.free().survivors == ()

"""The wheel of Statehold itself has all that its users need: a checkout hides what is missing."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("statehold", "statehold_vsql", "statehold_sys", "statehold_dataset")


def _run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(each) for each in command],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        cwd=cwd,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel installed, and the libraries of this one; its folder."""
    pythons = [sys.executable, getattr(sys, "_base_executable", sys.executable)]
    has_pip = [
        python
        for python in pythons
        if not subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode
    ]
    if not has_pip:
        pytest.skip("no pip on this machine")
    folder = tmp_path_factory.mktemp("environment")
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "dist", cwd=ROOT)
    _run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    python = folder / "venv/bin/python"
    (wheel,) = (folder / "dist").glob("*.whl")
    options = ["--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    _run(has_pip[0], "-m", "pip", "--python", python, "install", *options, wheel, cwd=folder)
    purelib = _run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    # Behind what is installed, so that nothing of Statehold comes from there.
    libraries = sysconfig.get_path("purelib")
    Path(purelib, "zz_libraries.pth").write_text(f"import site; site.addsitedir({libraries!r})\n")
    imports = f"print(*(__import__(name).__file__ for name in {PACKAGES}))"
    assert all(file.startswith(purelib) for file in _run(python, "-c", imports, cwd=folder).split())
    return folder


def test_the_demo_runs_from_the_wheel(environment: Path) -> None:
    assert "9. Stop and remove it" in _run(environment / "venv/bin/statehold", "demo", cwd=environment)


def test_the_kit_and_the_scaffold_come_with_the_wheel(environment: Path) -> None:
    _run(environment / "venv/bin/statehold", "new", "plugin", "red-box", cwd=environment)
    python, plugin = environment / "venv/bin/python", environment / "red-box"
    assert "stable" in _run(python, "-m", "pytest", "-q", "--statehold-report", cwd=plugin)

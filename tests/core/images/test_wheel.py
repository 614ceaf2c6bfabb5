from __future__ import annotations

import base64
import csv
import email
import hashlib
import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path

import pytest

from statehold.images import open_image
from statehold.images._wheel import Wheel, build_wheel

Put = Callable[..., Path]
PROJECT = """
[project]
name = "Acme.Scada_plugin"
version = "1.0"
description = "Points"
requires-python = ">=3.11"
dependencies = ["attrs>=24", "msgspec"]
[project.entry-points."statehold.storages"]
Scada = "acme_scada:provider"
Alarm = "acme_scada.alarm:provider"
"""
CODE = {"acme_scada/__init__.py": b"provider = 1\n", "acme_scada/alarm.py": b"provider = 2\n"}


def made(sources: dict[str, bytes], project: str = PROJECT) -> Wheel:
    wheel, problems = build_wheel({"pyproject.toml": project.encode(), **sources}, path="storages")
    assert problems == []
    assert wheel is not None
    return wheel


def faults(sources: dict[str, bytes], project: str = PROJECT) -> str:
    wheel, problems = build_wheel({"pyproject.toml": project.encode(), **sources}, path="storages")
    assert wheel is None
    return "\n".join(map(str, problems))


def names(wheel: Wheel) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(wheel.content)) as archive:
        return archive.namelist()


def test_the_wheel_has_what_the_format_asks_for() -> None:
    wheel = made(CODE)
    assert wheel.file_name == "acme_scada_plugin-1.0-py3-none-any.whl"
    with zipfile.ZipFile(io.BytesIO(wheel.content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    info = "acme_scada_plugin-1.0.dist-info"
    assert list(files)[-1] == f"{info}/RECORD"
    metadata = email.message_from_bytes(files[f"{info}/METADATA"])
    assert (metadata["Name"], metadata["Version"]) == ("Acme.Scada_plugin", "1.0")
    assert metadata.get_all("Requires-Dist") == ["attrs>=24", "msgspec"]
    assert metadata["Requires-Python"] == ">=3.11"
    assert email.message_from_bytes(files[f"{info}/WHEEL"])["Tag"] == "py3-none-any"
    rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(files[f"{info}/RECORD"].decode()))}
    assert set(rows) == set(files)
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        assert rows[name] == (["", ""] if name.endswith("RECORD") else [f"sha256={digest}", str(len(data))])


def test_the_same_sources_give_the_same_bytes_in_any_order() -> None:
    assert made(dict(reversed(CODE.items()))) == made(CODE)


def test_packages_modules_and_their_data_are_packed_and_nothing_else() -> None:
    wheel = made(
        {
            **CODE,
            "acme_scada/data/points.csv": b"a,b",
            "acme_scada/tests/inner.py": b"",
            "helper.py": b"",
            "setup.py": b"",
            "conftest.py": b"",
            "test_x.py": b"",
            "tests/test_y.py": b"",
            "docs/conf.py": b"",
            "acme.egg-info/x.py": b"",
            "README.md": b"",
            "pictures/x.png": b"",
        }
    )
    assert [name for name in names(wheel) if "dist-info" not in name] == [
        "acme_scada/__init__.py",
        "acme_scada/alarm.py",
        "acme_scada/data/points.csv",
        "acme_scada/tests/inner.py",
        "helper.py",
    ]


def test_sources_may_lie_in_src() -> None:
    wheel = made({**{f"src/{name}": data for name, data in CODE.items()}, "tools/x.py": b""})
    assert names(wheel)[:2] == ["acme_scada/__init__.py", "acme_scada/alarm.py"]
    assert "tools/x.py" not in names(wheel)


@pytest.mark.parametrize(
    "name", ["acme_scada/_fast.so", "acme_scada/_fast.cpython-311.so", "x.pyd", "native/y.dll"]
)
def test_compiled_code_is_refused_with_a_way_out(name: str) -> None:
    text = faults({**CODE, name: b"\x7fELF"})
    assert f"storages/{name}: compiled code" in text
    assert "storages-<version>.whl" in text


def test_compiled_code_under_another_name_is_refused() -> None:
    assert "compiled code" in faults({**CODE, "acme_scada/data/tool": b"\x7fELF..."})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (PROJECT, "[projekt]", "table [project] is missing"),
        ('name = "Acme.Scada_plugin"', "", "project.name: expected the name of a distribution, got nothing"),
        ('name = "Acme.Scada_plugin"', 'name = "a b"', "project.name"),
        ('version = "1.0"', 'dynamic = ["version"]', "write it out"),
        ('version = "1.0"', 'version = "one"', "project.version"),
        ('version = "1.0"', 'version = "1!2"', "project.version"),
        ('version = "1.0"', "version = 1.0", "project.version"),
        ('description = "Points"', 'description = "a\\nName: b"', "project.description"),
        ('"msgspec"]', '"msgspec\\nName: b"]', "project.dependencies"),
        ("statehold.storages", "statehold.storage", "names no storage"),
        ("acme_scada:provider", "acme_skada:provider", "did you mean 'acme_scada'?"),
        ("acme_scada:provider", "acme scada", "expected 'module:object'"),
        ('Alarm = "acme_scada.alarm:provider"', '"A\\nB" = "acme_scada:p"', "expected 'module:object'"),
        ('Alarm = "acme_scada.alarm:provider"', "Alarm = 1", "tables of names and objects"),
        ("[project]", "[project", "no valid TOML"),
        ("[project]", 'x = "\\ud800"\n[project]', "no valid TOML"),
    ],
)
def test_a_wrong_project_is_refused(old: str, new: str, message: str) -> None:
    assert message in faults(CODE, PROJECT.replace(old, new))


def test_a_missing_project_says_what_to_write() -> None:
    wheel, problems = build_wheel(CODE, path="storages")
    assert wheel is None
    assert "no pyproject.toml (write one with [project]" in str(problems[0])


def pip() -> list[str]:
    """Return the command of a pip: an environment may have none, the Python it was made of has."""
    for python in (sys.executable, sys._base_executable):  # type: ignore[attr-defined]
        if not subprocess.run([python, "-c", "import pip"], check=False, capture_output=True).returncode:
            return [python, "-m", "pip"]
    pytest.skip("there is no pip")


def test_pip_installs_the_wheel_and_finds_its_storages(source: Path, put: Put, tmp_path: Path) -> None:
    with open_image(source) as image:
        content = image.read(image.plugins[0].path)
    path = tmp_path / "acme_scada-1.0-py3-none-any.whl"
    path.write_bytes(content)
    target = tmp_path / "installed"
    options = ["--no-deps", "--no-index", "--disable-pip-version-check", "--no-cache-dir", "--quiet"]
    subprocess.run([*pip(), "install", *options, "--target", str(target), str(path)], check=True)
    # With the backport imported, by any test, they are of its class, or there twice.
    found = next(iter(distributions(path=[str(target)])))
    assert found.metadata["Name"] == "acme-scada"
    assert [(point.name, point.value) for point in found.entry_points] == [("Scada", "acme_scada:provider")]
    assert (target / "acme_scada/data/points.csv").read_text() == "a,b\n"

from __future__ import annotations

import gc
import importlib
import sys
import textwrap
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest

from statehold.loading import LoadedPlugin, load_plugin

STORAGE = """
from statehold.sdk import Operation, Provider

class Storage:
    def get(self, key): return None
    def free(self): pass

provider = Provider(name="Scada", open=lambda ctx: Storage(), operations=[Operation.GET])
"""


def _make_wheel(
    path: Path,
    files: Mapping[str, str | bytes],
    *,
    name: str = "acme-scada",
    version: str = "1.0",
    storages: Mapping[str, str] | None = None,
    hooks: Mapping[str, str] | None = None,
    requires: tuple[str, ...] = (),
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    entry_points = ""
    for group, entries in (
        ("statehold.storages", {"Scada": "scada:provider"} if storages is None else storages),
        ("statehold.hooks", hooks or {}),
    ):
        if entries:
            entry_points += f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in entries.items())
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {each}\n" for each in requires)
    members: dict[str, str | bytes] = {"scada/__init__.py": STORAGE, **files}
    members[f"{info}/METADATA"] = metadata + "\nDescription: none\n"
    members[f"{info}/entry_points.txt"] = entry_points
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            text = textwrap.dedent(content) if isinstance(content, str) else content
            archive.writestr(member, text)
    return path


@pytest.fixture
def make_wheel(tmp_path: Path) -> Callable[..., Path]:
    """Writes a wheel by hand; `scada/__init__.py` has a provider `Scada` unless *files* brings its own."""

    def make(files: Mapping[str, str | bytes] | None = None, **options: object) -> Path:
        number = len(list(tmp_path.glob("wheels/*")))
        return _make_wheel(tmp_path / "wheels" / str(number) / "storages-1.whl", files or {}, **options)  # type: ignore[arg-type]

    return make


@pytest.fixture
def load(make_wheel: Callable[..., Path]) -> Iterator[Callable[..., LoadedPlugin]]:
    """Makes a wheel and loads it; frees whatever a test has left."""
    loaded: list[LoadedPlugin] = []

    def make_and_load(files: Mapping[str, str | bytes] | None = None, **options: object) -> LoadedPlugin:
        plugin = load_plugin(make_wheel(files, **options), owner="acme.bills 1")
        loaded.append(plugin)
        return plugin

    yield make_and_load
    for plugin in loaded:
        plugin.free()


@pytest.fixture
def inside() -> Callable[..., ModuleType]:
    """Returns the module of a loaded plugin that its author knows by that name."""

    def module(plugin: LoadedPlugin, name: str = "scada") -> ModuleType:
        top, dot, rest = name.partition(".")
        return importlib.import_module(f"{top}{plugin.prefix}{dot}{rest}")

    return module


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Every test ends with the import system as it found it."""
    before = _private()
    yield
    if _private() != before:  # what was forgotten goes with the next collection
        gc.collect()
    assert _private() == before


def _private() -> tuple[list[str], int]:
    # Other tests of the session may have an application loaded.
    finders = [type(finder).__name__ for finder in sys.meta_path]
    return [name for name in sys.modules if "__plugin" in name], finders.count("Finder")

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from statehold.images import build_image
from statehold.images._manifest import FileEntry, Manifest, content_digest

PACKAGE = "image/pkg/acme.example/bills"
PYPROJECT = """\
[project]
name = "acme-scada"
version = "1.0"
description = "Reads the points of a plant"
requires-python = ">=3.11"
dependencies = ["attrs>=24"]
[project.entry-points."statehold.storages"]
Scada = "acme_scada:provider"
"""
SOURCES: Mapping[str, str] = {
    "descriptor.json": '{"NumParts": 2, "EnginePoolSize": [10, 10, 10, 1], "NumAppWorkspaces": 1}',
    f"{PACKAGE}/bills.vsql": "APPLICATION bills();\n",
    f"{PACKAGE}/scada.vsql": "STATESTORAGE ENGINE PYPLUGIN (Scada)\n",
    f"{PACKAGE}/extensions/__init__.py": "raise SystemExit('imported')\n",
    f"{PACKAGE}/extensions/pay.py": "raise SystemExit('imported')\n",
    f"{PACKAGE}/storages/pyproject.toml": PYPROJECT,
    f"{PACKAGE}/storages/acme_scada/__init__.py": "raise SystemExit('imported')\n",
    f"{PACKAGE}/storages/acme_scada/data/points.csv": "a,b\n",
    "image/pkg/acme.example/menu/menu.sql": "-- a menu\n",
}

Files = Mapping[str, bytes]


def write(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write *files* below *root*, and return it."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An application folder with the sources of a plugin, extensions, and two packages."""
    return write(tmp_path / "acme.bills", SOURCES)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image of such a folder; not to be changed."""
    return build_image(write(tmp_path_factory.mktemp("built") / "acme.bills", SOURCES))


@pytest.fixture
def put() -> Callable[[Path, Mapping[str, str | bytes]], Path]:
    return write


def manifest_of(files: Files, *, app: str = "acme.bills", version: str = "") -> bytes:
    """Return the manifest that tells the truth about *files*."""
    entries = {
        name: FileEntry(size=len(data), sha256=hashlib.sha256(data).hexdigest())
        for name, data in files.items()
    }
    digest = content_digest(app, entries)
    return Manifest(app=app, version=version or digest[:12], digest=digest, files=entries).dump()


SOUND: Files = {
    "descriptor.json": b'{"NumParts": 1}',
    f"{PACKAGE}/bills.vsql": b"APPLICATION bills();\n",
}


@pytest.fixture
def sound() -> dict[str, bytes]:
    """The files of a small sound image, without manifest."""
    return dict(SOUND)


@pytest.fixture
def forge(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes an image of any entries, with a manifest that declares *declared*."""

    def make(
        entries: Mapping[str, bytes] | list[tuple[zipfile.ZipInfo | str, bytes]],
        *,
        declared: Files | None = None,
        manifest: bytes | None = None,
        method: int = zipfile.ZIP_STORED,
        edit: Callable[[bytes], bytes] = bytes,
        comment: bytes = b"",
    ) -> Path:
        pairs = list(entries.items()) if isinstance(entries, Mapping) else entries
        if manifest is None:
            plain = {item if isinstance(item, str) else item.filename: data for item, data in pairs}
            manifest = manifest_of(plain if declared is None else declared)
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", method) as archive:
            archive.comment = comment
            for item, data in [("manifest.json", manifest), *pairs]:
                archive.writestr(item, data)
        path = tmp_path / "forged.shi"
        path.write_bytes(edit(content.getvalue()))
        return path

    return make


@pytest.fixture
def declare() -> Callable[..., bytes]:
    """Return `manifest_of`."""
    return manifest_of

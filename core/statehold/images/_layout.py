from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

import attrs

from statehold.images._names import VERSION
from statehold.images._problem import Problem

DESCRIPTOR = "descriptor.json"
MANIFEST = "manifest.json"
SIGNATURES = "signatures.json"
PACKAGES = "image/pkg/"

_SCHEMAS = (".vsql", ".sql")
_FOLDERS = ("extensions", "storages", "wasm")
_NO_PROGRAM = re.compile(
    r"\.(so(\.\d+)*|dylib|dll|pyd|a|o|py|pyc|js|go|txt|md|json|toml|tar|gz|tgz|xz|bz2|zst|7z|rar|sig|asc)$"
)


class PluginKind(StrEnum):
    """What a plugin file of an image is."""

    WHEEL = "whl"
    ZIP = "zip"
    WASM = "wasm"
    EXECUTABLE = "executable"


@attrs.frozen(kw_only=True)
class PluginFile:
    """A file of an image with the storages of one package: `storages-<version>` and a suffix.

    `path` is its place in the image, for `AppImage.read`.
    """

    package: str
    name: str
    path: str
    version: str
    kind: PluginKind
    size: int
    sha256: str


@attrs.define
class Layout:
    """Which files of an image are what, by their places; every path is relative to the image."""

    schemas: dict[str, dict[str, str]] = attrs.field(factory=dict)
    modules: dict[str, list[str]] = attrs.field(factory=dict)
    plugins: dict[str, list[str]] = attrs.field(factory=dict)
    extensions: dict[str, list[str]] = attrs.field(factory=dict)
    sources: dict[str, list[str]] = attrs.field(factory=dict)
    wasm_sources: dict[str, list[str]] = attrs.field(factory=dict)
    other: list[str] = attrs.field(factory=list)


def lay_out(paths: Iterable[str]) -> Layout:
    """Sort *paths* into what they are: a folder with .vsql or .sql files is a package."""
    paths = sorted(paths)
    layout = Layout()
    packages = _packages(paths)
    for path in paths:
        package, rest = _owner(path, packages)
        folder, _, inner = rest.partition("/")
        if not package:
            layout.other.append(path)
        elif not inner and rest.endswith(_SCHEMAS):
            layout.schemas.setdefault(package, {})[rest] = path
        elif not inner and rest.startswith("storages-"):
            layout.plugins.setdefault(package, []).append(path)
        elif not inner and rest.endswith(".wasm"):
            layout.modules.setdefault(package, []).append(path)
        elif inner and folder == "extensions":
            layout.extensions.setdefault(package, []).append(path)
        elif inner and folder == "storages":
            layout.sources.setdefault(package, []).append(path)
        elif inner and folder == "wasm":
            layout.wasm_sources.setdefault(package, []).append(path)
        else:
            layout.other.append(path)
    return layout


def check_layout(layout: Layout) -> list[Problem]:
    """Return what is wrong with a layout: no package, two modules in one, plugins without a package."""
    problems = []
    if not layout.schemas:
        problems.append(
            Problem(
                code="layout",
                message="no package: no folder of image/pkg has a .vsql or .sql file",
                hint="put the declarations of a package into image/pkg/<package path>/<name>.vsql",
            )
        )
    for package, modules in layout.modules.items():
        if len(modules) > 1:
            names = ", ".join(path.rpartition("/")[2] for path in modules)
            problems.append(
                Problem(
                    code="layout",
                    message=f"a package may have one .wasm module, this one has {len(modules)}: {names}",
                    path=PACKAGES + package,
                    hint="link them into one",
                )
            )
    for path in layout.other:
        parts = path.removeprefix(PACKAGES).split("/")
        if path.startswith(PACKAGES) and (
            parts[-1].startswith("storages-") or parts[-2:] == ["storages", "pyproject.toml"]
        ):
            problems.append(
                Problem(
                    code="layout",
                    message="storages in a folder that is no package",
                    path=path,
                    hint="the package's .vsql files belong into the same folder",
                )
            )
    return problems


def plugin_kind(path: str, head: bytes) -> tuple[str, PluginKind | None, Problem | None]:
    """Return version and kind of the plugin file at *path*, which begins with *head*, or what is wrong."""
    name = path.rpartition("/")[2]
    version = name.removeprefix("storages-")
    kind: PluginKind | None = None
    for candidate in (PluginKind.WHEEL, PluginKind.ZIP, PluginKind.WASM):
        if name.endswith(f".{candidate}"):
            kind = candidate
            version = version.removesuffix(f".{candidate}")
    if not VERSION.fullmatch(version):
        message = f"{version!r} is no version" if version else "no version in the name"
        hint = "call it storages-<version>.whl, .zip, .wasm, or without a suffix for an executable"
        return version, None, Problem(code="plugin", message=message, path=path, hint=hint)
    if kind is PluginKind.WASM and not head.startswith(b"\0asm"):
        return version, None, Problem(code="plugin", message="not a WebAssembly module", path=path)
    if kind is None:
        if _NO_PROGRAM.search(name) or not head.startswith((b"\x7fELF", b"#!")):
            message = "expected a wheel, a zip, a WebAssembly module or an executable, and it is none"
            hint = "a plugin is storages-<version>.whl, .zip or .wasm; an executable has no suffix"
            return version, None, Problem(code="plugin", message=message, path=path, hint=hint)
        kind = PluginKind.EXECUTABLE
    return version, kind, None


def _packages(paths: Iterable[str]) -> set[str]:
    folders = {
        path.removeprefix(PACKAGES).rpartition("/")[0]
        for path in paths
        if path.startswith(PACKAGES) and path.endswith(_SCHEMAS)
    }
    packages: set[str] = set()
    for folder in sorted(folders, key=lambda folder: folder.count("/")):
        inside = (
            folder.startswith(f"{package}/{part}/") or folder == f"{package}/{part}"
            for package in packages
            for part in _FOLDERS
        )
        if folder and not any(inside):
            packages.add(folder)
    return packages


def _owner(path: str, packages: set[str]) -> tuple[str, str]:
    """Return the innermost package that *path* lies in, and the path in it."""
    if not path.startswith(PACKAGES):
        return "", path
    inner = path.removeprefix(PACKAGES)
    package = inner.rpartition("/")[0]
    while package and package not in packages:
        package = package.rpartition("/")[0]
    return package, inner[len(package) + 1 :] if package else inner

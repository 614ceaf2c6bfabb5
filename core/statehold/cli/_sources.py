from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from statehold.cli._findings import Source

if TYPE_CHECKING:
    from statehold.images import Descriptor

_SUFFIXES = (".vsql", ".sql")
_WRAPPER = "statehold/check"
_APPLICATION = re.compile(r"^\s*APPLICATION\s+\w+\s*\(", re.MULTILINE)


@attrs.frozen(kw_only=True)
class Checked:
    """What is to be checked together: the texts of packages, and what is wrong beside their texts.

    `asked` are the packages whose diagnostics are wanted; the others are there to be imported.
    `with_plugin` are those that bring a plugin, as a file or as its sources. `descriptor` is that of an
    application, where it has a sound one.
    """

    packages: Mapping[str, Mapping[str, str]]
    sources: Mapping[tuple[str, str], Source]
    asked: frozenset[str]
    with_plugin: frozenset[str]
    descriptor: Descriptor | None = None
    problems: tuple[str, ...] = ()

    @property
    def application(self) -> Mapping[str, Mapping[str, str]]:
        """The packages as an application: with one made up that uses them, where none declares one."""
        if any(_APPLICATION.search(text) for files in self.packages.values() for text in files.values()):
            return self.packages
        paths = [path for path in self.packages if path != "sys"]
        imports = "".join(f"IMPORT SCHEMA '{path}' AS p{n};\n" for n, path in enumerate(paths))
        uses = "".join(f" USE p{n};" for n, _ in enumerate(paths))
        return {**self.packages, _WRAPPER: {"check.vsql": f"{imports}APPLICATION check ({uses});"}}


def read_targets(paths: Iterable[Path]) -> list[Checked]:
    """Read what the paths mean: each image and app by itself, files and packages' folders together."""
    found: list[Checked] = []
    loose: dict[Path, list[Path]] = {}
    for path in paths:
        if path.is_dir() and ((path / "descriptor.json").exists() or (path / "image" / "pkg").is_dir()):
            found.append(_app(path))
        elif path.is_dir():
            loose.setdefault(path, []).extend(_schemas(path))
        elif path.suffix in _SUFFIXES:
            loose.setdefault(path.parent, []).append(path)
        else:
            found.append(read_image(path))
    return found + _packages(loose)


def read_image(path: Path) -> Checked:
    """Read the declarations in an image or an application's folder, once it has been verified.

    Raises:
        ImageError: it is no sound image.

    """
    from statehold.images import open_image  # noqa: PLC0415

    with open_image(path) as image:
        packages, plugins, descriptor = image.packages, image.plugins, image.descriptor
    sources = {
        (package, name): Source(f"{path}:{package}/{name}", text)
        for package, files in packages.items()
        for name, text in files.items()
    }
    return Checked(
        packages=packages,
        sources=sources,
        asked=frozenset(packages),
        with_plugin=frozenset(plugin.package for plugin in plugins),
        descriptor=descriptor,
    )


def _app(folder: Path) -> Checked:
    from statehold.images import verify_image  # noqa: PLC0415

    problems = tuple(map(str, verify_image(folder)))
    root = folder / "image" / "pkg"
    found = _read({path: _schemas(root / path) for path in _package_paths(root)}, problems=problems)
    return attrs.evolve(found, descriptor=_descriptor(folder / "descriptor.json"))


def _descriptor(path: Path) -> Descriptor | None:
    """Return what is in *path*; None where it cannot be used, which the verification of the app has told."""
    from statehold.images import read_descriptor  # noqa: PLC0415
    from statehold.sdk import DescriptorError  # noqa: PLC0415

    with suppress(OSError, DescriptorError):
        return read_descriptor(path.read_bytes())
    return None


def _packages(folders: Mapping[Path, list[Path]]) -> list[Checked]:
    if not folders:
        return []
    files: dict[str, list[Path]] = {}
    asked = set()
    for folder, schemas in folders.items():
        root, path = _place(folder.absolute())
        if root:
            files.update({other: _schemas(root / other) for other in _package_paths(root)})
        files[path] = schemas
        asked.add(path)
    return [_read(files, asked=frozenset(asked))]


def _place(folder: Path) -> tuple[Path | None, str]:
    """Return the `image/pkg` folder that a package's folder is in, and the package's path."""
    for above in folder.parents:
        if above.name == "pkg" and above.parent.name == "image":
            return above, folder.relative_to(above).as_posix()
    return None, re.sub(r"\W", "_", folder.name) or "main"


def _package_paths(root: Path) -> list[str]:
    return sorted(
        {file.parent.relative_to(root).as_posix() for file in root.rglob("*") if file.suffix in _SUFFIXES}
    )


def _schemas(folder: Path) -> list[Path]:
    found = sorted(file for file in folder.iterdir() if file.suffix in _SUFFIXES and file.is_file())
    if not found:
        raise click.BadParameter(
            f"{folder} has no .vsql file, no descriptor.json and no image/pkg: name an image, the folder"
            " of an application, or of a package.",
            param_hint="PATH",
        )
    return found


def _read(
    files: Mapping[str, list[Path]], *, asked: frozenset[str] | None = None, problems: tuple[str, ...] = ()
) -> Checked:
    texts: dict[str, dict[str, str]] = {}
    sources = {}
    for package, paths in files.items():
        for path in paths:
            # What is no UTF-8 becomes lone surrogates, and those the compiler reports with their place.
            text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
            texts.setdefault(package, {})[path.name] = text
            sources[package, path.name] = Source(str(path), text)
    return Checked(
        packages=texts,
        sources=sources,
        asked=asked or frozenset(texts),
        with_plugin=frozenset(package for package, paths in files.items() if _has_plugin(paths)),
        problems=problems,
    )


def _has_plugin(schemas: list[Path]) -> bool:
    return any((path.parent / "storages").is_dir() or any(path.parent.glob("storages-*")) for path in schemas)

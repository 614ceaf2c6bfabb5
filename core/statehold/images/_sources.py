from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from statehold.images._descriptor import parse_descriptor
from statehold.images._folder import FolderContents
from statehold.images._layout import DESCRIPTOR, PACKAGES, check_layout, lay_out
from statehold.images._limits import Budget, ImageLimits, RefusedError
from statehold.images._problem import Problem
from statehold.images._wheel import build_wheel

_TESTS = ("test/", "tests/")
_STUB = ".pyi"


def from_sources(
    found: Mapping[str, Path], limits: ImageLimits, *, version: str | None = None
) -> tuple[dict[str, Path | bytes], list[Problem]]:
    """Return the files of the image that the application folder *found* stands for.

    Declarations, modules, plugin files and extensions are taken as they are, but for tests and stubs
    (`.pyi`) of extensions. `storages/` becomes a wheel, the module in `wasm/` goes into its package, and
    the rest is left out. *version* is written into the descriptor.
    """
    layout = lay_out(found)
    problems = [problem for problem in check_layout(layout) if problem.path in layout.other]
    files: dict[str, Path | bytes] = {}
    if DESCRIPTOR in found:
        files[DESCRIPTOR] = found[DESCRIPTOR]
    for schemas in layout.schemas.values():
        files.update({path: found[path] for path in schemas.values()})
    for group in (layout.modules, layout.plugins):
        files.update({path: found[path] for paths in group.values() for path in paths})
    for package, paths in layout.extensions.items():
        prefix = f"{PACKAGES}{package}/extensions/"
        files.update(
            {
                path: found[path]
                for path in paths
                if not path.removeprefix(prefix).startswith(_TESTS) and not path.endswith(_STUB)
            }
        )
    reader = _Reader(found, limits)
    for package, paths in layout.wasm_sources.items():
        modules = [path for path in paths if path.endswith(".wasm")]
        for path in modules:
            _place(files, f"{PACKAGES}{package}/{path.rpartition('/')[2]}", found[path], problems)
        if not modules:
            problems.append(
                Problem(
                    code="wasm",
                    message="sources of a WebAssembly module that has not been built",
                    path=f"{PACKAGES}{package}/wasm",
                    hint="build it and put the .wasm file into this folder",
                )
            )
    for package, paths in layout.sources.items():
        folder = f"{PACKAGES}{package}/storages"
        sources = {path.removeprefix(f"{folder}/"): reader.read(path) for path in paths}
        wheel, more = build_wheel(sources, path=folder)
        problems += more
        if wheel is not None:
            _place(files, f"{folder}-{wheel.version}.whl", wheel.content, problems)
    if version is not None and DESCRIPTOR in files:
        files[DESCRIPTOR] = _with_version(reader.read(DESCRIPTOR), version)
    return files, problems + reader.problems


def _place(files: dict[str, Path | bytes], path: str, content: Path | bytes, problems: list[Problem]) -> None:
    if path in files:
        hint = "take one of them away, or raise the version in storages/pyproject.toml"
        message = "there is such a file already, and another one would be made here of sources"
        problems.append(Problem(code="duplicate", message=message, path=path, hint=hint))
    files[path] = content


def _with_version(data: bytes, version: str) -> bytes:
    _, problems = parse_descriptor(data)
    if problems:
        return data
    content = {**json.loads(data.decode("utf-8-sig")), "Version": version}
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


class _Reader:
    def __init__(self, found: Mapping[str, Path], limits: ImageLimits) -> None:
        self.problems: list[Problem] = []
        self._contents = FolderContents(found)
        self._budget = Budget(limits)

    def read(self, path: str) -> bytes:
        try:
            return b"".join(self._contents.chunks(path, self._budget))
        except RefusedError as error:
            self.problems.append(Problem(code="content", message=str(error), path=path))
            return b""

"""A wheel made of sources without a build backend: the same sources give the same bytes everywhere."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Iterator, Mapping

import attrs

from statehold.images._pack import write_zip
from statehold.images._problem import Problem
from statehold.images._project import PROJECT, Project, read_project

_NATIVE = re.compile(r"\.(so(\.\d+)*|pyd|dll|dylib|a|o|lib|obj)$")
_BINARY = (b"\x7fELF", b"MZ", b"\xfe\xed\xfa", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe")
_LEFT_OUT = frozenset({"build", "dist", "docs", "test", "tests"})
_SCRIPTS = frozenset({"conftest.py", "noxfile.py", "setup.py"})
_WHEEL = b"Wheel-Version: 1.0\nGenerator: statehold\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@attrs.frozen(kw_only=True)
class Wheel:
    """A pure wheel: its version, the file name that installers want, and its bytes."""

    version: str
    file_name: str
    content: bytes


def build_wheel(sources: Mapping[str, bytes], *, path: str) -> tuple[Wheel | None, list[Problem]]:
    """Make a wheel of a `storages/` folder (relative path -> contents), or say what is wrong with it.

    Packed are its modules and packages with the data files in them, from `src/` where there is one;
    left out are tests, docs, build results and loose files beside pyproject.toml. *path* is the
    folder's place, for messages.
    """
    if PROJECT not in sources:
        hint = 'write one with [project] name, version and [project.entry-points."statehold.storages"]'
        message = "the storages have no pyproject.toml"
        return None, [Problem(code="project", message=message, path=path, hint=hint)]
    project, problems = read_project(sources[PROJECT], path=f"{path}/{PROJECT}")
    code = _code(sources)
    problems += [
        Problem(
            code="native",
            message="compiled code, which a wheel made of sources cannot hold: it would not run everywhere",
            path=f"{path}/{name}",
            hint="build a wheel for it with its own tools and put it beside as storages-<version>.whl",
        )
        for name, content in sorted(code.items())
        if _NATIVE.search(name) or content.startswith(_BINARY)
    ]
    if project is not None:
        problems += project.check_entries(_modules(code), path=f"{path}/{PROJECT}")
    if project is None or problems:
        return None, problems
    return _assemble(project, code), []


def _assemble(project: Project, code: Mapping[str, bytes]) -> Wheel:
    stem = f"{re.sub(r'[-_.]+', '_', project.name).lower()}-{project.version}"
    info = f"{stem}.dist-info"
    files = {
        **code,
        f"{info}/METADATA": project.metadata().encode(),
        f"{info}/WHEEL": _WHEEL,
        f"{info}/entry_points.txt": project.entry_points().encode(),
    }
    # Installers want the metadata at the end of the archive, and RECORD last.
    names = [*sorted(code), *sorted(files.keys() - code.keys()), f"{info}/RECORD"]
    files[names[-1]] = _record(files, names)
    content = io.BytesIO()
    write_zip(content, ((name, files[name]) for name in names))
    return Wheel(version=project.version, file_name=f"{stem}-py3-none-any.whl", content=content.getvalue())


def _code(sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return what of a project's files is shipped, by its path in the wheel."""
    inner = {name.removeprefix("src/"): data for name, data in sources.items() if name.startswith("src/")}
    if any(name.endswith(".py") for name in inner) and "__init__.py" not in inner:
        sources = inner
    packages = {name.partition("/")[0] for name in sources if "/" in name and name.endswith(".py")}
    code = {}
    for name, data in sources.items():
        top, in_folder, _ = name.partition("/")
        if in_folder:
            shipped = top in packages or _NATIVE.search(name)
            if shipped and top not in _LEFT_OUT and not top.endswith((".egg-info", ".dist-info")):
                code[name] = data
        elif _NATIVE.search(name) or (
            name.endswith(".py") and name not in _SCRIPTS and not name.startswith("test_")
        ):
            code[name] = data
    return code


def _modules(code: Mapping[str, bytes]) -> Iterator[str]:
    for name in code:
        if name.endswith(".py"):
            yield name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _record(files: Mapping[str, bytes], names: list[str]) -> bytes:
    lines = []
    for name in names[:-1]:
        digest = base64.urlsafe_b64encode(hashlib.sha256(files[name]).digest()).decode().rstrip("=")
        lines.append(f"{_csv(name)},sha256={digest},{len(files[name])}\n")
    return "".join([*lines, f"{_csv(names[-1])},,\n"]).encode()


def _csv(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if any(char in name for char in ',"') else name

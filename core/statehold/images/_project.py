from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping

import attrs

from statehold.images._problem import Problem, nearest

GROUP = "statehold.storages"
PROJECT = "pyproject.toml"

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION = re.compile(r"\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?(\+[a-z0-9]+(\.[a-z0-9]+)*)?")
_LINE = re.compile(r".*")
_ENTRY = re.compile(r"(?P<module>[^\W\d]\w*(\.[^\W\d]\w*)*)\s*(:\s*[^\W\d]\w*(\.[^\W\d]\w*)*)?")


@attrs.frozen(kw_only=True)
class Project:
    """What a storages/pyproject.toml says: name, version, dependencies and entry points."""

    name: str
    version: str
    summary: str
    requires_python: str
    requires: tuple[str, ...]
    entries: Mapping[str, Mapping[str, str]]

    def metadata(self) -> str:
        """Return the text of METADATA."""
        lines = ["Metadata-Version: 2.1", f"Name: {self.name}", f"Version: {self.version}"]
        if self.summary:
            lines.append(f"Summary: {self.summary}")
        if self.requires_python:
            lines.append(f"Requires-Python: {self.requires_python}")
        lines += [f"Requires-Dist: {requirement}" for requirement in self.requires]
        return "\n".join(lines) + "\n"

    def entry_points(self) -> str:
        """Return the text of entry_points.txt."""
        return "\n".join(
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in sorted(entries.items()))
            for group, entries in sorted(self.entries.items())
        )

    def check_entries(self, modules: Iterable[str], *, path: str) -> list[Problem]:
        """Return what is wrong with the entry points, which may name *modules*."""
        modules = set(modules)
        problems = []
        if not self.entries.get(GROUP):
            hint = f'add [project.entry-points."{GROUP}"] with lines such as Scada = "acme_scada:provider"'
            problems.append(Problem(code="project", message="names no storage", path=path, hint=hint))
        for group, entries in self.entries.items():
            for name, value in entries.items():
                where = f"entry point {name!r} of {group!r}"
                match = _ENTRY.fullmatch(value)
                named = re.fullmatch(r"\w+(\.\w+)*", group) and re.fullmatch(r"[\w.-]+", name)
                if not named or not match:
                    message = f"{where}: expected 'module:object', got {value!r}"
                    problems.append(Problem(code="project", message=message, path=path))
                elif match["module"] not in modules:
                    message = f"{where}: there is no module {match['module']!r}"
                    hint = nearest(match["module"], modules) or "put its package beside pyproject.toml"
                    problems.append(Problem(code="project", message=message, path=path, hint=hint))
        return problems


def read_project(data: bytes, *, path: str) -> tuple[Project | None, list[Problem]]:
    """Return the project in *data*, a pyproject.toml at *path*, or None and all that is wrong with it."""
    try:
        content = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "not UTF-8, or out of bounds"
        return None, [Problem(code="project", message=f"no valid TOML: {reason}", path=path)]
    table = content.get("project")
    if not isinstance(table, dict):
        return None, [Problem(code="project", message="the table [project] is missing", path=path)]
    reader = _Reader(table, path)
    project = Project(
        name=reader.text("name", _NAME, "the name of a distribution"),
        version=reader.text("version", _VERSION, "a version such as 1.2 or 2.0rc1"),
        summary=reader.text("description", _LINE, "a text of one line"),
        requires_python=reader.text("requires-python", _LINE, "a text of one line"),
        requires=reader.requires(),
        entries=reader.entries(),
    )
    return (None if reader.problems else project), reader.problems


class _Reader:
    def __init__(self, table: Mapping[str, object], path: str) -> None:
        self.problems: list[Problem] = []
        self._table = table
        self._path = path

    def text(self, key: str, pattern: re.Pattern[str], what: str) -> str:
        value = self._table.get(key, "")
        if isinstance(value, str) and value.isprintable() and pattern.fullmatch(value):
            return value
        dynamic = self._table.get("dynamic")
        computed = isinstance(dynamic, list) and key in dynamic
        self._wrong(
            f"project.{key}: expected {what}, got {repr(value) if key in self._table else 'nothing'}",
            "write it out: nothing computes it here" if computed else "",
        )
        return ""

    def requires(self) -> tuple[str, ...]:
        value = self._table.get("dependencies", [])
        if isinstance(value, list) and all(isinstance(item, str) and item.isprintable() for item in value):
            return tuple(value)
        self._wrong("project.dependencies: expected a list of texts of one line")
        return ()

    def entries(self) -> Mapping[str, Mapping[str, str]]:
        value = self._table.get("entry-points", {})
        if isinstance(value, dict) and all(
            isinstance(group, dict) and all(isinstance(item, str) for item in group.values())
            for group in value.values()
        ):
            return value
        self._wrong("project.entry-points: expected tables of names and objects")
        return {}

    def _wrong(self, message: str, hint: str = "") -> None:
        self.problems.append(Problem(code="project", message=message, path=self._path, hint=hint))

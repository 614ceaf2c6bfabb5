from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

from statehold.images._json import json_type, read_json_object
from statehold.images._names import VERSION
from statehold.images._problem import Problem, nearest, summary
from statehold.images._settings import Descriptor, ExtensionSettings, Isolation, StorageSettings
from statehold.sdk import DescriptorError, Operation, Scope

T = TypeVar("T")

_MOST = 65_535
_MOST_LIMIT = 2**63 - 1
_HINTS = 20
_QUALIFIED = re.compile(r"[^\W\d]\w*\.[^\W\d]\w*")
_FIELDS = (
    "NumParts",
    "EnginePoolSize",
    "NumAppWorkspaces",
    "Version",
    "PackageParams",
    "Storages",
    "Extensions",
)
_SETTINGS = ("isolation", "limits", "scopes", "allow", "version")
_LIMITS = ("memory_mib", "seconds")
#: More than a guest can address.
_MOST_MEMORY = 4096
_LEAST_SECONDS, _MOST_SECONDS = 0.01, 86_400


def read_descriptor(data: bytes | str, *, name: str = "descriptor.json") -> Descriptor:
    """Return the descriptor in *data*.

    Raises:
        DescriptorError: with everything that is wrong with it, not only the first.

    """
    descriptor, problems = parse_descriptor(data, path=name)
    if problems:
        lines = [str(problem) for problem in problems]
        raise DescriptorError(summary("The deployment descriptor", lines), problems=lines)
    return descriptor


def parse_descriptor(data: bytes | str, *, path: str = "descriptor.json") -> tuple[Descriptor, list[Problem]]:
    """Return the descriptor in *data* with defaults for what is wrong, and all that is wrong."""
    content, problems = read_json_object(data, path=path)
    reader = _Reader(path, problems)
    reader.known(content, _FIELDS, "")
    default = Descriptor()
    descriptor = Descriptor(
        num_parts=reader.number(content, "NumParts", default.num_parts),
        engine_pool_size=reader.pool(content, default.engine_pool_size),
        num_app_workspaces=reader.number(content, "NumAppWorkspaces", default.num_app_workspaces),
        version=reader.version(content, "Version", ""),
        package_params=reader.table(content, "PackageParams", "", reader.params),
        storages=reader.table(content, "Storages", "", reader.settings),
        extensions=reader.table(content, "Extensions", "", reader.extensions),
    )
    return descriptor, problems


class _Reader:
    """Takes parts of a descriptor out of JSON and notes what is wrong with them."""

    def __init__(self, path: str, problems: list[Problem]) -> None:
        self._path = path
        self._problems = problems

    def wrong(self, message: str, hint: str = "") -> None:
        self._problems.append(Problem(code="descriptor", message=message, path=self._path, hint=hint))

    def expected(self, where: str, what: str, got: object, hint: str = "") -> None:
        self.wrong(f"{where}: expected {what}, got {json_type(got)}", hint)

    def known(self, content: Mapping[str, object], names: tuple[str, ...], where: str) -> None:
        unknown = [name for name in content if name not in names]
        for at, name in enumerate(unknown):
            # Looking for the nearest takes longest: who sends thousands does not mistype.
            hint = nearest(name, names) if at < _HINTS else ""
            self.wrong(f"unknown key {name!r}{f' in {where}' if where else ''}", hint)

    def table(
        self, content: Mapping[str, object], name: str, where: str, read: Callable[[str, object], T]
    ) -> Mapping[str, T]:
        value = content.get(name, {})
        if isinstance(value, dict):
            return MappingProxyType({key: read(key, item) for key, item in value.items()})
        self.expected(f"{where}{name}", "an object", value)
        return MappingProxyType({})

    def number(self, content: Mapping[str, object], name: str, default: int) -> int:
        value = content.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            self.expected(name, f"an integer from 1 to {_MOST}", value)
        elif not 1 <= value <= _MOST:
            self.wrong(f"{name}: expected 1 to {_MOST}, got {value if abs(value) < 1 << 64 else 'more'}")
        else:
            return value
        return default

    def pool(
        self, content: Mapping[str, object], default: tuple[int, int, int, int]
    ) -> tuple[int, int, int, int]:
        value = content.get("EnginePoolSize", list(default))
        match value:
            case [int(), int(), int(), int()] if all(
                type(item) is int and 0 <= item <= _MOST for item in value
            ):
                commands, queries, projectors, jobs = value
                return commands, queries, projectors, jobs
        self.wrong(
            f"EnginePoolSize: expected a list of 4 integers from 0 to {_MOST}, got {json_type(value)}"
            + (f" of {len(value)}" if isinstance(value, list) else ""),
            "write [commands, queries, projectors, jobs], such as [10, 10, 10, 1]",
        )
        return default

    def version(self, content: Mapping[str, object], name: str, where: str) -> str | None:
        value = content.get(name)
        if value is None and name not in content:
            return None
        if isinstance(value, str) and VERSION.fullmatch(value):
            return value
        if isinstance(value, str):
            self.wrong(
                f"{where}{name}: {value!r} is no version name",
                "use up to 64 letters, digits, '.', '_', '-' and '+', and begin with a letter or digit",
            )
        else:
            self.expected(f"{where}{name}", "text", value, "put it in quotes")
        return None

    def params(self, package: str, value: object) -> Mapping[str, object]:
        if not isinstance(value, dict):
            self.expected(f"PackageParams.{package}", "an object of names and values", value)
            return MappingProxyType({})
        for name, item in value.items():
            if item is None or isinstance(item, list | dict):
                self.expected(f"PackageParams.{package}.{name}", "text, a number, true or false", item)
        return MappingProxyType(value)

    def settings(self, storage: str, value: object) -> StorageSettings:
        where = f"Storages.{storage}"
        if not _QUALIFIED.fullmatch(storage):
            self.wrong(f"Storages: {storage!r} names no storage", "write package.Name, such as 'bills.Scada'")
        if not isinstance(value, dict):
            self.expected(where, "an object", value)
            return StorageSettings()
        self.known(value, _SETTINGS, where)
        return StorageSettings(
            isolation=self.isolation(value, where),
            limits=self.table(value, "limits", f"{where}.", lambda name, item: self.limit(where, name, item)),
            scopes=self.scopes(value, where),
            allow=self.table(value, "allow", f"{where}.", lambda name, item: self.allowed(where, name, item)),
            version=self.version(value, "version", f"{where}."),
        )

    def extensions(self, package: str, value: object) -> ExtensionSettings:
        where = f"Extensions.{package}"
        if not isinstance(value, dict):
            self.expected(where, 'an object such as {"limits": {"memory_mib": 32}}', value)
            return ExtensionSettings()
        self.known(value, ("limits",), where)
        limits = value.get("limits", {})
        where += ".limits"
        if not isinstance(limits, dict):
            self.expected(where, 'an object such as {"memory_mib": 32, "seconds": 5}', limits)
            return ExtensionSettings()
        self.known(limits, _LIMITS, where)
        memory = limits.get("memory_mib")
        if "memory_mib" in limits and not (type(memory) is int and 1 <= memory <= _MOST_MEMORY):
            self.expected(f"{where}.memory_mib", f"an integer from 1 to {_MOST_MEMORY}", memory)
            memory = None
        return ExtensionSettings(memory_mib=memory, seconds=self.seconds(limits, f"{where}.seconds"))

    def seconds(self, limits: Mapping[str, object], where: str) -> Mapping[Scope, float]:
        value = limits.get("seconds", {})
        by_kind = value if isinstance(value, dict) else dict.fromkeys(Scope, value)
        found: dict[Scope, float] = {}
        for word, item in by_kind.items():
            scope = self._scope(where, word)
            if scope is None:
                continue
            if (
                not isinstance(item, int | float)
                or isinstance(item, bool)
                or not _LEAST_SECONDS <= item <= _MOST_SECONDS
            ):
                expected = f"{_LEAST_SECONDS:g} to {_MOST_SECONDS}, or an object of them by kind"
                self.expected(where, f"a number from {expected}", item, 'such as 5, or {"JOBS": 600}')
                break
            found[scope] = item
        return MappingProxyType(found)

    def isolation(self, content: Mapping[str, object], where: str) -> Isolation | None:
        value = content.get("isolation")
        if "isolation" not in content:
            return None
        if isinstance(value, str) and value in set(Isolation):
            return Isolation(value)
        got = repr(value) if isinstance(value, str) else json_type(value)
        self.wrong(
            f"{where}.isolation: expected one of {', '.join(Isolation)}, got {got}",
            nearest(value, list(Isolation)) if isinstance(value, str) else "",
        )
        return None

    def limit(self, where: str, name: str, value: object) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MOST_LIMIT:
            return value
        self.expected(f"{where}.limits.{name}", f"a number from 0 to {_MOST_LIMIT}", value)
        return 0

    def allowed(self, where: str, name: str, value: object) -> object:
        match value:
            case str() | bool() | int() | float():
                return value
            case list() if all(isinstance(item, str) for item in value):
                return tuple(value)
        self.expected(f"{where}.allow.{name}", "a list of texts, a text, a number, true or false", value)
        return ()

    def scopes(self, content: Mapping[str, object], where: str) -> Mapping[Operation, frozenset[Scope]]:
        found: dict[Operation, frozenset[Scope]] = {}
        table = content.get("scopes", {})
        if not isinstance(table, dict):
            self.expected(f"{where}.scopes", 'an object such as {"INSERT": ["JOBS"]}', table)
            return MappingProxyType({})
        for name, value in table.items():
            operation = next((item for item in Operation if item == name.upper()), None)
            if operation is None:
                self.wrong(f"{where}.scopes: unknown operation {name!r}", nearest(name, list(Operation)))
            elif operation in found:
                self.wrong(f"{where}.scopes: {operation} is given twice", "keep one of them")
            elif not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                self.expected(f"{where}.scopes.{name}", "a list of scopes", value)
            else:
                scopes = (self._scope(f"{where}.scopes.{name}", item) for item in value)
                found[operation] = frozenset(scope for scope in scopes if scope is not None)
        return MappingProxyType(found)

    def _scope(self, where: str, word: str) -> Scope | None:
        for scope in Scope:
            if word.upper() in (scope.value, scope.value.removesuffix("S")):
                return scope
        self.wrong(f"{where}: unknown scope {word!r}", nearest(word, list(Scope)))
        return None

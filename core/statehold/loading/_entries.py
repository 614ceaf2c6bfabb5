from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import attrs

STORAGES = "statehold.storages"
HOOKS = "statehold.hooks"
OWN_DISTRIBUTION = "statehold"

T = TypeVar("T")

_log = logging.getLogger(__name__)


@attrs.frozen(kw_only=True, order=True)
class Entry:
    """One name that an installed distribution claims, read without importing anything.

    `value` is what the entry point refers to, `package.module:object`; `location` the folder the
    distribution's code is in.
    """

    name: str
    value: str
    distribution: str
    version: str
    location: str

    @property
    def builtin(self) -> bool:
        """Whether Statehold itself brings it."""
        return self.distribution == OWN_DISTRIBUTION

    def __str__(self) -> str:
        """Return who claims the name, and where that is installed."""
        return f"{self.distribution} {self.version} in {self.location}"


def installed_entries() -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """Return the entries of the groups of storages and of hooks, each sorted by name.

    Of one distribution that is found twice, the first on the path counts, as for an import.
    """
    found: dict[str, list[Entry]] = {STORAGES: [], HOOKS: []}
    origins: dict[int, dict[str, str] | None] = {}
    for point in _points():
        if point.dist is None:
            continue
        # Each of these reads and parses a file of the distribution.
        if id(point.dist) not in origins:
            origins[id(point.dist)] = _readable(_origin, point.dist)
        origin = origins[id(point.dist)]
        if origin is not None:
            found[point.group].append(Entry(name=point.name, value=point.value, **origin))
    return tuple(sorted(found[STORAGES])), tuple(sorted(found[HOOKS]))


def _points() -> list[Any]:
    from importlib_metadata import distributions, entry_points  # noqa: PLC0415 - 25 ms that few need to pay

    try:
        return _ours(entry_points())
    except Exception:  # noqa: BLE001 - see _readable
        # One damaged distribution keeps the library from reading any: leave out that one.
        found: dict[str, list[Any]] = {}
        for distribution in distributions():
            points = _readable(lambda each: _ours(each.entry_points), distribution)
            name = _readable(lambda each: each.name, distribution) if points else None
            if points and name:
                found.setdefault(name, points)
        return [point for points in found.values() for point in points]


def _ours(points: Iterable[Any]) -> list[Any]:
    return [point for point in points if point.group in (STORAGES, HOOKS)]


def _readable(read: Callable[[Any], T], distribution: Any) -> T | None:
    """Return what *read* finds out about an installed distribution, None if its metadata are damaged."""
    try:
        return read(distribution)
    except Exception as error:  # noqa: BLE001 - the library raises whatever a damaged file leads to
        _log.warning(
            "an installed distribution is left out, its metadata are damaged: %s: %s: %s. "
            "Install it again, or remove what is left of it",
            getattr(distribution, "_path", distribution),
            type(error).__name__,
            error,
        )
        return None


def _origin(distribution: Any) -> dict[str, str]:
    return {
        "distribution": distribution.name,
        "version": distribution.version,
        "location": _location(distribution),
    }


def _location(distribution: Any) -> str:
    # An editable install has its code elsewhere than its metadata; only the origin knows where.
    origin = distribution.origin
    if getattr(getattr(origin, "dir_info", None), "editable", False):
        from urllib.parse import unquote, urlsplit  # noqa: PLC0415 - only for editable installs

        return unquote(urlsplit(origin.url).path)
    return str(distribution.locate_file("")).rstrip("/")

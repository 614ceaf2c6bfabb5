from __future__ import annotations

from typing import Any

import attrs

STORAGES = "statehold.storages"
HOOKS = "statehold.hooks"
OWN_DISTRIBUTION = "statehold"


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
    from importlib_metadata import entry_points  # noqa: PLC0415 - 25 ms that `import statehold` need not pay

    found: dict[str, list[Entry]] = {STORAGES: [], HOOKS: []}
    origins: dict[int, dict[str, str]] = {}
    points = entry_points()
    for group, entries in found.items():
        for point in points.select(group=group):
            if point.dist is not None:
                # Each of these reads and parses a file of the distribution.
                origin = origins.get(id(point.dist)) or _origin(point.dist)
                origins[id(point.dist)] = origin
                entries.append(Entry(name=point.name, value=point.value, **origin))
    return tuple(sorted(found[STORAGES])), tuple(sorted(found[HOOKS]))


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

from __future__ import annotations

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


def installed_entries(group: str) -> tuple[Entry, ...]:
    """Return the entry points of *group* by name; of one distribution found twice, the first on the path."""
    from importlib_metadata import entry_points  # noqa: PLC0415 - 25 ms that `import statehold` need not pay

    return tuple(
        sorted(
            Entry(
                name=point.name,
                value=point.value,
                distribution=point.dist.name,
                version=point.dist.version,
                location=_location(point.dist),
            )
            for point in entry_points(group=group)
            if point.dist is not None
        )
    )


def _location(distribution: object) -> str:
    # An editable install has its code elsewhere than its metadata; only the origin knows where.
    origin = getattr(distribution, "origin", None)
    if getattr(getattr(origin, "dir_info", None), "editable", False):
        from urllib.parse import unquote, urlsplit  # noqa: PLC0415 - only for editable installs

        return unquote(urlsplit(str(origin.url)).path)  # type: ignore[union-attr]
    return str(distribution.locate_file("")).rstrip("/")  # type: ignore[attr-defined]

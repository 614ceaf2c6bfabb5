from __future__ import annotations

from collections.abc import Iterable, Mapping

from statehold.hosting._registry import Entry, Role
from statehold.hosting._status import AppStatus, VersionState, VersionStatus
from statehold.hosting._version import AppVersion


def list_apps(
    entries: Iterable[Entry], live: Iterable[AppVersion], failures: Mapping[tuple[str, str], str]
) -> tuple[AppStatus, ...]:
    """Return every app by name, of what is registered, what is open, and what could not be opened."""
    by_app: dict[str, list[Entry]] = {}
    for entry in entries:
        by_app.setdefault(entry.app, []).append(entry)
    live = tuple(live)
    return tuple(_app(app, by_app[app], live, failures) for app in sorted(by_app))


def _app(
    app: str, entries: list[Entry], live: tuple[AppVersion, ...], failures: Mapping[tuple[str, str], str]
) -> AppStatus:
    roles = {entry.role: entry.version for entry in entries}
    known = {entry.version for entry in entries}
    # Registered only when it has done well.
    tried = [
        version
        for version in live
        if version.app == app and version.state is VersionState.CANARY and version.name not in known
    ]
    return AppStatus(
        app=app,
        current=roles.get(Role.CURRENT),
        previous=roles.get(Role.PREVIOUS),
        versions=tuple(
            VersionStatus(
                version=entry.version,
                digest=entry.digest,
                partitions=entry.partitions,
                state=_state(entry, live, failures),
                deployed_at=entry.deployed_at,
                problem=failures.get((app, entry.version), ""),
            )
            for entry in entries
        )
        + tuple(
            VersionStatus(
                version=version.name,
                digest=version.digest,
                partitions=len(version.partitions),
                state=version.state,
                deployed_at=version.opened_at,
            )
            for version in tried
        ),
    )


def _state(
    entry: Entry, live: tuple[AppVersion, ...], failures: Mapping[tuple[str, str], str]
) -> VersionState:
    opened = [version for version in live if (version.app, version.name) == (entry.app, entry.version)]
    if opened:
        return opened[-1].state
    if (entry.app, entry.version) in failures:
        return VersionState.FAILED
    return VersionState.PREVIOUS if entry.role in (Role.PREVIOUS, Role.KEPT) else VersionState.STOPPED

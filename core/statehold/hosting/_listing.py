from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from statehold.hosting._entry import Entry, Role
from statehold.hosting._quarantine import Leaking
from statehold.hosting._status import AppStatus, VersionState, VersionStatus
from statehold.hosting._version import AppVersion

#: How operators call what a registered version is to its app.
_ROLES: Final = {Role.CURRENT: "current", Role.PREVIOUS: "previous", Role.KEPT: "kept", Role.READY: "beside"}


class Listing:
    """Lists apps: what is registered, is open, could not be opened, and leaked.

    Args:
        live: the versions that have not been freed.
        currents: those that answer calls, once for each partition.
        failures: why versions could not be brought back, by app and version.
        leaking: the plugins that leaked when they were freed the last time.

    """

    def __init__(
        self,
        *,
        live: Iterable[AppVersion],
        currents: Iterable[AppVersion],
        failures: Mapping[tuple[str, str], str],
        leaking: Iterable[Leaking],
    ) -> None:
        self._live = tuple(live)
        self._answers = Counter(map(id, currents))
        self._failures = failures
        self._leaking = tuple(leaking)

    def apps(self, entries: Iterable[Entry]) -> tuple[AppStatus, ...]:
        """Return every app that is registered, by name."""
        by_app: dict[str, list[Entry]] = {}
        for entry in entries:
            by_app.setdefault(entry.app, []).append(entry)
        return tuple(self._app(app, by_app[app]) for app in sorted(by_app))

    def _app(self, app: str, entries: Iterable[Entry]) -> AppStatus:
        roles, opened, versions = {}, set(), []
        for entry in entries:
            version = self._opened(entry)
            opened.add(version)
            roles[entry.role] = entry.version
            versions.append(self._registered(entry, version))
        others = [one for one in self._live if one.app == app and one not in opened]
        return AppStatus(
            app=app,
            current=roles.get(Role.CURRENT),
            previous=roles.get(Role.PREVIOUS),
            # Registered only when it has done well.
            versions=(*versions, *(self._tried(one) for one in others if one.state is VersionState.CANARY)),
            draining=tuple(one.name for one in others if one.state is VersionState.DRAINING),
            leaking=tuple(one for one in self._leaking if one.app == app),
        )

    def _registered(self, entry: Entry, opened: AppVersion | None) -> VersionStatus:
        place = entry.app, entry.version
        if opened is not None:
            state = opened.state
        elif place in self._failures:
            state = VersionState.FAILED
        else:
            is_before = entry.role in (Role.PREVIOUS, Role.KEPT)
            state = VersionState.PREVIOUS if is_before else VersionState.STOPPED
        return VersionStatus(
            version=entry.version,
            digest=entry.digest,
            partitions=entry.partitions,
            state=state,
            role=_ROLES[entry.role],
            deployed_at=entry.deployed_at,
            answers=self._answers[id(opened)],
            isolation=MappingProxyType(dict(entry.places)) if opened is None else opened.isolation,
            problem=self._failures.get(place, ""),
        )

    def _tried(self, version: AppVersion) -> VersionStatus:
        return VersionStatus(
            version=version.name,
            digest=version.digest,
            partitions=len(version.partitions),
            state=version.state,
            role="canary",
            deployed_at=version.opened_at,
            answers=self._answers[id(version)],
            isolation=version.isolation,
        )

    def _opened(self, entry: Entry) -> AppVersion | None:
        found = [one for one in self._live if (one.app, one.name) == (entry.app, entry.version)]
        return found[-1] if found else None

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

import attrs

from statehold.hosting._quarantine import FreedPlugin, Leaking


class VersionState(StrEnum):
    """Where a version of an app stands.

    `current` answers calls; `canary` answers those of some partitions, on trial; `ready` is open beside it;
    `draining` waits for its last calls, `freed` is past them; `previous` is closed and can be rolled back to;
    `stopped` was not asked for when the host was opened; `failed` could not be opened again.
    """

    CURRENT = "current"
    CANARY = "canary"
    READY = "ready"
    DRAINING = "draining"
    FREED = "freed"
    PREVIOUS = "previous"
    STOPPED = "stopped"
    FAILED = "failed"


#: Those in which its storages are open.
_OPEN: Final = (VersionState.CURRENT, VersionState.CANARY, VersionState.READY, VersionState.DRAINING)


@attrs.frozen(kw_only=True)
class VersionStatus:
    """One version of an app in a listing.

    Attributes:
        version: its name.
        digest: the image's digest.
        partitions: how many the app has.
        state: where it stands in this host.
        role: what it is to its app: `current`, `previous`, `kept` (current before the previous one),
            `beside` or `canary`.
        deployed_at: when it was deployed, in seconds since 1970.
        answers: in how many partitions it answers the calls.
        isolation: where each of its storages runs, by name.
        problem: why a failed one failed.

    """

    version: str
    digest: str
    partitions: int
    state: VersionState
    role: str
    deployed_at: float
    answers: int = 0
    isolation: Mapping[str, str] = attrs.field(factory=lambda: MappingProxyType({}))
    problem: str = ""

    @property
    def is_open(self) -> bool:
        """Whether its storages are open."""
        return self.state in _OPEN

    def to_json(self) -> dict[str, Any]:
        """Return what a machine is told."""
        return {
            "version": self.version,
            "state": VersionState.FAILED.value if self.state is VersionState.FAILED else self.role,
            "open": self.is_open,
            "answers": self.answers,
            "partitions": self.partitions,
            "isolation": dict(self.isolation),
            "digest": self.digest,
            "deployed_at": self.deployed_at,
            "problem": self.problem,
        }


@attrs.frozen(kw_only=True)
class AppStatus:
    """One app in a listing, its versions in the order of their deployment.

    Attributes:
        app: `owner.app`.
        current: the version that is current.
        previous: the one that was before.
        versions: all that are registered, and one that is tried.
        draining: versions that were taken away, and wait for their last calls or are being freed.
        leaking: the plugins of which something was still alive after they were freed the last time.

    """

    app: str
    current: str | None
    previous: str | None
    versions: tuple[VersionStatus, ...]
    draining: tuple[str, ...] = ()
    leaking: tuple[Leaking, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what a machine is told."""
        return {
            "app": self.app,
            "current": self.current,
            "previous": self.previous,
            "draining": list(self.draining),
            "quarantine": [one.distribution for one in self.leaking if one.quarantined],
            "survivors": [one.to_json() for one in self.leaking],
            "versions": [version.to_json() for version in self.versions],
        }


@attrs.frozen(kw_only=True)
class FreeReport:
    """What happened when a version was freed: `problems` is empty when all went well.

    `survivors` names what of its plugins is still alive; `storages` counts those that were freed; `plugins`
    are the plugin files of the image that were loaded into this process.
    """

    app: str
    version: str
    storages: int
    problems: tuple[str, ...] = ()
    survivors: tuple[str, ...] = ()
    plugins: tuple[FreedPlugin, ...] = ()

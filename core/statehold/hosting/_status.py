from __future__ import annotations

from enum import StrEnum

import attrs

from statehold.hosting._quarantine import FreedPlugin


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


@attrs.frozen(kw_only=True)
class VersionStatus:
    """One version of an app in a listing; `problem` says why a failed one failed."""

    version: str
    digest: str
    partitions: int
    state: VersionState
    deployed_at: float
    problem: str = ""


@attrs.frozen(kw_only=True)
class AppStatus:
    """One app in a listing, its versions in the order of their deployment."""

    app: str
    current: str | None
    previous: str | None
    versions: tuple[VersionStatus, ...]


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

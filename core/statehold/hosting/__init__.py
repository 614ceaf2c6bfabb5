"""The running side: a host, its apps, their versions and partitions."""

from __future__ import annotations

from statehold.hosting._app import App
from statehold.hosting._canary import Canary
from statehold.hosting._data import AppData
from statehold.hosting._errors import FolderHeldError, NotFoundError, NotProvidedError
from statehold.hosting._host import Host
from statehold.hosting._isolation import placing_problems
from statehold.hosting._matrix import Matrix, Permission, StorageAccess
from statehold.hosting._outcomes import Outcomes
from statehold.hosting._partition import Partition
from statehold.hosting._quarantine import FreedPlugin, Leaking, Quarantine
from statehold.hosting._rehearsal import Rehearsal
from statehold.hosting._runner import Runner
from statehold.hosting._sandbox import Sandbox
from statehold.hosting._status import AppStatus, FreeReport, VersionState, VersionStatus
from statehold.hosting._steps import Step
from statehold.hosting._version import AppVersion, Borrowed

__all__ = [
    "App",
    "AppData",
    "AppStatus",
    "AppVersion",
    "Borrowed",
    "Canary",
    "FolderHeldError",
    "FreeReport",
    "FreedPlugin",
    "Host",
    "Leaking",
    "Matrix",
    "NotFoundError",
    "NotProvidedError",
    "Outcomes",
    "Partition",
    "Permission",
    "Quarantine",
    "Rehearsal",
    "Runner",
    "Sandbox",
    "Step",
    "StorageAccess",
    "VersionState",
    "VersionStatus",
    "placing_problems",
]

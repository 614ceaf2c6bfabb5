"""What a version brings to the rows of its app, and nobody may append to those meanwhile."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager

from statehold.events import PartitionData, ensure_app_workspaces, index_uniques, unindexed
from statehold.hosting._settings import HostSettings
from statehold.hosting._version import AppVersion
from statehold.sdk import DeployError


@contextmanager
def unique(
    version: AppVersion, settings: HostSettings, numbers: Collection[int] | None = None
) -> Iterator[None]:
    """Let the uniques that the version brings be true until the block has made it current.

    That is in the partitions of some *numbers*, or in all.

    The version before knows nothing of them: what it appended while they were indexed is looked at, and it
    appends nothing meanwhile.
    """
    partitions = version.data.partitions
    if numbers is not None:
        partitions = tuple(partitions[number] for number in numbers)
    behind = [one.number for one in unindexed(partitions, version.schemas)]
    with _held(version, behind, settings, "what it declares UNIQUE could not be looked at"):
        if behind:
            make_unique(version, partitions)
        yield


@contextmanager
def _held(
    version: AppVersion, numbers: Iterable[int], settings: HostSettings, problem: str
) -> Iterator[None]:
    """Let nobody append to some partitions while the block runs: the version before may be at work."""
    end = time.monotonic() + settings.pending_timeout
    with ExitStack() as held:
        for number in numbers:
            lock = version.data.writing[number]
            if not lock.acquire(timeout=max(0.0, end - time.monotonic())):
                raise DeployError(
                    f"{version.app} {version.name}: {problem}: a command keeps partition {number} busy for "
                    f"more than {settings.pending_timeout:g} s",
                    hint="Deploy it again when that has ended",
                )
            held.callback(lock.release)
        yield


def make_unique(version: AppVersion, partitions: Iterable[PartitionData]) -> None:
    """Let the uniques that the version brings be true of all records there are.

    Raises:
        DeployError: they are not.

    """
    problems = index_uniques(partitions, version.schemas)
    if problems:
        raise DeployError(
            f"{version.app} {version.name} declares UNIQUE what is not: " + "; ".join(problems),
            problems=problems,
            hint="Change or deactivate one of each two records, or drop the UNIQUE. What ran before goes on",
        )


def make_workspaces(version: AppVersion, settings: HostSettings) -> None:
    """Make the workspaces of the app that are not there yet.

    Raises:
        DeployError: a command keeps one of their partitions busy.

    """
    data, count = version.data, version.app_workspaces
    number_of = len(data.partitions)
    missing = {
        workspace % number_of
        for workspace in range(1, count + 1)
        if data.partitions[workspace % number_of].kind(workspace) is None
    }
    with _held(version, missing, settings, "its workspaces could not be made"):
        now = int(settings.clock.now() * 1000)
        ensure_app_workspaces(data.partitions, version.schemas, count, registered_at=now)

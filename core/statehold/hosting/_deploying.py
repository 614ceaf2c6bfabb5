from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext

from statehold.events import ensure_app_workspaces, index_uniques, unindexed
from statehold.hosting._app import App
from statehold.hosting._evolving import Declared, declared, refuse_breaking
from statehold.hosting._made import MadeFolders
from statehold.hosting._opening import opened_partitions
from statehold.hosting._preparing import Preparer
from statehold.hosting._registry import Entry, Registry, Role
from statehold.hosting._retiring import Retirer
from statehold.hosting._settings import HostSettings
from statehold.hosting._version import AppVersion
from statehold.images import AppImage
from statehold.sdk import DeployError
from statehold.trust import Verdict

Progress = Callable[[str], None]


class Deployer:
    """Opens versions and makes them current: whatever fails on the way, nothing has changed."""

    def __init__(
        self, settings: HostSettings, registry: Registry, preparer: Preparer, retirer: Retirer
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._preparer = preparer
        self._retirer = retirer

    def open(
        self,
        app: App,
        image: AppImage,
        verdict: Verdict,
        *,
        replace: bool,
        progress: Progress,
        unbroken: Declared | None = None,
    ) -> AppVersion:
        """Return the version in *image*, open and probed, and not yet known to anybody.

        The workspaces of the app that were not there yet are.

        With *replace*, its storages may take over from those of the app's current version. What is there by
        *unbroken* must go on with it.

        Raises:
            CompileError: its declarations have errors.
            DeployError: anything else keeps it from running.

        """
        plan = self._preparer.prepare(image, verdict, progress)
        before = app.current_or_none if replace else None
        with ExitStack() as undo:
            undo.callback(plan.plugins.free)
            if unbroken is not None:
                refuse_breaking(app.name, unbroken, declared(plan))
            lease = app.keeper.lease(plan.num_parts)
            undo.callback(lease.release)
            made = MadeFolders()
            with opened_partitions(
                plan,
                before.storages if before else (),
                data=lease.data,
                made=made,
                settings=self._settings,
                progress=progress,
            ) as storages:
                version = AppVersion(
                    plan,
                    storages,
                    lease,
                    made,
                    count_calls=self._settings.count_calls,
                    time_calls=self._settings.time_calls,
                    when_idle=self._retirer.free_soon,
                )
                plan.plugins.announce_opened()
                progress("index what is UNIQUE")
                _index_uniques(version)
                _make_workspaces(version, self._settings)
            undo.pop_all()
        self._retirer.add(version)
        return version

    def declared(self, image: AppImage) -> Declared:
        """Return what *image* declares, as `Preparer.declared` does."""
        return self._preparer.declared(image)

    def commit(self, app: App, version: AppVersion, entry: Entry, progress: Progress) -> None:
        """Register an open version, and make it current where its entry says so, in one step.

        A version that nobody knew before is freed where that fails.

        Raises:
            DeployError: what it declares UNIQUE is not so any more.
            HostError: it cannot be registered.

        """
        is_current = entry.role is Role.CURRENT
        try:
            with _unique(version, self._settings) if is_current else nullcontext():
                progress(f"make {version.name} {entry.role}")
                known = self._registry.entries(app.name)
                self._registry.add(entry, keep=app.keep)
                try:
                    app.keeper.keep()
                    version.keep()
                    app.add(version)
                    if is_current:
                        app.swap(version)
                except BaseException:
                    if app.current_or_none is not version:
                        self._registry.restore(app.name, known)
                    raise
        except BaseException:
            if version not in app.versions:
                version.retire()
                # What it leaves in the data folder must be gone before the next version looks there.
                version.wait_freed()
            raise


@contextmanager
def _unique(version: AppVersion, settings: HostSettings) -> Iterator[None]:
    """Let the uniques that the version brings be true until the block has made it current.

    The version before knows nothing of them: what it appended while they were indexed is looked at, and it
    appends nothing meanwhile.
    """
    data = version.data
    behind = [one.number for one in unindexed(data.partitions, version.schemas)]
    with _held(version, behind, settings, "what it declares UNIQUE could not be looked at"):
        if behind:
            _index_uniques(version)
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


def _index_uniques(version: AppVersion) -> None:
    """Let the uniques that the version brings be true of all records there are.

    Raises:
        DeployError: they are not.

    """
    problems = index_uniques(version.data.partitions, version.schemas)
    if problems:
        raise DeployError(
            f"{version.app} {version.name} declares UNIQUE what is not: " + "; ".join(problems),
            problems=problems,
            hint="Change or deactivate one of each two records, or drop the UNIQUE. What ran before goes on",
        )


def _make_workspaces(version: AppVersion, settings: HostSettings) -> None:
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

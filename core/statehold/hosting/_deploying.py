from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from functools import partial

from statehold.hosting._app import App
from statehold.hosting._canary import Canary, Trial
from statehold.hosting._entry import Entry, Role
from statehold.hosting._evolving import Declared, compared, declared
from statehold.hosting._handover import Handover
from statehold.hosting._made import MadeFolders
from statehold.hosting._opening import opened_partitions
from statehold.hosting._preparing import Preparer
from statehold.hosting._registry import Registry
from statehold.hosting._retiring import Retirer
from statehold.hosting._settings import HostSettings
from statehold.hosting._version import AppVersion
from statehold.hosting._writing import make_unique, make_workspaces, unique
from statehold.images import AppImage
from statehold.trust import Verdict

Progress = Callable[[str], None]


class Deployer:
    """Opens versions and makes them current: whatever fails on the way, nothing has changed."""

    def __init__(
        self,
        settings: HostSettings,
        registry: Registry,
        preparer: Preparer,
        retirer: Retirer,
        *,
        closing: threading.Event,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._preparer = preparer
        self._retirer = retirer
        self._closing = closing

    def open(
        self,
        app: App,
        image: AppImage,
        verdict: Verdict,
        *,
        replace: bool,
        progress: Progress,
        unbroken: Declared | None = None,
        accept_breaking: bool = False,
    ) -> AppVersion:
        """Return the version in *image*, open and probed, and not yet known to anybody.

        The workspaces of the app that were not there yet are.

        With *replace*, its storages may take over from those of the app's current version. What is there by
        *unbroken* must go on with it, unless *accept_breaking*.

        Raises:
            CompileError: its declarations have errors.
            DeployError: anything else keeps it from running.

        """
        plan = self._preparer.prepare(image, verdict, progress)
        before = app.current_or_none if replace else None
        with ExitStack() as undo:
            undo.callback(plan.plugins.free)
            if unbroken is not None:
                progress(compared(app.name, unbroken, declared(plan), accept_breaking=accept_breaking))
            lease = app.keeper.lease(plan.num_parts)
            undo.callback(lease.release)
            made = MadeFolders()
            handover = self._handover(app, plan.redactor.redact)
            undo.callback(handover.end)
            with opened_partitions(
                plan,
                before.storages if before else (),
                handover=handover,
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
                progress(f"probe {sum(map(len, storages))} storages: they work")
                progress("index what is UNIQUE")
                make_unique(version, version.data.partitions)
                make_workspaces(version, self._settings)
            undo.pop_all()
        version.handover = handover
        version.compared_with = None if unbroken is None else unbroken.version
        self._retirer.add(version)
        return version

    def handover(self, app: App, version: AppVersion) -> Handover:
        """Return what notes what is written to what an app runs, until an open *version* has replaced it."""
        return self._handover(app, version.partitions[0].redact)

    def _handover(self, app: App, redact: Callable[[str], str]) -> Handover:
        timeout, logger = self._settings.pending_timeout, self._settings.logger
        return Handover(app.name, timeout=timeout, logger=logger, redact=redact)

    @staticmethod
    def compare(
        version: AppVersion, unbroken: Declared | None, progress: Progress, *, accept_breaking: bool
    ) -> None:
        """Compare an open version with what must go on with it, unless it has been.

        Raises:
            DeployError: it breaks what there is, and that is not accepted.

        """
        if unbroken is not None and version.compared_with != unbroken.version:
            progress(compared(version.app, unbroken, version.declared, accept_breaking=accept_breaking))
            version.compared_with = unbroken.version

    def declared(self, image: AppImage) -> Declared:
        """Return what *image* declares, as `Preparer.declared` does."""
        return self._preparer.declared(image)

    def commit(
        self,
        app: App,
        version: AppVersion,
        entry: Entry,
        progress: Progress,
        *,
        canary: Canary | None = None,
    ) -> None:
        """Register an open version, and make it current where its entry says so, in one step each partition.

        With a *canary* it is tried first; nothing is registered meanwhile, so that a host which is killed
        comes back with the version before. A version that nobody knew before is freed where that fails.

        Raises:
            DeployError: what it declares UNIQUE is not so any more, or it fails too often as a canary.
            HostError: it cannot be registered.

        """
        is_current = entry.role is Role.CURRENT
        was_open = version in app.versions
        handover, version.handover = version.handover or self.handover(app, version), None
        try:
            if is_current and canary is not None:
                self._try_out(app, version, canary, handover, progress)
            handover.give()
            with unique(version, self._settings) if is_current else nullcontext():
                progress(f"make {version.name} {entry.role}")
                known = self._registry.entries(app.name)
                try:
                    # Inside: interrupted, it goes on to write on its own thread.
                    self._registry.add(entry, keep=app.keep)
                    app.keeper.keep()
                    version.keep()
                    app.add(version)
                    if is_current:
                        app.keeper.decide()
                        with handover.swapping(has_happened=lambda: app.current_or_none is version):
                            app.swap(version)
                except BaseException:
                    if app.current_or_none is not version:
                        self._registry.restore(app.name, known)
                    raise
        except BaseException:
            if app.current_or_none is not version:
                self._take_back(app, version, handover)
                if not was_open:
                    app.discard(version)
                    # What it leaves in the data folder must be gone before the next version looks there. Of a
                    # canary that stays, and a call may hang.
                    if version.wait_idle(self._settings.pending_timeout):
                        version.wait_freed()
            raise
        finally:
            handover.end()

    def _try_out(
        self, app: App, version: AppVersion, canary: Canary, handover: Handover, progress: Progress
    ) -> None:
        """Let a version answer the calls of some partitions for a time; after an error it still does.

        Raises:
            DeployError: it fails too often.
            HostError: the host is being closed.

        """
        before = app.current_or_none
        if before is None:
            progress("canary left out: no version answers calls yet")
            return
        numbers = canary.partitions(len(version.partitions))
        with unique(version, self._settings, numbers):
            # What it writes from now on is the app's.
            version.keep()
            app.add(version)
            trial = Trial(canary, before, version, numbers, clock=self._settings.clock)
            is_lent = partial(_is_lent, app, version)
            with handover.swapping(numbers, has_happened=is_lent, on_trial=True):
                app.lend(version, numbers, end=trial.end)
        trial.watch(progress, closing=self._closing, meanwhile=handover.give)
        # In the others, that version has gone on to write meanwhile.
        others = set(range(len(version.partitions))).difference(numbers)
        version.resume(before, others, but=handover.joins)

    def _take_back(self, app: App, version: AppVersion, handover: Handover) -> None:
        """Let the version before answer again where one was on trial, with what that has written."""
        before = app.current_or_none
        lent = [number for number, one in enumerate(app.currents) if one is version]
        if before is not None and lent:
            try:
                before.resume(version, lent, but=handover.joins)
            except Exception:
                self._settings.logger.exception(
                    "%s %s goes on without what %s has written as a canary: it could not resume",
                    *(app.name, before.name, version.name),
                )
        with handover.swapping_back():
            app.take_back(version)


def _is_lent(app: App, version: AppVersion) -> bool:
    return version in app.currents

from __future__ import annotations

from collections.abc import Callable

from statehold.hosting._app import App
from statehold.hosting._opening import opened_partitions
from statehold.hosting._preparing import Preparer
from statehold.hosting._registry import Entry, Registry, Role
from statehold.hosting._retiring import Retirer
from statehold.hosting._settings import HostSettings
from statehold.hosting._version import AppVersion
from statehold.images import AppImage

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

    def open(self, app: App, image: AppImage, *, replace: bool, progress: Progress) -> AppVersion:
        """Return the version in *image*, open and probed, and not yet known to anybody.

        With *replace*, its storages may take over from those of the app's current version.
        """
        plan = self._preparer.prepare(image, progress)
        plugins = plan.plugins
        before = app.current_or_none if replace else None
        try:
            with opened_partitions(
                plan, before.storages if before else (), settings=self._settings, progress=progress
            ) as storages:
                version = AppVersion(
                    plan, storages, count_calls=self._settings.count_calls, when_idle=self._retirer.free_soon
                )
                plugins.announce_opened()
        except BaseException:
            plugins.free()
            raise
        self._retirer.add(version)
        return version

    def commit(self, app: App, version: AppVersion, entry: Entry, progress: Progress) -> None:
        """Register an open version, and make it current where its entry says so, in one step.

        A version that nobody knew before is freed where that fails.
        """
        try:
            progress(f"make {version.name} {entry.role}")
            self._registry.add(entry)
        except BaseException:
            if version not in app.versions:
                version.retire()
            raise
        app.add(version)
        if entry.role is Role.CURRENT:
            app.swap(version)

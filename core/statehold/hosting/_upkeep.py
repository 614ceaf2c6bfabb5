from __future__ import annotations

from collections.abc import Callable

from statehold.hosting._problems import Problems
from statehold.hosting._quarantine import WHAT_NOW, Quarantine
from statehold.hosting._registry import Registry
from statehold.hosting._status import FreeReport
from statehold.hosting._store import FileStore
from statehold.hosting._version import AppVersion
from statehold.sdk import HostError


class Upkeep:
    """Removes the files that nothing needs any more, and draws the conclusions when a version was freed.

    Attributes:
        live: returns the versions that have not been freed.
        is_closed: whether the host has been closed: what goes wrong from then on is nobody's concern.

    """

    def __init__(
        self, registry: Registry, store: FileStore, *, problems: Problems, quarantine: Quarantine
    ) -> None:
        self.live: Callable[[], tuple[AppVersion, ...]] = tuple
        self.is_closed = False
        self._registry = registry
        self._store = store
        self._problems = problems
        self._quarantine = quarantine

    def freed(self, report: FreeReport) -> None:
        """Remember what a version has left behind, and remove its files."""
        self._problems.freed(report)
        try:
            for leaking in self._quarantine.freed(report.app, report.plugins):
                self._problems.warn(f"{leaking.reason}. {WHAT_NOW}")
        except HostError as error:
            self._problems.warn(f"{report.app} {report.version} was freed, and not counted as such: {error}")
        if not self.is_closed:
            self.clean()

    def clean(self) -> None:
        """Remove the images and plugin files of versions that are neither registered nor open."""
        try:
            self._store.clean(self._needed)
        except (OSError, HostError) as error:
            if not self.is_closed:
                self._problems.warn(f"files that nothing needs could not be removed: {error}")

    def _needed(self) -> set[str]:
        needed = {digest for entry in self._registry.entries() for digest in (entry.digest, *entry.plugins)}
        for version in self.live():
            needed.update((version.digest, *version.files))
        return needed

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from statehold.hosting._freeing import free_storages
from statehold.hosting._plugins import VersionPlugins
from statehold.hosting._settings import HostSettings
from statehold.hosting._status import FreeReport
from statehold.hosting._trouble import Trouble
from statehold.hosting._version import AppVersion

_AT_ONCE = 4
_PAUSES = (0.01, 0.05, 0.2)


class Retirer:
    """Frees versions whose last borrower has left, on threads of its own."""

    def __init__(self, settings: HostSettings, after: Callable[[FreeReport], None]) -> None:
        self._settings = settings
        self._after = after
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="statehold-free")
        self._lock = threading.Lock()
        self._live: dict[int, AppVersion] = {}

    def add(self, version: AppVersion) -> None:
        """Know an open version until it has been freed."""
        with self._lock:
            self._live[id(version)] = version

    @property
    def live(self) -> tuple[AppVersion, ...]:
        """Every version that has not been freed, the draining ones too."""
        with self._lock:
            return tuple(self._live.values())

    def free_soon(self, version: AppVersion) -> None:
        """Free a version that nobody uses any more, on another thread."""
        try:
            self._threads.submit(self._free, version)
        except RuntimeError:
            # Its last borrower outlived the host.
            threading.Thread(target=self._free, args=(version,), daemon=True).start()

    def close(self) -> None:
        """End the threads when they have done their work."""
        self._threads.shutdown()

    def _free(self, version: AppVersion) -> None:
        report = free_version(version, self._settings)
        with self._lock:
            del self._live[id(version)]
        self._after(report)
        version.set_freed(report)


def free_version(version: AppVersion, settings: HostSettings) -> FreeReport:
    """Free everything that a version holds: facades, storages in reverse, hooks, plugin namespaces."""
    plan, opened = version.take_apart()
    count = len(opened)
    plugins, trouble = plan.plugins, Trouble(plan.redactor.redact)
    # Only what nothing refers to any more can be seen to be gone.
    del plan
    problems = free_storages(
        opened, trouble, free_timeout=settings.free_timeout, pending_timeout=settings.pending_timeout
    )
    opened.clear()
    more = plugins.free()
    report = FreeReport(
        app=version.app,
        version=version.name,
        storages=count,
        problems=(*problems, *more),
        survivors=_survivors(plugins),
    )
    for problem in report.problems:
        settings.logger.error("%s", problem)
    if report.survivors:
        settings.logger.warning(
            "%s %s was freed, and of its plugins these are still alive: %s",
            report.app,
            report.version,
            ", ".join(report.survivors),
        )
    return report


def _survivors(plugins: VersionPlugins) -> tuple[str, ...]:
    # The last borrower may still have a storage in a variable, and while another thread collects
    # garbage, a collection that is asked for here does nothing.
    survivors = plugins.survivors()
    for pause in _PAUSES:
        if not survivors:
            break
        time.sleep(pause)
        survivors = plugins.survivors()
    return survivors

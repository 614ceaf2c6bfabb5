from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue

from statehold.hosting._freeing import free_storages
from statehold.hosting._plugins import VersionPlugins
from statehold.hosting._quarantine import FreedPlugin
from statehold.hosting._settings import HostSettings
from statehold.hosting._status import FreeReport
from statehold.hosting._trouble import Trouble
from statehold.hosting._version import AppVersion
from statehold.sdk import StateholdError

Job = Callable[[], None]

_AT_ONCE = 4
# On a busy machine a thread that has left may wait for long before it drops its variables.
_PAUSES = (0.01, 0.05, 0.2, 1.0)


class Retirer:
    """Frees versions whose last borrower has left, on threads of its own."""

    def __init__(self, settings: HostSettings, after: Callable[[FreeReport], None]) -> None:
        self._settings = settings
        self._after = after
        self._lock = threading.Lock()
        self._live: dict[int, AppVersion] = {}
        # A bare queue, because handing a version over is a part of every swap.
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=_work, args=(self._jobs,), name=f"statehold-free-{number}", daemon=True)
            for number in range(_AT_ONCE)
        ]
        for thread in self._threads:
            thread.start()
        # The threads know the queue alone, so that a host which is forgotten can be collected.
        self._stop = weakref.finalize(self, _stop, self._jobs)

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
        job = partial(self._free, version)
        if self._stop.alive:
            self._jobs.put(job)
        else:
            # Its last borrower outlived the host.
            threading.Thread(target=job, daemon=True).start()

    def close(self) -> None:
        """End the threads when they have done their work."""
        self._stop()
        for thread in self._threads:
            thread.join()

    def _free(self, version: AppVersion) -> None:
        try:
            report = free_version(version, self._settings)
        except Exception as error:
            # Whoever waits for the report would wait for ever.
            self._settings.logger.exception("%s %s could not be freed", version.app, version.name)
            problem = f"{version.app} {version.name} could not be freed: {type(error).__name__}: {error}"
            report = FreeReport(app=version.app, version=version.name, storages=0, problems=(problem,))
        with self._lock:
            del self._live[id(version)]
        try:
            self._after(report)
        finally:
            version.set_freed(report)


def _work(jobs: SimpleQueue[Job | None]) -> None:
    while (job := jobs.get()) is not None:
        job()
        del job


def _stop(jobs: SimpleQueue[Job | None]) -> None:
    for _ in range(_AT_ONCE):
        jobs.put(None)


def free_version(version: AppVersion, settings: HostSettings) -> FreeReport:
    """Free everything that a version holds: facades, storages in reverse, hooks, engines, plugins, data."""
    plan, opened = version.take_apart()
    count = len(opened)
    plugins, trouble = plan.plugins, Trouble(plan.redactor.redact)
    # Only what nothing refers to any more can be seen to be gone.
    del plan
    problems = free_storages(
        opened, trouble, free_timeout=settings.free_timeout, pending_timeout=settings.pending_timeout
    )
    opened.clear()
    more = [*plugins.free(), *_give_back(version)]
    survivors, files = _survivors(plugins)
    report = FreeReport(
        app=version.app,
        version=version.name,
        storages=count,
        problems=(*problems, *more),
        survivors=survivors,
        plugins=files,
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


def _give_back(version: AppVersion) -> tuple[str, ...]:
    try:
        version.give_back()
    except StateholdError as error:
        return (f"{version.app} {version.name}: its data could not be closed: {error}",)
    return ()


def _survivors(plugins: VersionPlugins) -> tuple[tuple[str, ...], tuple[FreedPlugin, ...]]:
    # The last borrower may still have a storage in a variable, and while another thread collects
    # garbage, a collection that is asked for here does nothing.
    gone = plugins.settle()
    for pause in _PAUSES:
        if gone:
            break
        time.sleep(pause)
        gc.collect()
        gone = plugins.gone
    # Only once: to find the holders walks through the whole heap.
    return plugins.survivors()

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from statehold.hosting._admission import Admission
from statehold.hosting._app import App
from statehold.hosting._apps import Apps
from statehold.hosting._bringing import Bringer, brought_back, ignore
from statehold.hosting._canary import Canary
from statehold.hosting._deployed import Deployed
from statehold.hosting._deploying import Deployer
from statehold.hosting._folders import Folders
from statehold.hosting._following import following
from statehold.hosting._listeners import Listeners
from statehold.hosting._listing import Listing
from statehold.hosting._lock import FolderLock
from statehold.hosting._matrix import Matrix
from statehold.hosting._preparing import Preparer
from statehold.hosting._problems import Problems
from statehold.hosting._quarantine import Quarantine
from statehold.hosting._registry import Registry
from statehold.hosting._retiring import Retirer
from statehold.hosting._sandbox import Sandbox, SidecarHome
from statehold.hosting._services import Services
from statehold.hosting._settings import HostSettings, SystemClock
from statehold.hosting._status import AppStatus
from statehold.hosting._steps import Progress, telling
from statehold.hosting._store import FileStore
from statehold.hosting._sweeping import Sweeper
from statehold.hosting._upkeep import Upkeep
from statehold.hosting._version import AppVersion
from statehold.images import Isolation, open_image
from statehold.loading import PluginFiles, installed
from statehold.rows import RowDriver, SqliteDriver
from statehold.sdk import Clock, DeployError, FederationHost, HostError


class Host:
    """Runs apps out of one data folder: deploys their images, hands out partitions, frees what is replaced.

    Only one host at a time works on a data folder. Opening it brings back every app that was deployed.

    Args:
        data_folder: where the host keeps everything; created with mode 0700.
        secrets_folder: files with the apps' secrets, `<package>.<name>` or `<name>`.
        environ: where parameters and secrets are looked up that neither descriptor nor folder gives.
        trust: the trust store, which says whose images are taken; by default `trust.json` in the data folder.
            Where there is no such file, every image is; a store that is named here must be there.
        apps: bring back only these apps; None for all of them.
        sandbox: how what runs in sidecars is shut in, and whether a machine will do that lacks a part of it.
        keep: how many versions that were current before stay open, so that to roll back to them is a swap.
            They go on to take memory, and to do what they do in the background.
        free_timeout: seconds that one storage may take to be freed.
        pending_timeout: seconds that pending hooks and background work of a storage may take to end, and
            that `close` waits for borrowers.
        clock: the time that storages see.
        rows: where the events, records and views of apps are kept; by default in SQLite files below the data
            folder, `rows/<owner>.<app>.rows`. One that is given is not closed.
        sweep_pause: seconds from one removal of expired rows to the next.
        slow_open: seconds after which a storage that is still being opened is reported.
        logger: where the host reports; `statehold.host` by default.
        count_calls: whether facades count their calls and look at the classes of keys; without, a permitted
            GET is the storage's own method.
        time_calls: whether it is measured, too, how long calls take, which costs about 0.2 us for each: True
            for all, False for none; None for all but reads of providers that are `in_memory` and the results
            of queries.

    Raises:
        FolderHeldError: another host works on the folder.
        HostError: it cannot be written.

    """

    def __init__(
        self,
        data_folder: Path,
        *,
        secrets_folder: Path | None = None,
        environ: Mapping[str, str] = os.environ,
        trust: Path | None = None,
        apps: Collection[str] | None = None,
        sandbox: Sandbox = Sandbox.AVAILABLE,
        keep: int = 0,
        free_timeout: float = 10.0,
        pending_timeout: float = 10.0,
        clock: Clock | None = None,
        rows: RowDriver | None = None,
        sweep_pause: float = 60.0,
        slow_open: float = 10.0,
        logger: logging.Logger | None = None,
        count_calls: bool = True,
        time_calls: bool | None = None,
    ) -> None:
        folders = Folders.make(Path(data_folder))
        logger = logger or logging.getLogger("statehold.host")
        private = [folders.root] if secrets_folder is None else [folders.root, secrets_folder.absolute()]
        self._settings = HostSettings(
            data_folder=folders.root,
            secrets_folder=secrets_folder,
            environ=environ,
            free_timeout=free_timeout,
            pending_timeout=pending_timeout,
            clock=clock or SystemClock(),
            logger=logger,
            count_calls=count_calls,
            time_calls=time_calls,
            slow_open=slow_open,
            services=Services(),
            sidecars=SidecarHome(Sandbox(sandbox), private=private, logger=logger),
        )
        self._rows = SqliteDriver(folders.rows, clock=clock) if rows is None else rows
        self._lock = FolderLock(folders.root)
        try:
            self._registry = Registry(folders.root / "registry.db")
            self._settings.services.quarantine = self._quarantine = Quarantine(self._registry)
        except BaseException:
            self._lock.release()
            raise
        self._closing = threading.Event()
        self._deployed = Deployed(self._registry)
        self._store = FileStore(folders.images, folders.plugins)
        self._problems = Problems(self._settings.logger)
        self._upkeep = Upkeep(
            self._registry, self._store, problems=self._problems, quarantine=self._quarantine
        )
        self._retirer = retirer = Retirer(self._settings, self._upkeep.freed)
        self._upkeep.live = lambda: retirer.live
        self._sweeper = Sweeper(sweep_pause, self._settings.logger)
        preparer = Preparer(self._settings, installed(), PluginFiles(folders.plugins))
        self._bringer = Bringer(
            Deployer(self._settings, self._registry, preparer, self._retirer, closing=self._closing),
            admission=Admission(trust, default=folders.root / "trust.json"),
            deployed=self._deployed,
            store=self._store,
            problems=self._problems,
        )
        self._listeners = Listeners(logger)
        self._apps = Apps(
            self._registry,
            self._rows,
            self._settings,
            sweeper=self._sweeper,
            keep=keep,
            swapped=self._listeners.tell,
        )
        self._closed = False
        try:
            self._upkeep.clean()
            for entry in brought_back(self._registry.entries(), keep):
                if apps is None or entry.app in apps:
                    self._bringer.restore(self._apps.get(entry.app), entry)
        except BaseException:
            self.close()
            raise

    @property
    def warnings(self) -> tuple[str, ...]:
        """What went wrong without stopping the host, such as a version that could not be brought back."""
        return self._problems.warnings

    def deploy(
        self,
        image: Path,
        *,
        activate: bool = True,
        accept_breaking: bool = False,
        canary: Canary | None = None,
        progress: Progress | None = None,
    ) -> AppVersion:
        """Open a new version of the image's app and make it current in one step.

        With `activate=False` the version is opened and stays beside the current one. Deploying what is
        open already only activates it. Declarations that break what there is by the current version are
        refused, unless that is accepted. With a *canary* the version is tried in some partitions first.
        *progress* is called with a line of text at every step; an error that it raises, such as that of
        Ctrl-C, ends the deploy, and what ran before goes on.

        Raises:
            ImageError: the image is damaged or hostile.
            CompileError: its declarations have errors.
            TrustError: the host's trust store does not take it; nothing of it was run.
            DeployError: anything else keeps it from running: its descriptor, a parameter, a plugin, a
                storage that does not open, a breaking change; `problems` has all of it.
            HostError: the data folder cannot be written. In every case what ran before goes on.

        """
        tell = _teller(progress)
        tell(f"verify {image}")
        try:
            with self._store.arriving(), open_image(Path(image)) as opened:
                app = self._apps.get(opened.app)
                with self._turn(app, tell):
                    return self._bringer.deploy(
                        app,
                        opened,
                        activate=activate,
                        accept_breaking=accept_breaking,
                        canary=canary if activate else None,
                        progress=tell,
                    )
        finally:
            self._upkeep.clean()

    def activate(
        self, app: str, version: str, *, accept_breaking: bool = False, progress: Progress | None = None
    ) -> AppVersion:
        """Make a deployed version the current one, opening it first if it is closed.

        One that was only beside is compared with the current one, unless its deploy has done so.
        *accept_breaking* and *progress* are as for `deploy`.

        Raises:
            HostError: there is no such app or version.
            DeployError: its declarations break what there is by the current version.
            StateholdError: the version cannot be opened again, as for `deploy`.

        """
        tell = _teller(progress)
        with self._changing(app, tell) as known:
            entry = self._deployed.entry(app, version)
            return self._bringer.activate(known, entry, tell, accept_breaking=accept_breaking)

    def rollback(self, app: str, *, progress: Progress | None = None) -> AppVersion:
        """Make the version current that was current before; where one is on trial, end that instead.

        *progress* is as for `deploy`.

        Raises:
            HostError: there is no such app, or no version before the current one.
            DeployError: another version became current before it was this one's turn.
            StateholdError: the version cannot be opened again, as for `deploy`.

        """
        tell, running = _teller(progress), self._apps.find(app)
        before = None if running is None else running.current_or_none
        ended = running is not None and running.end_trial()
        with self._changing(app, tell) as known:
            now = known.current_or_none
            if ended and now is before:
                return known.current
            if not ended and now is not before:
                # Whoever asked meant another one: two who roll back at once would be back where they began.
                is_now = now.name if now else "no version"
                raise DeployError(
                    f"{app} was not rolled back: {is_now} became current meanwhile",
                    hint="Look at what is current, and roll back again if that is still meant",
                )
            return self._bringer.activate(known, self._deployed.previous(app), tell)

    def following(
        self, app: str, progress: Progress, *, patience: float = 30.0
    ) -> AbstractContextManager[None]:
        """Return what tells, behind its block, how the versions of an app end that the block replaces.

        That is for up to *patience* seconds: which of them are kept, drain, and have been freed.
        """
        return following(self._apps.find(app), progress, patience=patience)

    def undeploy(self, app: str, version: str | None = None, *, progress: Progress | None = None) -> None:
        """Forget one version, or the whole app, with what is on trial; its data stays.

        That is the data folders of its storages, `apps/<owner>.<app>` below the host's, and its events,
        records and views, `rows/<owner>.<app>.rows` there or wherever the host's driver of rows keeps them.
        Deployed again, the app finds them. *progress* is told where another change has to end first.

        Raises:
            HostError: there is no such app or version.
            DeployError: the version is the current one of several.

        """
        running = self._apps.find(app)
        if version is None and running is not None:
            running.end_trial()
        with self._changing(app, _teller(progress)) as known:
            going = self._deployed.removable(app, version)
            self._registry.forget(app, version)
            for entry in going:
                self._problems.mended(app, entry.version)
                known.drop(entry.version)
        self._upkeep.clean()

    def apps(self) -> tuple[AppStatus, ...]:
        """Return every app that is deployed here, by name."""
        self._refuse_when_closed()
        listing = Listing(
            live=self._retirer.live,
            currents=[version for app in self._apps.known for version in app.currents],
            failures=self._problems.failures,
            leaking=self._quarantine.leaking(),
        )
        return listing.apps(self._registry.entries())

    def listing(self) -> dict[str, Any]:
        """Return what a machine is told of the apps, and what of the sandbox this machine lacks, in words.

        Where something is to run in a sidecar, that is tried, once; it takes some 200 ms.
        """
        apps = self.apps()
        places = {place for app in apps for version in app.versions for place in version.isolation.values()}
        lacking = self._settings.sidecars.lacking if Isolation.SIDECAR in places else ()
        return {"apps": [app.to_json() for app in apps], "lacking": list(lacking)}

    def app(self, name: str) -> App:
        """Return a running app.

        Raises:
            HostError: there is none of that name; with the nearest one, or why it does not run.

        """
        found = self._apps.find(name)
        if found is not None and found.versions:
            return found
        self._refuse_when_closed()
        self._problems.refuse_failed(name)
        self._deployed.entries(name)
        raise HostError(
            f"no app {name!r} is running here", hint="It is deployed: name it when the host is opened"
        )

    @property
    def quarantine(self) -> Quarantine:
        """Which plugins leaked too often to be loaded into this process again."""
        self._refuse_when_closed()
        return self._quarantine

    @property
    def running(self) -> tuple[App, ...]:
        """The apps that have a current version."""
        return tuple(app for app in self._apps.known if app.current_or_none is not None)

    def listen(self, listener: Callable[[App], None]) -> Callable[[], None]:
        """Call *listener* each time an app got another current version, or none; return what ends that.

        It is called on the thread that deploys, and must return at once; what it raises is logged.
        """
        return self._listeners.add(listener)

    def federate(self, federation: FederationHost) -> None:
        """Let storages call other apps, and those of this host, as *federation* says."""
        self._settings.services.federation = federation

    def matrix(self, app: str, version: str | None = None) -> Matrix:
        """Return what may be done with every storage of an app, in every scope.

        Raises:
            HostError: there is no such app or version.

        """
        running = self.app(app)
        return (running.current if version is None else running.version(version)).matrix()

    def close(self) -> None:
        """Free every version and give the data folder back; further calls do nothing.

        A version that still has borrowers after `pending_timeout` seconds is reported, and freed when the
        last one leaves.
        """
        if self._closed:
            return
        self._closed = self._upkeep.is_closed = True
        self._closing.set()
        for app in self._apps.known:
            # A plugin may hang while it is opened, and would keep the lock for ever.
            idle = app.changing.acquire(timeout=self._settings.pending_timeout)
            for version in app.versions:
                app.drop(version.name)
            if idle:
                app.changing.release()
            else:
                self._problems.warn(f"{app.name} was still being changed when the host was closed")
        for version in self._retirer.live:
            if version.wait_idle(self._settings.pending_timeout):
                version.wait_freed()
            else:
                self._problems.warn(f"{version.app} {version.name} still has borrowers and was not freed")
        self._retirer.close()
        self._settings.sidecars.close()
        self._sweeper.close()
        self._registry.close()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _changing(self, name: str, tell: Callable[[str], None] = ignore) -> Iterator[App]:
        self._refuse_when_closed()
        self._deployed.entries(name)
        app = self._apps.get(name)
        with self._turn(app, tell):
            yield app

    @contextmanager
    def _turn(self, app: App, tell: Callable[[str], None]) -> Iterator[None]:
        if app.changing.locked():
            tell(f"wait for another change of {app.name} to end")
        with app.turn():
            self._refuse_when_closed()
            yield

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise HostError("the host has been closed", hint="Open another one on its data folder")


def _teller(progress: Progress | None) -> Callable[[str], None]:
    return ignore if progress is None else telling(progress)

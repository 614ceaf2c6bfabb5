from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

import attrs

from statehold.hosting._admission import Admission
from statehold.hosting._app import App
from statehold.hosting._canary import Canary
from statehold.hosting._deployed import Deployed
from statehold.hosting._deploying import Deployer
from statehold.hosting._entry import Entry, Role
from statehold.hosting._evolving import Declared
from statehold.hosting._problems import Problems
from statehold.hosting._store import FileStore
from statehold.hosting._version import AppVersion
from statehold.images import AppImage
from statehold.sdk import StateholdError
from statehold.trust import Verdict


class Bringer:
    """Brings versions up: those that are deployed, activated, and that come back with the host.

    Whoever calls holds the app's `changing`.
    """

    def __init__(
        self,
        deployer: Deployer,
        *,
        admission: Admission,
        deployed: Deployed,
        store: FileStore,
        problems: Problems,
    ) -> None:
        self._deployer = deployer
        self._admission = admission
        self._deployed = deployed
        self._store = store
        self._problems = problems

    def deploy(
        self,
        app: App,
        image: AppImage,
        *,
        activate: bool,
        accept_breaking: bool,
        canary: Canary | None,
        progress: Callable[[str], None],
    ) -> AppVersion:
        """Let an image in, keep it, and bring its version up.

        Raises:
            TrustError: it is not let in.
            DeployError: it breaks what there is by the current version, and that was not accepted.
            StateholdError: its version cannot be opened.

        """
        if canary is not None and app.current_or_none is not None:
            canary.partitions(image.descriptor.num_parts)
        verdict = self._admission.admit(image)
        self._deployed.check_name(image)
        self._store.keep(image)
        return self._bring(
            app,
            image,
            verdict,
            since=time.time(),
            activate=activate,
            canary=canary,
            progress=progress,
            unbroken=self._unbroken(app, image.digest),
            accept_breaking=accept_breaking,
        )

    def activate(
        self,
        app: App,
        entry: Entry,
        progress: Callable[[str], None],
        *,
        accept_breaking: bool = False,
    ) -> AppVersion:
        """Make a version that is kept the current one, opening it first if it is closed.

        One that was never current, and was not compared with what is current now, is so before.

        Raises:
            TrustError: it is not let in any more.
            DeployError: it breaks what there is by the current version, and that was not accepted.
            StateholdError: it cannot be opened again.

        """
        since, anew = entry.deployed_at, False
        unbroken = self._unbroken(app, entry.digest) if entry.role is Role.READY else None
        with self._store.arriving():
            if app.is_open(entry.version):
                version = app.version(entry.version)
                if version is app.current_or_none:
                    return version
                self._admission.confirm(entry.app, entry.version, since=since)
                self._deployer.compare(version, unbroken, progress, accept_breaking=accept_breaking)
                if self._is_ready(app, version, progress):
                    self._deployer.commit(app, version, attrs.evolve(entry, role=Role.CURRENT), progress)
                    return version
                anew = True
            with self._store.open(entry.digest) as image:
                verdict = self._admission.admit(image, since=since)
                return self._bring(
                    app,
                    image,
                    verdict,
                    since=since,
                    activate=True,
                    progress=progress,
                    unbroken=unbroken,
                    accept_breaking=accept_breaking,
                    anew=anew,
                )

    def restore(self, app: App, entry: Entry) -> None:
        """Open a version again as it was when the host before this one ended; a problem is remembered."""
        is_kept = entry.role in (Role.PREVIOUS, Role.KEPT)
        try:
            with self._store.open(entry.digest) as image:
                verdict = self._admission.admit(image, since=entry.deployed_at)
                # One that is kept has the rows of the one that is current.
                version = self._deployer.open(app, image, verdict, replace=is_kept, progress=ignore)
        except Exception as error:  # noqa: BLE001 - one app that is broken must not stop the others
            self._problems.failed(entry.app, entry.version, error)
            return
        app.keeper.keep()
        version.keep()
        if is_kept:
            if version.handover is not None:
                version.handover.end()
            app.remain(version)
            return
        app.add(version)
        if entry.role is Role.CURRENT:
            app.swap(version)

    def _is_ready(self, app: App, version: AppVersion, progress: Callable[[str], None]) -> bool:
        """Return whether an open version can become current as it is; it has taken over by then."""
        before = app.current_or_none
        if before is None:
            return True
        if not version.can_resume:
            return False
        how = "it was kept open" if version in app.kept else "it was open beside"
        progress(f"resume {version.name}: {how}")
        handover = self._deployer.handover(app, version)
        try:
            version.resume(before, joining=handover)
        except Exception as error:  # noqa: BLE001 - whatever a plugin raises
            handover.end()
            self._problems.warn(f"{app.name} {version.name} is opened anew: it could not resume: {error}")
            return False
        version.handover = handover
        return True

    def _unbroken(self, app: App, digest: str) -> Declared | None:
        """Return what must go on with an image: what the current version declares; None where there is none.

        Where that could not be brought back, its image says it. Where that is damaged, nobody can.
        """
        if app.current_or_none is not None:
            return app.current_or_none.declared
        entry = self._deployed.current(app.name)
        if entry is not None and entry.digest != digest:
            with suppress(StateholdError), self._store.open(entry.digest) as kept:
                return self._deployer.declared(kept)
        return None

    def _bring(
        self,
        app: App,
        image: AppImage,
        verdict: Verdict,
        *,
        since: float,
        activate: bool,
        progress: Callable[[str], None],
        canary: Canary | None = None,
        unbroken: Declared | None = None,
        accept_breaking: bool = False,
        anew: bool = False,
    ) -> AppVersion:
        stale = app.version(image.version) if app.is_open(image.version) else None
        if stale is not None and (not activate or stale is app.current_or_none):
            return stale
        if stale is not None and not anew and stale not in app.kept:
            self._deployer.compare(stale, unbroken, progress, accept_breaking=accept_breaking)
        if stale is not None and not anew and self._is_ready(app, stale, progress):
            version, stale = stale, None
        else:
            self._deployed.check_partitions(image)
            version = self._deployer.open(
                app,
                image,
                verdict,
                replace=activate,
                progress=progress,
                unbroken=unbroken,
                accept_breaking=accept_breaking,
            )
        entry = Entry(
            app=app.name,
            version=version.name,
            digest=version.digest,
            partitions=len(version.partitions),
            role=Role.CURRENT if activate else Role.READY,
            plugins=version.files,
            places=tuple(version.isolation.items()),
            deployed_at=since,
        )
        self._deployer.commit(app, version, entry, progress, canary=canary)
        if stale is not None:
            app.discard(stale)
        self._problems.mended(app.name, version.name)
        return version


def brought_back(entries: Iterable[Entry], keep: int) -> Iterator[Entry]:
    """Yield the versions that come back with a host that keeps so many of those that were current before.

    Those come after the others, the last one first.
    """
    kept: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.role in (Role.PREVIOUS, Role.KEPT):
            kept.setdefault(entry.app, []).append(entry)
        else:
            yield entry
    for found in kept.values():
        found.sort(key=lambda entry: entry.role is Role.PREVIOUS)
        yield from found[::-1][:keep]


def ignore(_: str) -> None:
    """Take a line of progress that nobody wants."""

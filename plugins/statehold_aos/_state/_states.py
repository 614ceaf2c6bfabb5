from __future__ import annotations

import select
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from statehold.sdk import Clock, StorageError, StorageLogger
from statehold_aos._state._batch import Batch, Change, check
from statehold_aos._state._facts import Disk, Facts, Step
from statehold_aos._state._incoming import Incoming
from statehold_aos._state._inotify import Inotify
from statehold_aos._state._round import Claim, Rounds, Work
from statehold_aos._state._settings import Settings
from statehold_aos._state._store import Store, Version
from statehold_aos._state._timing import Timing
from statehold_aos._state._uplink import Uplink
from statehold_aos._state._watched import Watched
from statehold_aos.gateway import (
    ClaimId,
    Gateway,
)

#: The longest wait in seconds, also where something failed.
_RETRY: Final = 10.0


class States:
    """Looks after the states of claims: their files, what goes to the cloud, and what comes from it.

    Any number of threads may use it. `turn` does what is due; `run` does so until it is told to end.
    """

    def __init__(
        self,
        *,
        name: str,
        store: Store,
        settings: Settings,
        clock: Clock,
        logger: StorageLogger,
        inotify: Inotify | None = None,
    ) -> None:
        self._name: Final = name
        self._store: Final = store
        self._settings = settings
        self._logger: Final = logger
        self._lock: Final = threading.RLock()
        self._uplink: Final = Uplink(name, logger)
        self._watched: Final = Watched(
            name=name,
            store=store,
            clock=clock,
            logger=logger,
            folder_of=self._folder_of,
            inotify=inotify,
        )
        self._rounds: Final = Rounds(store, self._uplink.send, logger, name)
        self._claims: Final[dict[ClaimId, Claim]] = {}
        self._timing: Final = Timing(
            clock=clock,
            claims=self._claims,
            settings=lambda: self._settings,
            is_connected=lambda: self._uplink.is_connected,
            take=self._take,
        )
        self._incoming: Final = Incoming(
            name=name,
            claims=self._claims,
            uplink=self._uplink,
            timing=self._timing,
            protocol=lambda: self._settings.protocol,
            take=self._take,
            logger=logger,
        )
        self._is_closed = False
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def adopt(self, settings: Settings) -> None:
        """Look after states with other settings from now on."""
        with self._lock:
            self._settings = settings

    # -- For the storage ---------------------------------------------------------------------------------

    def claims(self) -> list[ClaimId]:
        """Return all claims, in order."""
        with self._lock:
            return sorted(self._claims)

    def look(self, claim: ClaimId) -> tuple[Facts, Disk] | None:
        """Return what is known of a claim, and what its file has; None for one that is not here."""
        with self._lock:
            found = self._claims.get(claim)
            if found is None:
                return None
            try:
                return found.facts, found.disk()
            except OSError as error:
                return replace(found.facts, message=str(error)), Disk()

    def path(self, claim: ClaimId) -> Path:
        """Return where the state file of a claim is.

        Raises:
            StorageError: there is no such claim, or no folder.

        """
        with self._lock:
            return self._watched.file(self._claim(claim)).path

    def kept(self, claim: ClaimId) -> list[Version]:
        """Return the versions of a claim that are kept, the newest first."""
        return self._store.kept(claim)

    def change(self, changes: Mapping[ClaimId, Change]) -> None:
        """Make, change and remove claims: all of it, or nothing; durable when it returns.

        Raises:
            StorageError: a state is too large, a folder is not there, or a disk is full.

        """
        with self._lock:
            batch = Batch(
                name=self._name,
                store=self._store,
                protocol=self._settings.protocol,
                now=self._timing.now(),
                default_limit=self._settings.default_limit,
                folder_of=self._settings.folder_of,
            )
            for one, change in changes.items():
                batch.add(one, self._claims.get(one), change)
            batch.apply()
            for claim, step in batch.steps:
                self._claims[claim.facts.id] = claim
                self._watched.add(claim)
                self._timing.touch(claim)  # Its file may be there already, or within a new limit.
                self._uplink.send(step.send)
            for one in batch.gone:
                self._forget(one)

    def check(self, changes: Mapping[ClaimId, Change]) -> None:
        """Raise StorageError for states that are larger than their limit."""
        with self._lock:
            for one, change in changes.items():
                known = self._claims.get(one)
                limit = known.facts.limit if known is not None else self._settings.default_limit
                check(self._name, one, change.state, limit if change.limit is None else change.limit)

    def starting(self, claim: ClaimId, ready: Callable[[], None] | None = None) -> bool:
        """Say whether the service of a claim may start, before it does.

        Where its state is not the one it is to have, the cloud is asked; then it may start all the same, or
        it is held and *ready* is called once the state is right, as the storage is configured.
        """
        with self._lock:
            found = self._claim(claim)
            right: list[bool] = []

            def work(facts: Facts, disk: Callable[[], Disk]) -> Step | None:
                step, is_right = self._settings.protocol.starting(facts, disk(), self._timing.now())
                right.append(is_right)
                return step

            self._take([(found, work)])
            if right == [True] or not self._settings.hold:
                return True
            found.ready = ready
            return False

    def stopped(self, claim: ClaimId) -> None:
        """Look at the state of a service that has stopped, without waiting for a quiet time."""
        with self._lock:
            self._claim(claim)
            self._timing.look_now(claim)

    # -- The cloud ---------------------------------------------------------------------------------------

    def connect(self, gateway: Gateway) -> None:
        """Use a gateway from now on, instead of the one before."""
        self._uplink.connect(gateway)

    # -- Time --------------------------------------------------------------------------------------------

    def run(self, stop: threading.Event) -> None:
        """Do what is due until *stop* is set; `wake` lets it look."""
        poll = select.poll()
        for descriptor in (self._watched.descriptor, self._uplink.descriptor):
            poll.register(descriptor, select.POLLIN)
        while not stop.is_set():
            try:
                wait = self.turn()
            except StorageError as error:
                self._logger.error("%s: %s", self._name, error)  # noqa: TRY400 - no defect of ours
                wait = _RETRY
            except Exception:  # a gateway's, or of who waits for a service; all others are to go on
                self._logger.exception("%s: states were not looked after", self._name)
                wait = _RETRY
            if wait > 0 and not stop.is_set():
                poll.poll(min(wait, _RETRY) * 1000)

    def wake(self) -> None:
        """Let `run` look whether it is to end."""
        self._uplink.wake()

    def turn(self) -> float:
        """Do what is due, and return after how many seconds there will be more, if nothing else happens."""
        with self._lock:
            if self._is_closed:
                return _RETRY
            for claim in self._watched.changed(self._claims.values()):
                self._timing.touch(claim)
            self._incoming.do()
            return self._timing.do()

    # -- Parts -------------------------------------------------------------------------------------------

    def _take(self, works: Sequence[tuple[Claim, Work]]) -> None:
        for claim in self._rounds.take(works):
            self._timing.schedule(claim)
            if claim.ready is not None and claim.facts.asked is None and claim.facts.suspect is None:
                ready, claim.ready = claim.ready, None
                ready()

    def _begin(self) -> None:
        for facts in self._store.load():
            claim = self._claims[facts.id] = Claim(facts)
            self._watched.add(claim)
        works = [(claim, self._open) for claim in self._claims.values() if claim.file is not None]
        self._take(works)

    def _open(self, facts: Facts, disk: Callable[[], Disk]) -> Step | None:
        return self._settings.protocol.opened(facts, disk(), self._timing.now())

    def _folder_of(self, claim: ClaimId) -> Path:
        return self._settings.folder_of(claim)  # which others may have taken the place of

    def _claim(self, claim: ClaimId) -> Claim:
        found = self._claims.get(claim)
        if found is None:
            raise StorageError(f"{self._name}: there is no state of {claim.service!r} for {claim.users!r}")
        return found

    def _forget(self, one: ClaimId) -> None:
        claim = self._claims.pop(one, None)
        if claim is None:
            return
        self._timing.forget(one)
        self._watched.forget(claim)

    def close(self) -> None:
        """End the connection and the watch; a second time does nothing."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        self._uplink.disconnect()
        self._uplink.close()
        self._watched.close()

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from statehold.sdk import Clock, StorageError, StorageLogger
from statehold_aos._service_storage._names import folder_name
from statehold_aos.database import users_text
from statehold_aos.launcher._image import read_config
from statehold_aos.launcher._installed import Installed
from statehold_aos.launcher._installer import Installer
from statehold_aos.launcher._journal import Journal, Removal, ServiceId
from statehold_aos.launcher._keeper import Keeper
from statehold_aos.launcher._log import ServiceLog
from statehold_aos.launcher._processes import Runner
from statehold_aos.launcher._recovery import recover
from statehold_aos.launcher._reports import Reports
from statehold_aos.launcher._stores import Stores
from statehold_aos.launcher._tidying import Tidying
from statehold_aos.launcher._unit import Phase, Status

#: Seconds after which a removal that failed is tried again, and between looks for what was not used for long.
_RETRY: Final = 10.0
_EXPIRE: Final = 600.0
_LONGEST: Final = 1000


class Launcher:
    """Installs, updates and removes services, and runs those of the users who are there.

    Any number of threads may use it. What has returned is durable, and comes back after a crash; processes
    are started and ended behind it, and `status` says how they are.
    """

    def __init__(
        self,
        *,
        name: str,
        folder: Path,
        installed: Installed,
        stores: Stores,
        runner: Runner,
        clock: Clock,
        logger: StorageLogger,
    ) -> None:
        self.name: Final = name
        self._folder: Final = folder
        self._installed: Final = installed
        self._clock: Final = clock
        self._logger: Final = logger
        self._changed: Final = threading.Condition(threading.RLock())
        self._journal: Final = Journal(folder)
        self._installer: Final = Installer(
            name=name,
            installed=installed,
            journal=self._journal,
            stores=stores,
            is_at_work=self._is_at_work,
        )
        self._reports: Final = Reports(
            name=name,
            installed=installed,
            installer=self._installer,
            journal=self._journal,
            clock=clock,
            logger=logger,
            changed=self._look,
            ended=self._sweep_soon,
        )
        self._keeper: Final = Keeper(
            runner,
            self._reports,
            clock,
            logger,
            installed.settings.HealthMilliseconds / 1000,
            self._log_of,
        )
        self._tidying: Final = Tidying(
            name=name,
            installed=installed,
            installer=self._installer,
            journal=self._journal,
            keeper=self._keeper,
            clock=clock,
            logger=logger,
            purge=self.purge,
        )
        self._turns: Final[dict[ServiceId, int]] = {}
        self._damaged: dict[ServiceId, str] = {}
        self._sweep_at = self._expire_at = clock.monotonic()
        self._closing: float | None = None
        try:
            recover(
                name,
                journal=self._journal,
                installed=installed,
                stores=stores,
                runner=runner,
                logger=logger,
                now=self._now(),
            )
            self._look()
        except BaseException:
            self._keeper.close()
            raise

    def adopt(self, stores: Stores) -> None:
        """Use the storages of another version of the app from now on."""
        with self._changed:
            self._installer.stores = stores

    # -- What is installed ---------------------------------------------------------------------------------

    def install(self, workspace: int, service: str, image: Path) -> None:
        """Install a service for the users who are there, or update it to a newer version.

        The version that is installed is given to them as well. An update is tried: if the new version does
        not stay, the one before comes back. Storage and state stay, and so does the user.

        Raises:
            StorageError: the image is damaged or older, or nobody is there.

        """
        self.check(workspace, service, image)
        staged = self._installed.images.stage(image)
        try:
            with self._changed:
                one = ServiceId(workspace, service)
                self._installer.install(one, staged, self.users(workspace))
                self._reports.messages.pop(one, None)
                self._look()
        except BaseException:
            self._installed.images.drop(staged)
            raise

    def check(self, workspace: int, service: str, image: Path) -> None:
        """Raise StorageError for what `install` would refuse; install nothing."""
        if not service or len(service) > _LONGEST or "\0" in service:
            raise StorageError(f"{self.name}: the service is called {service!r}, expected a name")
        config = read_config(image)
        with self._changed:
            self._installer.check(ServiceId(workspace, service), config.version, self.users(workspace))

    def remove(self, workspace: int, service: str) -> None:
        """Take a service from the users who are there, with their storage and state of it.

        It stays installed until nobody has used it for its time.
        """
        with self._changed:
            users = self.users(workspace)
            self._journal.begin_removal(Removal(workspace, service, users_text(users)))
            self._installed.tables(workspace).users.remove_service(users, service)
            self._journal.use(ServiceId(workspace, service), self._now())
            self._look()

    def purge(self, workspace: int, service: str) -> None:
        """Remove a service with the storage and state of all its users."""
        with self._changed:
            self._journal.begin_removal(Removal(workspace, service, ""))
            self._journal.end_update(ServiceId(workspace, service))
            self._installed.tables(workspace).services.remove_with_users(service)
            self._look()

    # -- Who is there --------------------------------------------------------------------------------------

    def users(self, workspace: int) -> list[str]:
        """Return who is there."""
        with self._changed:
            return list(self._journal.notes.users.get(workspace, []))

    def switch(self, workspace: int, users: Sequence[str]) -> None:
        """Say who is there from now on; their services run then, and no others of the workspace."""
        with self._changed:
            before = set(self._keeper.wanted)
            self._journal.change(users={**self._journal.notes.users, workspace: list(users)})
            self._look()
            for service in before - set(self._keeper.wanted):
                self._journal.use(service, self._now())
            self._expire_at = self._clock.monotonic()

    def restart(self, workspace: int, service: str) -> None:
        """Have a service end and start again, also one that has failed."""
        with self._changed:
            one = ServiceId(workspace, service)
            self._turns[one] = self._turns.get(one, 0) + 1
            self._look()

    def status(self, workspace: int) -> list[Status]:
        """Return how the installed services are, by name."""
        with self._changed:
            rows = self._installed.tables(workspace).services.all()
            return [self._status(ServiceId(workspace, row.id), row.version) for row in rows]

    def wait(self, seen: Callable[[], bool], seconds: float) -> bool:
        """Wait until *seen* is true, which is asked whenever something has happened; say whether it is."""
        until = time.monotonic() + seconds
        with self._changed:
            while not seen():
                left = until - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(min(left, 1.0))
            return True

    def _status(self, service: ServiceId, version: int) -> Status:
        unit, message = self._keeper.units.get(service), self._reports.messages.get(service, "")
        if unit is None:
            damage = self._damaged.get(service)
            phase = Phase.FAILED if damage else Phase.INSTALLED
            phase = Phase.WAITING if service in self._keeper.wanted else phase
            return Status(**service._asdict(), version=version, phase=phase, message=damage or message)
        return Status(
            **service._asdict(),
            version=unit.wanted.config.version,
            users=unit.wanted.claim.users,
            phase=unit.phase,
            since=unit.since,
            pid=None if unit.process is None else unit.process.pid,
            restarts=unit.restarts,
            message="; ".join(filter(None, (unit.message, message))),
        )

    # -- At work -------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Look after the services until `stop`; on a thread of its own."""
        wait = 0.0
        while True:
            self._keeper.wait(wait)
            with self._changed:
                try:
                    wait = self._turn()
                except Exception:  # of one service, while all others are to be looked after
                    self._logger.exception("%s: services were not looked after", self.name)
                    wait = 1.0
                self._changed.notify_all()
                if self._closing is not None and self._keeper.is_idle:
                    return

    def stop(self) -> None:
        """Have all services end, the last started first, and `run` return."""
        with self._changed:
            with suppress(StorageError):
                self._tidying.see()
            self._closing = self._clock.monotonic() + self._installed.settings.StopSeconds
            self._keeper.wanted = {}
            self._keeper.wake()

    def close(self) -> None:
        """Give everything back, after `run` has returned."""
        with self._changed:
            self._keeper.close()

    def _turn(self) -> float:
        now = self._clock.monotonic()
        wait = self._keeper.turn()
        if self._closing is not None:
            if now >= self._closing:
                self._keeper.hurry()
                self._closing = now + _RETRY
            return min(wait, self._closing - now)
        if now >= self._sweep_at:
            self._sweep_at = now + _RETRY
            self._keep()
            self._tidying.sweep()
        if now >= self._expire_at:
            self._expire_at = now + _EXPIRE
            self._tidying.expire(but=self._is_needed)
        notes = self._journal.notes
        again = self._sweep_at if notes.removals or notes.updates else self._expire_at
        return min(wait, again - now, self._expire_at - now)

    def _look(self) -> None:
        """See what is to be at work now."""
        if self._closing is None:
            self._keeper.wanted, self._damaged = self._installed.wanted(
                self._journal.notes.users, self._turns
            )
            self._sweep_soon()
            self._keeper.wake()

    def _sweep_soon(self) -> None:
        self._sweep_at = self._clock.monotonic()

    def _keep(self) -> None:
        """Let updates stand that are well, and could not be noted as such, as on a full disk."""
        for update in self._journal.notes.updates:
            unit = self._keeper.units.get(ServiceId(update.workspace, update.service))
            if unit is None or unit.phase is not Phase.RUNNING:
                continue
            if unit.wanted.place == self._installed.images.place(update.place):
                try:
                    self._reports.healthy(unit.wanted)
                except StorageError as error:
                    self._logger.error("%s: %s", self.name, error)  # noqa: TRY400 - no defect of ours

    def _is_needed(self, service: ServiceId) -> bool:
        return service in self._keeper.wanted or service in self._damaged

    def _is_at_work(self, service: ServiceId) -> bool:
        return service in self._keeper.wanted or service in self._keeper.units

    def _now(self) -> int:
        return int(self._clock.now() * 1000)

    def _log_of(self, service: ServiceId) -> ServiceLog:
        return ServiceLog(
            self._folder / "log" / f"{service.workspace}-{folder_name(service.service)}.log",
            service.service,
            logger=self._logger,
            size=self._installed.settings.LogBytes,
            count=self._installed.settings.LogFiles,
        )

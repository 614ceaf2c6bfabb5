from __future__ import annotations

from collections.abc import Callable
from typing import Final

from statehold.sdk import Clock, StorageLogger
from statehold_aos.database import ServiceState, ServiceStatus
from statehold_aos.launcher._installed import Installed
from statehold_aos.launcher._installer import Installer
from statehold_aos.launcher._journal import Journal, ServiceId
from statehold_aos.launcher._processes import Spec
from statehold_aos.launcher._unit import Wanted, spec_of


class Reports:
    """Does what has to be done about a service that starts, stays, stops or fails, and notes it.

    Args:
        name: the launcher's, for the log.
        installed: what there is.
        installer: what has the storages, and takes updates back.
        journal: where it is noted what is tried.
        clock: the time.
        logger: hears of services that fail.
        changed: hears that something else is to be at work.
        ended: hears that something may be removed now.

    """

    def __init__(
        self,
        *,
        name: str,
        installed: Installed,
        installer: Installer,
        journal: Journal,
        clock: Clock,
        logger: StorageLogger,
        changed: Callable[[], None],
        ended: Callable[[], None],
    ) -> None:
        self._name: Final = name
        self._installed: Final = installed
        self._installer: Final = installer
        self._journal: Final = journal
        self._clock: Final = clock
        self._logger: Final = logger
        self._changed: Final = changed
        self._ended: Final = ended
        #: Why updates were taken back, for people.
        self.messages: Final[dict[ServiceId, str]] = {}

    def starting(self, wanted: Wanted, ready: Callable[[], None]) -> Spec | None:
        """Prepare a start: folders and limits as they are to be, and a state that may be started with."""
        self._installer.bring(wanted.id)
        if not self._installer.stores.starting(wanted.claim, ready):
            return None
        folder = self._installer.stores.folder(wanted.claim) if wanted.config.has_folder else None
        return spec_of(wanted, folder)

    def started(self, wanted: Wanted) -> None:
        """Note that a service is at work."""
        services = self._installed.tables(wanted.claim.workspace).services
        services.set_state(wanted.claim.service, ServiceState.RUNNING)
        services.set_start_time(wanted.claim.service, int(self._clock.now() * 1000))

    def healthy(self, wanted: Wanted) -> None:
        """Note that it is well: an update stands then."""
        self._installed.tables(wanted.claim.workspace).services.set_status(
            wanted.claim.service, ServiceStatus.OK
        )
        self._installer.keep(wanted.id)

    def stopped(self, wanted: Wanted) -> None:
        """Have what it wrote last go to the cloud, and note that it is not at work."""
        self._ended()
        try:
            self._installer.stores.stopped(wanted.claim)
        finally:
            if self._installed.find(wanted.id) is not None:
                self._installed.tables(wanted.claim.workspace).services.set_state(
                    wanted.claim.service, ServiceState.STOPPED
                )

    def failed(self, wanted: Wanted, why: str) -> bool:
        """Take an update back whose service does not stay."""
        update = self._journal.update(wanted.id)
        if update is None or self._installed.images.place(update.place) != wanted.place:
            return False
        self.messages[wanted.id] = f"version {wanted.config.version} was taken back: it {why}"
        self._logger.error("%s: %r: %s", self._name, wanted.claim.service, self.messages[wanted.id])
        self._installer.take_back(wanted.id)
        self._changed()
        return True

    def gave_up(self, wanted: Wanted, why: str) -> None:
        """Note that a service has failed; nothing of it is removed."""
        self._logger.error("%s: %r has failed, and is left alone: %s", self._name, wanted.claim.service, why)
        self._installed.tables(wanted.claim.workspace).services.set_status(
            wanted.claim.service, ServiceStatus.ERROR
        )

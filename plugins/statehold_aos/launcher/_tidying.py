from __future__ import annotations

from collections.abc import Callable
from typing import Final

from statehold.sdk import Clock, StorageError, StorageLogger
from statehold_aos.gateway import ClaimId
from statehold_aos.launcher._installed import Installed
from statehold_aos.launcher._installer import Installer
from statehold_aos.launcher._journal import Journal, ServiceId
from statehold_aos.launcher._keeper import Keeper
from statehold_aos.launcher._steady import SteadyClock

_DAY: Final = 86_400_000


class Tidying:
    """Removes what was to be removed, and services that nobody has used for their time.

    Args:
        name: the launcher's, for the log.
        installed: what there is.
        installer: what has the storages.
        journal: what is to be removed, and when services were used.
        keeper: what is at work.
        clock: the time; it is believed once it has gone on for a while without a jump.
        logger: hears of what is removed, and of what cannot be.
        purge: removes a service with all its users.

    """

    def __init__(
        self,
        *,
        name: str,
        installed: Installed,
        installer: Installer,
        journal: Journal,
        keeper: Keeper,
        clock: Clock,
        logger: StorageLogger,
        purge: Callable[[int, str], None],
    ) -> None:
        self._name: Final = name
        self._installed: Final = installed
        self._installer: Final = installer
        self._journal: Final = journal
        self._keeper: Final = keeper
        self._clock: Final = clock
        self._steady: Final = SteadyClock(clock, installed.settings.SteadySeconds)
        self._logger: Final = logger
        self._purge: Final = purge

    def see(self) -> bool:
        """Note what time it is, if that can be believed, and say whether it can."""
        if not self._steady.is_believed():
            return False
        self._journal.see(self._now())
        return True

    def sweep(self) -> None:
        """Remove what is to be removed, as far as it is not at work any more."""
        for removal in self._journal.notes.removals:
            unit = self._keeper.units.get(ServiceId(*removal[:2]))
            if unit is not None and removal.users in ("", unit.wanted.claim.users):
                continue
            try:
                self._installer.stores.remove(ClaimId(*removal))
                self._journal.end_removal(removal)
                if not removal.users:
                    self._journal.use(ServiceId(*removal[:2]), None)
                    self._installed.clean(self._tried())
            except StorageError as error:
                self._logger.error("%s: %s cannot be removed yet: %s", self._name, removal, error)  # noqa: TRY400

    def expire(self, *, but: Callable[[ServiceId], bool]) -> None:
        """Remove services that nobody has used for their time, but those that are to be left alone."""
        if not self.see():
            return
        for workspace in self._journal.notes.users:
            for row in self._installed.tables(workspace).services.all():
                service = ServiceId(workspace, row.id)
                used = max(self._journal.used(service) or 0, row.start_at or 0)
                if but(service):
                    continue
                if not used:
                    self._journal.use(service, self._now())
                elif self._now() - used > (row.ttl or self._installed.settings.TtlDays) * _DAY:
                    self._logger.info("%s: %r was not used for its time, and is removed", self._name, row.id)
                    self._purge(workspace, row.id)

    def _tried(self) -> list[str]:
        return [path for one in self._journal.notes.updates for path in (one.place, one.before["path"])]

    def _now(self) -> int:
        return int(self._clock.now() * 1000)

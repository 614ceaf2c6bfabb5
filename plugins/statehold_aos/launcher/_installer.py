from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import attrs

from statehold.sdk import StorageError
from statehold_aos.database import ExistsError, Service, users_text
from statehold_aos.gateway import ClaimId
from statehold_aos.launcher._images import Staged
from statehold_aos.launcher._installed import Installed
from statehold_aos.launcher._journal import Journal, Removal, ServiceId, Update
from statehold_aos.launcher._stores import Stores


@attrs.define(kw_only=True, eq=False)
class Installer:
    """Installs services and updates them: each time all of it, or nothing.

    Attributes:
        name: the launcher's, for errors.
        installed: what there is.
        journal: where it is noted what is tried.
        stores: the folders and states of services.
        is_at_work: whether a service is at work, or is to be.

    """

    name: str
    installed: Installed
    journal: Journal
    stores: Stores
    is_at_work: Callable[[ServiceId], bool]

    def check(self, service: ServiceId, version: int, users: Sequence[str]) -> Service | None:
        """Return what is installed of a service, unless that version cannot be installed for these users."""
        row = self.installed.find(service)
        who = f"{self.name}: service {service.service!r}"
        if not users:
            raise StorageError(f"{who}: nobody is there to install it for", hint="Say who the users are")
        if self.journal.is_removing(Removal(*service, users_text(users))):
            raise StorageError(f"{who} is still being removed", hint="The log says what it waits for")
        if row is not None and version < row.version:
            raise StorageError(f"{who}: version {version} is older than {row.version}, which is installed")
        is_tried = self.journal.update(service) is not None and self.is_at_work(service)
        if row is not None and version > row.version and is_tried:
            raise StorageError(
                f"{who}: version {row.version} is still being tried", hint="Try again when it runs"
            )
        return row

    def install(self, service: ServiceId, staged: Staged, users: Sequence[str]) -> None:
        """Install, update or give a service; an update is one that is tried until `keep` or `take_back`."""
        row = self.check(service, staged.config.version, users)
        if row is None:
            self._add(service, staged, users)
            return
        if staged.config.version > row.version and self.journal.update(service) is not None:
            # It was not tried to the end, for those it was tried with have it no more, or are not there.
            self.take_back(service)
            row = self.installed.find(service) or row
        self._give(service, users)
        if staged.config.version > row.version or not self._is_whole(row):
            self._update(service, staged, row)
        else:
            self.installed.images.drop(staged)

    def keep(self, service: ServiceId) -> None:
        """Let an update stand."""
        update = self.journal.update(service)
        if update is not None:
            self.journal.end_update(service)
            self.installed.remove(update.before["path"])

    def take_back(self, service: ServiceId) -> None:
        """Let the version before an update be the one that is installed."""
        update = self.journal.update(service)
        if update is None:
            return
        self.installed.tables(service.workspace).services.update(Service(**update.before))
        self.journal.end_update(service)
        self.installed.remove(update.place)
        with suppress(StorageError):  # a start does it again, and says what is wrong
            self.bring(service)

    def bring(self, service: ServiceId) -> None:
        """Make folders, limits and states of a service as they are to be."""
        row = self.installed.find(service)
        if row is not None:
            self.stores.bring(service, self.installed.claims(service), self.installed.limits(row))

    def _add(self, service: ServiceId, staged: Staged, users: Sequence[str]) -> None:
        place = self.installed.images.put(staged, *service)
        tables = self.installed.tables(service.workspace)
        had_storage = self.stores.storage.has(*service, "")
        try:
            tables.services.add(self.installed.row(service, staged.config, place, None))
            self._give(service, users)
        except BaseException:
            with suppress(StorageError):
                if not had_storage:
                    self.stores.remove(ClaimId(*service, ""))
                tables.services.remove_with_users(service.service)
            self.installed.remove(str(place))
            raise

    def _give(self, service: ServiceId, users: Sequence[str]) -> None:
        """Give a service that is installed to users, with storage and state."""
        tables = self.installed.tables(service.workspace)
        is_new = True
        try:
            tables.users.add_service(users, service.service)
        except ExistsError:
            is_new = False
        try:
            self.bring(service)
        except BaseException:
            if is_new:
                tables.users.remove_service(users, service.service)
            raise

    def _update(self, service: ServiceId, staged: Staged, before: Service) -> None:
        place = self.installed.images.put(staged, *service)
        row = self.installed.row(service, staged.config, place, before)
        self.journal.try_update(Update(*service, attrs.asdict(before), str(place)))
        try:
            self.installed.tables(service.workspace).services.update(row)
            self.bring(service)
        except BaseException:
            self.take_back(service)
            raise

    def _is_whole(self, row: Service) -> bool:
        try:
            self.installed.config(row)
        except StorageError:
            return False
        return True

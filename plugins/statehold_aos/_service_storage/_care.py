from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Final

import attrs

from statehold.sdk import StorageError, StorageLogger
from statehold_aos._service_storage._book import Book
from statehold_aos._service_storage._changes import Changes
from statehold_aos._service_storage._entry import SERVICE, Claim, Entry, owner_of
from statehold_aos._service_storage._folders import Folders, services
from statehold_aos._service_storage._lock import FolderLock
from statehold_aos._service_storage._outcome import Outcome
from statehold_quota import Backend, QuotaError

_UNKEPT: Final = "its limit is not kept"


@attrs.define(kw_only=True, eq=False)
class Care:
    """Makes the disk as the book says: at the start, after a crash, with each batch, and from time to time.

    One service that cannot be made so harms no other.

    Attributes:
        folders: the folders and who keeps their limits.
        fault: why no limit is kept at the moment, "" where all is well.
        damage: what is wrong with a claim, or with all of a service.

    """

    name: str
    book: Book
    folders: Folders
    logger: StorageLogger
    repair: Callable[[], Backend]
    _lock: FolderLock
    fault: str = ""
    damage: dict[Claim, str] = attrs.field(factory=dict)
    _unlimited: dict[Claim, str] = attrs.field(factory=dict)
    _told: dict[Claim, str] = attrs.field(factory=dict)

    def unlimited(self, claim: Claim) -> str:
        """Return why the limit of a claim's service is not kept; "" where it is, or where none can be."""
        return self.fault or self._unlimited.get(claim.of_service, "")

    def start(self) -> None:
        """Undo what a crash interrupted, finish removals, and make folders and limits as they are to be."""
        with self._lock():
            self._undo()
            self._sweep()
            self._bring_all()

    def change(self, changes: Changes) -> None:
        """Do a batch: recorded, done on the disk, and only then in force.

        Raises:
            StorageError: it cannot be done, and nothing of it has happened.

        """
        with self._lock():
            if self.book.pending():  # of a process that has ended meanwhile
                self._undo()
            self._sweep()
            self._refuse_what_still_goes(changes)
            outcome = Outcome.of(changes, self.book, self.folders, damaged=self.damage)
            self._look_at_backend()
            if self.fault and outcome.touched:
                raise StorageError(f"{self.name}: {self.fault}", hint="Only removals are possible until then")
            for service in outcome.touched:
                self.folders.find(service)
            self.book.plan(outcome.pending(self.book, self.folders))
            try:
                for service, entries in outcome.touched.items():
                    self.folders.bring(service, entries)
                self.book.settle(outcome.entries, outcome.gone)
            except BaseException:
                self._undo()
                raise
            for claim in (*outcome.entries, *outcome.touched):
                self.damage.pop(claim, None)
                self._unlimited.pop(claim, None)
            self._sweep()

    def watch(self, seconds: float, stop: threading.Event) -> None:
        """Look after everything from time to time, until *stop* is set."""
        while not stop.wait(seconds):
            try:
                self.look_after()
            except Exception:
                self.logger.exception("the limits of service storage could not be checked")

    def look_after(self) -> None:
        """Set limits that are not kept any more, and try again what was damaged or could not be removed."""
        with self._lock():
            self._look_at_backend()
            self._sweep()
            if self.fault:
                return
            backend = self.folders.backend
            for service, entries in self._by_service().items():
                group = self.folders.group(service, entries.get(service))
                limit = self.folders.fitted(entries.get(service)).limit
                try:
                    backend.hold(group)
                    well = not self.folders.asked(entries.get(service)) or backend.keeps(group, limit)
                except (QuotaError, OSError):
                    well = False
                broken = any(claim in self.damage for claim in (service, *entries))
                if not well:
                    self._tell(service, f"service {service.service!r} is not as it was")
                if not well or broken:
                    self._bring(service, entries)

    def _look_at_backend(self) -> None:
        fault = self.folders.backend.fault()
        if not fault and not self.fault:
            return
        if not self.fault:  # else it is known, and told
            self.logger.error("%s: %s", self.name, fault)
        try:
            self.folders = attrs.evolve(self.folders, backend=self.repair())
        except StorageError as error:
            self.fault = str(error)
            return
        self.fault = ""
        self._bring_all()
        self.logger.warning("%s: all limits are set again, by %s", self.name, self.folders.backend.title)

    def _bring_all(self) -> None:
        for service, entries in self._by_service().items():
            self._bring(service, entries)

    def _bring(self, service: Claim, entries: Mapping[Claim, Entry]) -> None:
        for claim in (service, *entries):
            self.damage.pop(claim, None)
        self._unlimited.pop(service, None)
        try:
            made = self.folders.bring(service, entries)
        except (QuotaError, OSError) as error:
            self._tell(service, f"service {service.service!r}: {error}")
            self._blame(service, entries, str(error))
        else:
            self._told.pop(service, None)
            for claim in made:
                self.logger.warning("%s: the folder of %s was gone, there is an empty one", self.name, claim)

    def _blame(self, service: Claim, entries: Mapping[Claim, Entry], reason: str) -> None:
        """Find out which claims of a service are usable all the same."""
        if not self.folders.path(service).is_dir():
            self.damage[service] = reason
            return
        group = self.folders.group(service, entries.get(service))
        try:
            self.folders.backend.used(group)
            self.folders.limit(group, entries.get(service))
        except (QuotaError, OSError):
            self._unlimited[service] = f"{_UNKEPT}: {reason}"
        for claim, entry in entries.items():
            if claim.users != SERVICE:
                try:
                    self.folders.bring_claim(group, claim, entry, entries.get(service))
                except (QuotaError, OSError) as error:
                    self.damage[claim] = str(error)

    def _tell(self, claim: Claim, what: str) -> None:
        """Log what is wrong with a claim, once for as long as it is the same."""
        if self._told.get(claim) != what:
            self._told[claim] = what
            self.logger.error("%s: %s", self.name, what)

    def _by_service(self) -> dict[Claim, dict[Claim, Entry]]:
        found: dict[Claim, dict[Claim, Entry]] = {}
        for claim, entry in self.book.entries().items():
            found.setdefault(claim.of_service, {})[claim] = entry
        return found

    def _undo(self) -> None:
        """Take back what a batch did that did not come to its end."""
        pending = self.book.pending()
        for each in pending:
            claim, service = each.claim, self.book.entry(each.claim.of_service)
            entry = self.book.entry(claim)
            try:
                if entry is None:
                    self.folders.unmake(claim, service)
                elif claim.users != SERVICE:
                    self.folders.give_back(claim, each.uid, each.gid, owner_of(entry, service))
            except (QuotaError, OSError) as error:
                self.logger.warning("%s: cannot undo what was begun for %s: %s", self.name, claim, error)
        for changed in services(each.claim for each in pending):
            if entries := self.book.entries(changed.wsid, changed.service):
                self._bring(changed, entries)
        self.book.forget()

    def _sweep(self) -> None:
        """Remove the folders that are to be removed, as far as that is possible now."""
        for claim in self.book.removed():
            try:
                self.folders.remove(claim, self.book.entry(claim.of_service))
            except (QuotaError, OSError) as error:
                self._tell(claim, f"{claim} cannot be removed yet: {error}")
            else:
                self._told.pop(claim, None)
                self.book.is_gone(claim)

    def _refuse_what_still_goes(self, changes: Changes) -> None:
        going = set(self.book.removed())
        for claim, entry in changes.entries.items():
            if entry is not None and going & {claim, claim.of_service}:
                raise StorageError(
                    f"{self.name}: the old folder of {claim.service!r} for {claim.users!r} is still there",
                    hint="The log says why it cannot be removed; it is tried again from time to time",
                )

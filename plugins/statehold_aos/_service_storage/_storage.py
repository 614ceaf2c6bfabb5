from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from statehold.sdk import UNSET, Intent, Key, StorageContext, StorageError, Value, fields, merge, using
from statehold_aos._service_storage._book import Book
from statehold_aos._service_storage._care import Care
from statehold_aos._service_storage._changes import Changes, check, claim_of
from statehold_aos._service_storage._entry import SERVICE, Claim, Entry
from statehold_aos._service_storage._folders import Folders
from statehold_quota import Backend, QuotaError

#: What the storage says; what is written there is not looked at.
_SAID: Final = ("Folder", "Used", "Limit", "Quota", "Status", "Message")


class ServiceStorage:
    """The folders of one partition's claims.

    Any number of threads and processes may use one folder; those that change something wait for each other.

    Attributes:
        name: the storage's qualified name.

    """

    def __init__(self, ctx: StorageContext, book: Book, care: Care) -> None:
        self.name: Final = ctx.storage
        self._book: Final = book
        self._care: Final = care
        self._key: Final[Callable[..., Key]] = ctx.key_class
        self._value: Final[Callable[..., Value]] = ctx.value
        self._freed = threading.Event()

    @property
    def backend(self) -> Backend:
        """Who keeps the limits."""
        return self._folders.backend

    @property
    def _folders(self) -> Folders:
        return self._care.folders

    def folder(self, key: Key) -> Path:
        """Return where the folder of a claim is, for who is to show it to the service.

        Raises:
            StorageError: there is no such claim, its service has no storage, or its folder is damaged.

        """
        claim, row = claim_of(key), self.get(key)
        found: Any = row
        if found is None or found.Folder is None:
            raise StorageError(
                f"{self.name}: there is no folder of {claim.service!r} for {claim.users!r}"
                + (f": {found.Message}" if found is not None and found.Message else "")
            )
        return self._folders.path(claim)

    def key(self, *fields: object) -> Key:
        """Return the key of a claim, for who has no facade: workspace, service, users."""
        return self._key(*fields)

    def has(self, workspace: int, service: str, users: str) -> bool:
        """Whether there is a row of a claim, or with empty users of a service."""
        return self._book.entry(Claim(workspace, service, users)) is not None

    def intent(self, workspace: int, service: str, users: str, **changes: object) -> Intent:
        """Return a change of a row, a new one if there is none, for who has no facade."""
        key = self.key(workspace, service, users)
        entry = self._book.entry(claim_of(key))
        given: dict[str, Any] = {}
        if entry is not None:
            names = ("StorageLimit", "Uid", "Gid", "Mode")
            given = dict(zip(names, attrs.astuple(entry), strict=True))
        return Intent(key, self._value(**{**given, **changes}), entry is None)

    def get(self, key: Key) -> Value | None:
        """Return what is to be of a claim or a service, and what is: its folder, sizes and limit."""
        return self.get_batch([key])[0]

    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        """Return one answer per key, in order; what was asked for is of one moment."""
        claims = [claim_of(key) for key in keys]
        found = self._book.some([*claims, *(claim.of_service for claim in claims)])
        rows = zip(claims, found[: len(claims)], found[len(claims) :], strict=True)
        return [None if entry is None else self._row(claim, entry, above) for claim, entry, above in rows]

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Yield the rows of a service, itself first, or of all services of the workspace."""
        given = [field for name, field in fields(key).items() if name != "WSID" and field is not UNSET]
        entries = self._book.entries(key.WSID, *map(str, given))
        return self._rows(entries)

    def _rows(self, entries: Mapping[Claim, Entry]) -> Iterator[tuple[Key, Value]]:
        for claim, entry in entries.items():
            above = entries.get(claim.of_service) or self._book.entry(claim.of_service)
            yield self._key(*claim), self._row(claim, entry, above)

    def value_to_insert(self, key: Key, value: Value) -> Value:  # noqa: ARG002
        """Return *value* without what the storage says itself."""
        return msgspec.structs.replace(value, **dict.fromkeys(_SAID))

    def value_to_update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> Value:
        """Return *existing* with *changes*, without what the storage says itself."""
        return self.value_to_insert(key, merge(existing, changes))

    def validate(self, items: Sequence[Intent]) -> None:
        """Raise StorageError for limits, owners and modes that cannot be."""
        changes = Changes.of(self.name, items)
        check(self.name, changes.entries, self.backend, self._folders.config)

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Make, limit, give away and remove folders; when it returns, all of it is durable.

        If something fails, all that was done is undone, also after the process was killed meanwhile.
        """
        with using(self.name, "apply", freed=self._freed.is_set()):
            changes = Changes.of(self.name, items)
            check(self.name, changes.entries, self.backend, self._folders.config)
            if changes.entries:
                self._care.change(changes)

    def probe(self) -> None:
        """Raise StorageError where limits are to be enforced, and are not."""
        if self._care.folders.config.Require and self._care.fault:
            raise StorageError(f"{self.name}: {self._care.fault}")

    def look_after(self) -> None:
        """Check now what is checked from time to time: that all limits are kept; set those that are not."""
        self._care.look_after()

    def free(self) -> None:
        """Close the book; the folders stay, and so do their limits."""
        self._freed.set()
        self._book.close()

    def _row(self, claim: Claim, entry: Entry, above: Entry | None) -> Value:
        folders, care = self._folders, self._care
        service = entry if claim.users == SERVICE else above
        fitted, asked = folders.fitted(service), folders.asked(service)
        messages = [fitted.message] if asked else ["the service has no storage: its StorageLimit is 0"]
        damage = care.damage.get(claim) or care.damage.get(claim.of_service)
        used = None
        if damage is None and folders.stored(service):
            try:
                used = self._used(claim, service)
            except (QuotaError, OSError) as error:
                damage = str(error)
        status = "damaged" if damage else "unlimited" if care.unlimited(claim) else "ready"
        if claim.users == SERVICE and used is not None and used > fitted.limit:
            messages.append(
                f"{used:,} bytes are used, {fitted.limit:,} are allowed ({folders.backend.title})"
            )
        messages += [damage or "", care.unlimited(claim)]
        return self._value(
            StorageLimit=entry.storage_limit,
            Uid=entry.uid,
            Gid=entry.gid,
            Mode=entry.mode,
            Folder=str(folders.path(claim).relative_to(folders.root)) if asked and not damage else None,
            Used=used,
            Limit=fitted.limit if asked else 0,
            Quota=folders.backend.title,
            Status=status,
            Message="; ".join(filter(None, messages)) or None,
        )

    def _used(self, claim: Claim, service: Entry | None) -> int:
        group = self._folders.group(claim, service)
        if claim.users == SERVICE:
            return self.backend.used(group)
        return self.backend.folder_used(group, self._folders.path(claim).name)

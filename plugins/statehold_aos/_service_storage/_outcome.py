from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import attrs

from statehold_aos._service_storage._book import Book, Pending
from statehold_aos._service_storage._changes import Changes
from statehold_aos._service_storage._entry import SERVICE, Claim, Entry, owner_of
from statehold_aos._service_storage._folders import Folders, services


@attrs.frozen
class Outcome:
    """What a batch comes to.

    Attributes:
        entries: the new entries, None where there is to be none any more.
        touched: by service, the entries whose folders, owners and limits are to be made as they say.
        gone: whose folders are to be removed once it is in force.

    """

    entries: Mapping[Claim, Entry | None]
    touched: Mapping[Claim, Mapping[Claim, Entry]]
    gone: Sequence[Claim]

    @classmethod
    def of(cls, changes: Changes, book: Book, folders: Folders, *, damaged: Collection[Claim]) -> Outcome:
        """Return what *changes* come to, which leave alone what is damaged and not meant."""
        entries: dict[Claim, Entry | None] = dict(changes.entries)
        touched: dict[Claim, dict[Claim, Entry]] = {}
        gone: list[Claim] = []
        for service in services(changes.entries):
            before = book.entries(service.wsid, service.service)
            if service in entries and entries[service] is None:
                entries.update(dict.fromkeys(before))  # Without the service, there are no claims of it.
            after = {**before, **{c: e for c, e in entries.items() if c.of_service == service}}
            left = {claim: entry for claim, entry in after.items() if entry is not None}
            if left:
                stored = folders.stored(left.get(service))
                gone += [c for c in before if c.users != SERVICE and (c not in left or not stored)]
                wanted = entries.keys() | {service}
                if service in entries:  # which says what all claims have that say nothing
                    wanted |= before.keys() - set(damaged)
                touched[service] = {claim: entry for claim, entry in left.items() if claim in wanted}
            elif before:
                gone.append(service)
        return cls(entries, touched, gone)

    def pending(self, book: Book, folders: Folders) -> list[Pending]:
        """Return what to take back if this comes to no end: nothing that is there without being known."""
        found = []
        for service, entries in self.touched.items():
            for claim, entry in entries.items():
                if book.entry(claim) is not None or not folders.path(claim).exists():
                    owner = owner_of(entry, entries.get(service))
                    found.append(Pending(claim=claim, uid=owner.uid, gid=owner.gid))
            if service not in entries and not folders.path(service).exists():
                found.append(Pending(claim=service))
        return sorted(found, key=lambda pending: pending.claim, reverse=True)

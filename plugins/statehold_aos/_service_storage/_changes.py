from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from statehold.sdk import Intent, StorageError
from statehold_aos._service_storage._config import ServiceStorageConfig
from statehold_aos._service_storage._entry import SERVICE, Claim, Entry
from statehold_quota import Backend, fit

_NUMBERS: Final = 2**32 - 2  # The last number of a user or group; the one after it means none.
_LARGEST: Final = 2**60


@attrs.frozen
class Changes:
    """What a batch changes, each claim once: its new entry, or None where it is removed."""

    entries: Mapping[Claim, Entry | None]

    @classmethod
    def of(cls, name: str, items: Sequence[Intent]) -> Changes:
        """Return the changes of a batch, the last item for a claim standing.

        Raises:
            StorageError: a claim is removed and made again in one batch.

        """
        entries: dict[Claim, Entry | None] = {}
        for item in items:
            claim, entry = claim_of(item.key), _entry_of(item.value)
            going = any(each in entries and entries[each] is None for each in (claim, claim.of_service))
            if going and entry is not None:
                raise StorageError(
                    f"{name}: {claim.service!r} of {claim.users!r} is removed and made again in one batch",
                    hint="Remove it first, and make it again with another call",
                )
            entries[claim] = entry
        return cls(entries)


def claim_of(key: Any) -> Claim:
    """Return whose folder a key means."""
    return Claim(key.WSID, key.Service, key.Users)


def check(
    name: str, entries: Mapping[Claim, Entry | None], backend: Backend, config: ServiceStorageConfig
) -> None:
    """Raise StorageError for what no storage on this backend can do."""
    for claim, entry in entries.items():
        if not claim.service:
            raise StorageError(f"{name}: Service is empty", hint="Say which service it is")
        if entry is not None:
            _check(f"{name}: service {claim.service!r}", claim, entry, backend, config)


def _check(who: str, claim: Claim, entry: Entry, backend: Backend, config: ServiceStorageConfig) -> None:
    limit = entry.storage_limit
    if limit is not None and claim.users != SERVICE:
        raise StorageError(
            f"{who}: a claim has no StorageLimit of its own, all of the service share one",
            hint='Set it in the row of the service, which has the Users ""',
        )
    if limit is not None and not 0 <= limit <= _LARGEST:
        raise StorageError(f"{who}: StorageLimit is {limit:,}, expected 0 to {_LARGEST:,} bytes")
    if limit and config.SmallLimits == "refuse" and (message := fit(backend, limit).message):
        raise StorageError(f"{who}: {message}", hint='Ask for that, or set SmallLimits to "round"')
    if entry.mode is not None and not 0 <= entry.mode <= 0o3777:
        raise StorageError(f"{who}: Mode is {entry.mode:o}, expected 0 to 3777 (octal)")
    for field, number, own in (("Uid", entry.uid, os.geteuid()), ("Gid", entry.gid, os.getegid())):
        if number is None:
            continue
        if not 0 <= number <= _NUMBERS:
            raise StorageError(f"{who}: {field} is {number}, expected 0 to {_NUMBERS}")
        if number != own and os.geteuid() != 0:
            raise StorageError(f"{who}: {field} is {number}, and only root may give folders away")


def _entry_of(value: Any) -> Entry | None:
    if value.Removed:
        return None
    return Entry(value.StorageLimit, value.Uid, value.Gid, value.Mode)

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from statehold.sdk import UNSET
from statehold_aos._service_storage._storage import ServiceStorage
from statehold_aos._state._storage import ServiceState
from statehold_aos.gateway import ClaimId
from statehold_aos.launcher._journal import ServiceId

#: For each claim: room in which a state can be replaced as a whole, whatever the file system counts.
_SLACK: Final = 512 * 1024


@attrs.frozen(kw_only=True)
class Limits:
    """What a service may keep, and whose that is."""

    storage: int
    state: int
    uid: int | None
    gid: int | None

    def of(self, claims: int) -> int:
        """Return the limit of the folders of so many claims: storage, and room for the state of each."""
        return self.storage + claims * (2 * self.state + _SLACK if self.state else 0)


@attrs.frozen
class Stores:
    """The folders and the states of services, as the storages of the app keep them."""

    storage: ServiceStorage
    state: ServiceState

    def bring(self, service: ServiceId, users: Sequence[str], limits: Limits) -> None:
        """Make the folders, limits and states of a service's claims as they are to be; nothing is removed.

        Raises:
            StorageError: that cannot be done.

        """
        keep = limits.of(max(len(users), 1))
        owner: dict[str, Any] = {} if limits.uid is None else {"Uid": limits.uid, "Gid": limits.gid}
        row = self.storage.intent(service.workspace, service.service, "", StorageLimit=keep, **owner)
        fresh = [one for one in users if not self.storage.has(*service, one)]
        self.storage.apply_batch([row, *(self.storage.intent(*service, one) for one in fresh)])
        states = []
        for one in users:
            known = self.state.limit(*service, one)
            if known != limits.state and (known is not None or limits.state):
                states.append(self.state.intent(*service, one, StateLimit=limits.state))
        if states:
            self.state.apply_batch(states)

    def folder(self, claim: ClaimId) -> Path:
        """Return the folder of a claim; StorageError where there is none to use."""
        return self.storage.folder(self.storage.key(*claim))

    def quota(self, claim: ClaimId) -> str:
        """Return what is wrong with the storage of a claim, "" for nothing."""
        row = self.storage.get(self.storage.key(*claim))
        return "" if row is None or row["Status"] == "ready" else str(row["Message"] or row["Status"])

    def starting(self, claim: ClaimId, ready: Callable[[], None]) -> bool:
        """Say whether a service may start with its state; *ready* is called when it may after all."""
        if not self.state.limit(*claim):
            return True
        return self.state.starting(self.state.key(*claim), ready)

    def stopped(self, claim: ClaimId) -> None:
        """Have what a service has written last sent to the cloud, or kept until that is there."""
        if self.state.limit(*claim):
            self.state.stopped(self.state.key(*claim))

    def remove(self, claim: ClaimId) -> None:
        """Remove the state and the storage of a claim, or with empty users those of a service."""
        states = [claim]
        if not claim.users:
            key = self.state.key(claim.workspace, claim.service, UNSET)
            found: Any = [each for each, _ in self.state.read(key)]
            states = [ClaimId(each.WSID, each.Service, each.Users) for each in found]
        known = [one for one in states if self.state.limit(*one) is not None]
        if known:
            self.state.apply_batch([self.state.intent(*one, Removed=True) for one in known])
        if self.storage.has(*claim):
            self.storage.apply_batch([self.storage.intent(*claim, Removed=True)])

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from statehold.sdk import UNSET, Intent, Key, StorageContext, StorageError, Value, fields, merge
from statehold_aos._sharing import Use
from statehold_aos._state._batch import Change
from statehold_aos._state._facts import Disk, Facts
from statehold_aos._state._settings import Settings
from statehold_aos._state._states import States
from statehold_aos._state._store import Version
from statehold_aos.gateway import ClaimId, Gateway

#: What the storage says; what is written there is not looked at.
_SAID: Final = ("Checksum", "Accepted", "Pending", "Status", "Message")
_LARGEST: Final = 2**30


class ServiceState:
    """The states of one partition's claims.

    Any number of threads may use it. Two versions of an app share what looks after the states.

    Attributes:
        name: the storage's qualified name.

    """

    def __init__(self, ctx: StorageContext, lease: Use[States, Settings]) -> None:
        self.name: Final = ctx.storage
        self._lease: Final = lease
        self._key: Final[Callable[..., Key]] = ctx.key_class
        self._value: Final[Callable[..., Value]] = ctx.value

    @property
    def _states(self) -> States:
        return self._lease.thing

    # -- For Python --------------------------------------------------------------------------------------

    def connect(self, gateway: Gateway) -> None:
        """Use *gateway* from now on, instead of the one before; it is closed with the storage."""
        self._states.connect(gateway)

    def key(self, *fields: object) -> Key:
        """Return the key of a claim, for who has no facade: workspace, service, users."""
        return self._key(*fields)

    def limit(self, workspace: int, service: str, users: str) -> int | None:
        """Return how large the state of a claim may be; None where it has none."""
        found = self._states.look(ClaimId(workspace, service, users))
        return None if found is None else found[0].limit

    def intent(self, workspace: int, service: str, users: str, **changes: object) -> Intent:
        """Return a change of a row, a new one if there is none, for who has no facade."""
        known = self.limit(workspace, service, users)
        given = {} if known is None else {"StateLimit": known}
        key = self.key(workspace, service, users)
        return Intent(key, self._value(**{**given, **changes}), known is None)

    def path(self, key: Key) -> Path:
        """Return where the state file of a claim is; a service is shown its folder, never the file alone.

        Raises:
            StorageError: there is no such claim, or no folder for it.

        """
        return self._states.path(_claim(key))

    def starting(self, key: Key, ready: Callable[[], None] | None = None) -> bool:
        """Say whether the service of a claim may start; to be called before it does.

        Where its state is not the one it is to have, the cloud is asked for it. Then it may start, or, with
        `WrongState` `hold`, may not: *ready* is called once the state is right, on another thread.
        """
        return self._states.starting(_claim(key), ready)

    def stopped(self, key: Key) -> None:
        """Take note that the service of a claim has stopped: what it wrote last is sent at once."""
        self._states.stopped(_claim(key))

    def versions(self, key: Key) -> list[Version]:
        """Return the versions of a claim's state that are kept, the newest first."""
        return self._states.kept(_claim(key))

    def restore(self, key: Key, checksum: bytes) -> None:
        """Bring a version that is kept back, as a change of this side.

        Raises:
            StorageError: none of this checksum is kept.

        """
        for version in self.versions(key):
            if version.checksum == checksum:
                self._states.change({_claim(key): Change(state=version.state)})
                return
        raise StorageError(f"{self.name}: no version with the checksum {checksum.hex()} is kept")

    # -- Operations --------------------------------------------------------------------------------------

    def get(self, key: Key) -> Value | None:
        """Return the state of a claim, and what is known about it."""
        claim = _claim(key)
        found = self._states.look(claim)
        return None if found is None else self._row(*found)

    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        """Return one answer per key, in order."""
        return [self.get(key) for key in keys]

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Yield the states of a service's claims, or of all claims of the workspace, in order."""
        given = tuple(value for value in fields(key).values() if value is not UNSET)
        for claim in self._states.claims():
            if claim[: len(given)] == given and (found := self._states.look(claim)) is not None:
                yield self._key(*claim), self._row(*found)

    def value_to_insert(self, key: Key, value: Value) -> Value:  # noqa: ARG002 - the protocol's form
        """Return *value* without what the storage says itself."""
        return msgspec.structs.replace(value, **dict.fromkeys(_SAID))

    def value_to_update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> Value:
        """Return *existing* with *changes*; a state that is not among these stays as the service has it."""
        kept = merge(existing, {} if "State" in changes else {"State": None})
        return self.value_to_insert(key, merge(kept, changes))

    def validate(self, items: Sequence[Intent]) -> None:
        """Raise StorageError for limits that cannot be, and for states that are larger than theirs."""
        self._states.check(self._changes(items))

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Make, change and remove states: all of it, or nothing; durable when it returns."""
        changes = self._changes(items)
        if changes:
            self._states.change(changes)

    def free(self) -> None:
        """Give the states back: the last storage of an app's versions ends what looks after them."""
        self._lease.release()

    def _changes(self, items: Sequence[Intent]) -> dict[ClaimId, Change]:
        changes: dict[ClaimId, Change] = {}
        for item in items:
            claim, value = _claim(item.key), item.value
            change = self._change(claim, value)
            before = changes.get(claim)
            if before is not None:
                if before.removed and not change.removed:
                    raise StorageError(
                        f"{self.name}: {claim.service!r} of {claim.users!r} is removed and made in one batch",
                        hint="Remove it first, and make it again with another call",
                    )
                state = before.state if change.state is None else change.state
                limit = before.limit if change.limit is None else change.limit
                change = attrs.evolve(change, state=state, limit=limit)
            changes[claim] = change
        return changes

    def _change(self, claim: ClaimId, value: Any) -> Change:
        who = f"{self.name}: {claim.service!r} of {claim.users!r}"
        if not claim.service or not claim.users:
            raise StorageError(f"{who}: expected a service and its users", hint="A state is that of a claim")
        limit = value.StateLimit
        if limit is not None and not 0 <= limit <= _LARGEST:
            raise StorageError(f"{who}: StateLimit is {limit:,}, expected 0 to {_LARGEST:,} bytes")
        return Change(limit=limit, state=value.State, removed=bool(value.Removed))

    def _row(self, facts: Facts, disk: Disk) -> Value:
        pending = None if facts.pending is None else facts.pending.checksum
        return self._value(
            StateLimit=facts.limit,
            State=disk.state,
            Checksum=_hex(disk.checksum),
            Accepted=_hex(facts.accepted),
            Pending=_hex(pending),
            Status=_status(facts, disk),
            Message=facts.message or None,
        )


def _claim(key: Any) -> ClaimId:
    return ClaimId(key.WSID, key.Service, key.Users)


def _hex(checksum: bytes | None) -> str | None:
    return None if checksum is None else checksum.hex()


def _status(facts: Facts, disk: Disk) -> str:
    if not facts.limit:
        return "off"
    if disk.size > facts.limit:
        return "too large"
    if facts.asked is not None:
        return "requested"
    if facts.pending is not None:
        return "pending" if disk.checksum == facts.pending.checksum else "changed"
    if disk.checksum == facts.accepted:
        return "new" if facts.accepted is None else "accepted"
    return "wrong" if disk.checksum == facts.suspect else "changed"

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from statehold.sdk._call import CallContext
from statehold.sdk._rows import Intent, Key, Value


@runtime_checkable
class IStateStorage(Protocol):
    """One open storage of one partition of one app version.

    What it can do beyond being freed is said by the other protocols here. Calls may come from any
    number of threads at once.
    """

    def free(self) -> None:
        """Give back everything the storage holds; called exactly once, after the last call returned."""


@runtime_checkable
class IWithGet(Protocol):
    """A storage that looks up one row: GET."""

    def get(self, key: Key) -> Value | None:
        """Return the value under *key*, or None where there is none."""


@runtime_checkable
class IWithGetBatch(Protocol):
    """A storage that looks up many rows at once: GETBATCH."""

    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        """Return one answer per key, in the order of *keys*, duplicates included."""


@runtime_checkable
class IWithRead(Protocol):
    """A storage that streams rows: READ."""

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Yield the rows whose keys start with the fields given in *key*.

        The caller may stop at any row and then closes the iterator, which must release what it held.
        """


class IWithApplyBatch(Protocol):
    """What INSERT and UPDATE share: changes are checked together, then applied all or none."""

    def validate(self, items: Sequence[Intent]) -> None:
        """Raise if any of *items* cannot be applied; change nothing."""

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Apply *items* in order; if one fails, none of them has happened."""


@runtime_checkable
class IWithInsert(IWithApplyBatch, Protocol):
    """A storage that takes new rows: INSERT. A row that stands under the key is replaced."""

    def value_to_insert(self, key: Key, value: Value) -> Value:
        """Return what an INSERT of *value* will store; most storages return *value*."""


@runtime_checkable
class IWithUpdate(IWithApplyBatch, Protocol):
    """A storage that changes rows: UPDATE."""

    def value_to_update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> Value:
        """Return what an UPDATE will store; most storages return `merge(existing, changes)`."""


@runtime_checkable
class IWithProbe(Protocol):
    """A storage that can tell whether it works; asked once before its version becomes current."""

    def probe(self) -> None:
        """Raise if the storage cannot serve."""


@runtime_checkable
class IWithRows(Protocol):
    """A storage that can give all its rows to the one that replaces it, whatever process that is in."""

    def rows(self) -> Iterable[tuple[Key, Value]]:
        """Return every row, of all workspaces; what others write meanwhile may be among them or not."""


@runtime_checkable
class IWithResume(Protocol):
    """A storage that was kept open while another version was current, and can take over again.

    One that has no rows of its own in memory need not. A version of which a storage looks at `ctx.existing`
    when it is opened, and cannot resume, is opened anew when it is rolled back to.
    """

    def resume(self, existing: IStateStorage) -> None:
        """Take over from *existing*, the storage of the version being replaced, which goes on beside it."""


@runtime_checkable
class IWithSharing(Protocol):
    """A storage that may have the same rows as the one that it replaces: what is written to one both have.

    To any other that looks at `ctx.existing` the host gives what is written to the one before until the swap,
    and what calls in flight write there after it, as a user would: by `validate` and `apply_batch`.
    """

    def shares_with(self, existing: IStateStorage) -> bool:
        """Return whether it has the rows of *existing*, and what is written there from now on."""


@runtime_checkable
class IWithCallContext(Protocol):
    """A storage whose answers depend on the call it is used in."""

    def for_call(self, call: CallContext) -> IStateStorage:
        """Return the storage as *call* sees it; what is returned is not freed, its origin is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, final

import attrs

from statehold.sdk import (
    IStateStorage,
    IWithGet,
    IWithGetBatch,
    IWithInsert,
    IWithRead,
    IWithUpdate,
    Key,
    Operation,
    Provider,
    ScopeError,
    StateholdError,
    StorageContext,
    Value,
)
from statehold.state import Facade, Rows, apply_intents, compile_facade
from statehold.testing._context import context, rows_of
from statehold.testing._work import Work

PROTOCOLS: Final[Mapping[Operation, type]] = {
    Operation.GET: IWithGet,
    Operation.GETBATCH: IWithGetBatch,
    Operation.READ: IWithRead,
    Operation.INSERT: IWithInsert,
    Operation.UPDATE: IWithUpdate,
}


@final
@attrs.frozen(eq=False)
class OpenStorage:
    """A storage that was opened for a test, and what is needed to use it.

    Attributes:
        storage: what the provider's `open` returned.
        context: what it was opened with.
        rows: the checked constructors of its keys and values.
        facade: the storage as an extension holds it, with every operation the provider claims.

    """

    storage: IStateStorage
    context: StorageContext
    rows: Rows
    facade: Facade

    def key(self, wsid: int, /, **fields: object) -> Key:
        """Return the key of one row."""
        return self.rows.key(wsid, **fields)

    def prefix(self, wsid: int, /, **fields: object) -> Key:
        """Return a key for READ; trailing fields may be left out."""
        return self.rows.prefix(wsid, **fields)

    def value(self, **fields: object) -> Value:
        """Return a value."""
        return self.rows.value(**fields)

    def insert(self, key: Key, value: Value | Mapping[str, object]) -> None:
        """Put one row: ask for the intent, validate and apply it."""
        apply_intents({"": self.storage}, {"": [self.facade.insert(key, value)]})

    def update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> None:
        """Change one row: ask for the intent, validate and apply it."""
        apply_intents({"": self.storage}, {"": [self.facade.update(key, existing, changes)]})


@contextmanager
def open_storage(provider: Provider, **options: Any) -> Iterator[OpenStorage]:
    """Open a storage as a host does, and free it when the block is left.

    *options* are those of `context`.
    """
    schema = {name: options.pop(name) for name in ("key", "value", "package") if name in options}
    rows = options.pop("rows", None) or rows_of(provider, **schema)
    work = options.pop("work", None) or Work()
    made = context(provider, rows=rows, work=work, **options)
    storage = provider.open(made)
    try:
        yield wrap(provider, rows, made, storage)
    finally:
        work.end()
        storage.free()


def wrap(provider: Provider, rows: Rows, made: StorageContext, storage: IStateStorage) -> OpenStorage:
    """Return an open storage together with a facade of what the provider claims."""

    def refuse(operation: Operation) -> StateholdError:
        return ScopeError(
            f"{made.storage}: {type(storage).__name__} has no {operation}",
            storage=made.storage,
            operation=operation,
            scope=None,
            who="the test",
            hint=f"The provider claims {', '.join(provider.operations) or 'no operation'}",
        )

    # What is claimed and not there is refused as well, rather than breaking the opening.
    present = [operation for operation in provider.operations if isinstance(storage, PROTOCOLS[operation])]
    return OpenStorage(storage, made, rows, compile_facade(rows, storage, present, refuse=refuse))

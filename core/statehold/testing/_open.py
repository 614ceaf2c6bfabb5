from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, cast, final

import attrs

from statehold.sdk import (
    CallContext,
    Intent,
    IStateStorage,
    IWithApplyBatch,
    IWithCallContext,
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
from statehold.state import Facade, Rows, compile_facade
from statehold.testing._app import MemoryApp
from statehold.testing._calls import Calls, default_call, in_calls
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
        facade: the storage as an extension holds it, with every operation the provider claims. Where the
            storage asks for its call, each use of the facade is a call of its own.
        writer: what validates and applies intents; in a call of its own, and committed, likewise.
        memory: the app in memory that the storage stands on, or None.

    """

    storage: IStateStorage
    context: StorageContext
    rows: Rows
    facade: Facade
    writer: IWithApplyBatch
    memory: MemoryApp | None = None

    def key(self, workspace: int, /, **fields: object) -> Key:
        """Return the key of one row."""
        return self.rows.key(workspace, **fields)

    def prefix(self, workspace: int, /, **fields: object) -> Key:
        """Return a key for READ; trailing fields may be left out."""
        return self.rows.prefix(workspace, **fields)

    def value(self, **fields: object) -> Value:
        """Return a value."""
        return self.rows.value(**fields)

    def insert(self, key: Key, value: Value | Mapping[str, object]) -> None:
        """Put one row: ask for the intent, validate and apply it."""
        self.apply([self.facade.insert(key, value)])

    def update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> None:
        """Change one row: ask for the intent, validate and apply it."""
        self.apply([self.facade.update(key, existing, changes)])

    def bound(self, call: CallContext) -> OpenStorage:
        """Return the storage as one call sees it, whose changes are not committed."""
        seen = self.storage.for_call(call) if isinstance(self.storage, IWithCallContext) else self.storage
        return attrs.evolve(self, facade=self.facade.for_call(call), writer=cast("IWithApplyBatch", seen))

    def apply(self, intents: Sequence[Intent]) -> None:
        """Validate and apply intents as a host does: none where one is refused."""
        self.writer.validate(intents)
        self.writer.apply_batch(intents)


@contextmanager
def open_storage(
    provider: Provider,
    *,
    declarations: str | None = None,
    entity: str | None = None,
    call: CallContext | None = None,
    **options: Any,
) -> Iterator[OpenStorage]:
    """Open a storage as a host does, and free it when the block is left.

    Args:
        provider: whose storage it is.
        declarations: for a storage of an app's entities or events, VSQL as in a file of a package `test`. The
            app has the workspaces 1 and 2.
        entity: the table, view or type, `test.Turnover`.
        call: the call in which a storage is used that asks for it; by default one that fits the provider.
        options: those of `context`.

    """
    if declarations is not None:
        options["memory"] = MemoryApp(declarations, entity=entity)
        options["memory"].add_workspaces((1, 2))
    memory = options.get("memory")
    package = options.get("package", "test")
    schema = {name: options.pop(name) for name in ("key", "value") if name in options}
    rows = options.pop("rows", None) or rows_of(provider, package=package, memory=memory, **schema)
    work = options.pop("work", None) or Work()
    made = context(provider, rows=rows, work=work, **options)
    storage = provider.open(made)
    used = call or default_call(provider)
    try:
        yield wrap(provider, rows, made, storage, Calls(lambda: used, memory))
    finally:
        work.end()
        storage.free()


def wrap(
    provider: Provider, rows: Rows, made: StorageContext, storage: IStateStorage, calls: Calls
) -> OpenStorage:
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
    seen = storage.for_call(calls.reading()) if isinstance(storage, IWithCallContext) else storage
    present = [operation for operation in provider.operations if isinstance(seen, PROTOCOLS[operation])]
    facade = compile_facade(rows, storage, present, refuse=refuse)
    return OpenStorage(storage, made, rows, *in_calls(storage, facade, calls), calls.memory)

"""Using a storage that asks for its call: each operation is a call of its own, as if it were the only one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import attrs
import msgspec

from statehold.sdk import (
    CallContext,
    Intent,
    IStateStorage,
    IWithApplyBatch,
    IWithCallContext,
    Operation,
    Provider,
    Scope,
)
from statehold.state import METHODS, Facade
from statehold.testing._app import MemoryApp


def default_call(provider: Provider) -> CallContext:
    """Return a call in a scope in which the provider's storages may be written, or else read."""
    operations = provider.operations
    scopes = operations.get(Operation.INSERT) or next(iter(operations.values()), frozenset())
    scope = min(scopes, key=list(Scope).index, default=Scope.COMMANDS)
    return CallContext(
        scope=scope,
        workspace=1,
        extension="test.Extension",
        offset=1,
        result=lambda _: None,
        response=lambda _status, _message: None,
    )


@attrs.frozen(eq=False)
class Calls:
    """Makes the calls that a storage is used in: like *call*, with the data of an app where there is one."""

    call: Callable[[], CallContext]
    memory: MemoryApp | None

    def reading(self, workspace: int | None = None) -> CallContext:
        """Return a call that sees what is committed, and of which nothing is."""
        call = self.call()
        if workspace is not None:
            call = msgspec.structs.replace(call, workspace=workspace)
        if self.memory is None:
            return call
        return msgspec.structs.replace(call, unit=self.memory.data.begin(self.memory.schemas))

    @contextmanager
    def writing(self, workspace: int | None) -> Iterator[CallContext]:
        """Yield a call whose changes are committed when the block is left, those of a command as an event."""
        if self.memory is None or workspace is None:
            yield self.reading(workspace)
            return
        with self.memory.one_writer:
            call = self.reading(workspace)
            yield call
            self.commit(call)

    def commit(self, call: CallContext) -> None:
        """Commit what a call of this app has changed, that of a command as an event."""
        if self.memory is not None:
            if call.scope is Scope.COMMANDS:
                self.memory.append(call.unit, call.extension, call.workspace)
            call.unit.commit()


class CalledFacade(Facade):
    """A facade each of whose operations is a call of its own."""

    __slots__ = ()

    def __init__(self, facade: Facade, calls: Calls) -> None:
        def each(method: str) -> Callable[..., Any]:
            def use(*args: object, **given: object) -> Any:
                return getattr(facade.for_call(calls.reading()), method)(*args, **given)

            return use

        self.storage, self.key, self.prefix = facade.storage, facade.key, facade.prefix
        for method in (*METHODS.values(), "find"):
            setattr(self, method, each(method))
        self._for_call = facade.for_call


@attrs.frozen(eq=False)
class CalledWriter:
    """Validates and applies intents, each time in a call of its own that is then committed."""

    _storage: IWithCallContext
    _calls: Calls

    def validate(self, items: Sequence[Intent]) -> None:
        """Let the storage check *items*."""
        self._bound(self._calls.reading(items[0].key.WSID if items else None)).validate(items)

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Let the storage apply *items*, and commit."""
        with self._calls.writing(items[0].key.WSID if items else None) as call:
            self._bound(call).apply_batch(items)

    def _bound(self, call: CallContext) -> IWithApplyBatch:
        return cast("IWithApplyBatch", self._storage.for_call(call))


def in_calls(storage: IStateStorage, facade: Facade, calls: Calls) -> tuple[Facade, IWithApplyBatch]:
    """Return a facade of *storage*, and what applies its intents; both need no call from their user."""
    if isinstance(storage, IWithCallContext):
        return CalledFacade(facade, calls), CalledWriter(storage, calls)
    return facade, cast("IWithApplyBatch", storage)

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import attrs

from statehold.sdk import (
    CallContext,
    Intent,
    IStateStorage,
    IWithCallContext,
    Key,
    Operation,
    Rank,
    Value,
)
from statehold.state._counts import CallCounts
from statehold.state._latency import timed_apply
from statehold.state._operations import Refusal, compile_operations
from statehold.state._rows import Rows

#: `apply(impl, items)`.
Apply = Callable[[Any, Sequence[Intent]], None]

_INTENTS: Final = frozenset({Operation.INSERT, Operation.UPDATE})


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Slot:
    """One storage, or one entity of a storage, as an extension may use it; made by `compile_slot`.

    Attributes:
        storage: the qualified name.
        entity: the table, view or type; None for a storage that has none.
        rows: the constructors of its keys and values.
        allowed: the operations that work; all others raise.
        impl: the open storage.
        bind: makes the storage as a call sees it; None where it does not ask for the call.
        rank: when its intents are applied.
        streamed: whether each new value is sent as soon as the next one is asked for, without a limit.
        get: `get(impl, key)`, by GETBATCH where GET is not allowed.
        get_batch: `get_batch(impl, keys)`, by GET where GETBATCH is not allowed.
        read: `read(impl, key)`.
        insert: `insert(impl, key, value)`.
        update: `update(impl, key, existing, changes)`.
        apply: `apply(impl, items)`: what the storage's `apply_batch` does.

    """

    storage: str
    entity: str | None
    rows: Rows
    allowed: frozenset[Operation]
    impl: IStateStorage
    bind: Callable[[CallContext], IStateStorage] | None
    rank: Rank
    streamed: bool
    get: Callable[[Any, Key], Value | None]
    get_batch: Callable[[Any, Sequence[Key]], Sequence[Value | None]]
    read: Callable[..., Any]
    insert: Callable[..., Intent]
    update: Callable[..., Intent]
    apply: Apply

    def __str__(self) -> str:
        """Return the storage's name, with the entity if there is one."""
        return self.storage if self.entity is None else f"{self.storage}({self.entity})"

    def __repr__(self) -> str:
        return f"<Slot of {self}>"


def compile_slot(
    storage: str,
    rows: Rows,
    impl: IStateStorage,
    allowed: Iterable[Operation],
    *,
    refuse: Refusal,
    entity: str | None = None,
    counts: CallCounts | None = None,
    rank: Rank = Rank.STORAGE,
    streamed: bool = False,
    relay: Callable[[Apply], Apply] | None = None,
) -> Slot:
    """Return a slot on which the *allowed* operations work; *refuse* makes the error for any other.

    *relay* is put before what applies its intents.
    """
    allowed = frozenset(allowed)
    operations = compile_operations(rows, allowed, refuse=refuse, counts=counts)
    get, get_batch = operations.get, operations.get_batch
    if Operation.GETBATCH not in allowed and Operation.GET in allowed:
        one = get

        def get_batch(impl: Any, keys: Sequence[Key]) -> Sequence[Value | None]:
            return [one(impl, key) for key in keys]

    elif Operation.GET not in allowed and Operation.GETBATCH in allowed:
        many = get_batch

        def get(impl: Any, key: Key) -> Value | None:
            found: Value | None = many(impl, (key,))[0]
            return found

    apply = _apply if counts is None or counts.timed.isdisjoint(_INTENTS) else _timed(counts)
    return Slot(
        storage=storage,
        entity=entity,
        rows=rows,
        allowed=allowed,
        impl=impl,
        bind=impl.for_call if isinstance(impl, IWithCallContext) else None,
        rank=rank,
        streamed=streamed,
        get=get,
        get_batch=get_batch,
        read=operations.read,
        insert=operations.insert,
        update=operations.update,
        apply=apply if relay is None else relay(apply),
    )


def _apply(impl: Any, items: Sequence[Intent]) -> None:
    impl.apply_batch(items)


def _timed(counts: CallCounts) -> Apply:
    return timed_apply(counts.latency(Operation.INSERT), counts.latency(Operation.UPDATE))

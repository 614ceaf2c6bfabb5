from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, NoReturn

import attrs

from statehold.sdk import Intent, Key, Operation, SchemaError, StateholdError, Value
from statehold.state._counts import CallCounts
from statehold.state._latency import timed
from statehold.state._rows import Rows

METHODS: Final[Mapping[Operation, str]] = {
    Operation.GET: "get",
    Operation.GETBATCH: "get_batch",
    Operation.READ: "read",
    Operation.INSERT: "insert",
    Operation.UPDATE: "update",
}

Refusal = Callable[[Operation], StateholdError]


@attrs.frozen(eq=False)
class Operations:
    """One function per operation: each takes the storage first, then what the operation takes.

    A permitted one checks the class of its keys, counts, and calls the storage; any other counts and raises.
    """

    get: Callable[..., Any]
    get_batch: Callable[..., Any]
    read: Callable[..., Any]
    insert: Callable[..., Intent]
    update: Callable[..., Intent]


def compile_operations(
    rows: Rows, allowed: Collection[Operation], *, refuse: Refusal, counts: CallCounts | None
) -> Operations:
    """Return the operations of a storage with the given keys and values.

    *refuse* makes the error for an operation that is not allowed.
    """
    makers = {
        Operation.GET: _get,
        Operation.GETBATCH: _get_batch,
        Operation.READ: _read,
        Operation.INSERT: _insert,
        Operation.UPDATE: _update,
    }

    def one(operation: Operation) -> Callable[..., Any]:
        if operation not in allowed:
            return denied(operation, refuse, counts)
        function, count = makers[operation](rows)
        if counts is not None:
            counts.watch(operation, count)
            if operation in counts.timed and not operation.is_intent:
                return timed(operation, function, counts.latency(operation))
        return function

    return Operations(**{method: one(operation) for operation, method in METHODS.items()})


def denied(operation: Operation, refuse: Refusal, counts: CallCounts | None) -> Callable[..., NoReturn]:
    """Return a function that counts a refusal and raises it, whatever it is called with."""

    def raise_it(*_: object, **__: object) -> NoReturn:
        if counts is not None:
            counts.deny(operation)
        raise refuse(operation)

    return raise_it


# In each of the following a cell holds the count: the cheapest counter that Python has.
Counted = tuple[Callable[..., Any], Callable[[], int]]


def _get(rows: Rows) -> Counted:
    count, whole = 0, rows.Key

    def get(impl: Any, key: Key) -> Any:
        nonlocal count
        if key.__class__ is not whole:
            raise wrong_key(rows, Operation.GET, key)
        count += 1
        return impl.get(key)

    return get, lambda: count


def _get_batch(rows: Rows) -> Counted:
    count, whole = 0, rows.Key

    def get_batch(impl: Any, keys: Sequence[Key]) -> Any:
        nonlocal count
        # To look at what an iterator gives would leave nothing of it for the storage.
        keys = keys if isinstance(keys, list | tuple) else tuple(keys)
        for key in keys:
            if key.__class__ is not whole:
                raise wrong_key(rows, Operation.GETBATCH, key)
        count += 1
        return impl.get_batch(keys)

    return get_batch, lambda: count


def _read(rows: Rows) -> Counted:
    count, whole, partial = 0, rows.Key, rows.Prefix

    def read(impl: Any, key: Key) -> Any:
        nonlocal count
        if key.__class__ is not whole and key.__class__ is not partial:
            raise wrong_key(rows, Operation.READ, key)
        count += 1
        return impl.read(key)

    return read, lambda: count


def _insert(rows: Rows) -> Counted:
    count, whole, whole_value = 0, rows.Key, rows.Value

    def insert(impl: Any, key: Key, value: Value | Mapping[str, object]) -> Intent:
        nonlocal count
        if key.__class__ is not whole:
            raise wrong_key(rows, Operation.INSERT, key)
        if value.__class__ is not whole_value:
            value = rows.value(**_mapping(rows, Operation.INSERT, value))
        count += 1
        return Intent(key, impl.value_to_insert(key, value), True)  # noqa: FBT003 - by name costs as much again

    return insert, lambda: count


def _update(rows: Rows) -> Counted:
    count, whole, whole_value = 0, rows.Key, rows.Value

    def update(impl: Any, key: Key, existing: Value, changes: Mapping[str, object]) -> Intent:
        nonlocal count
        if key.__class__ is not whole:
            raise wrong_key(rows, Operation.UPDATE, key)
        if existing.__class__ is not whole_value:
            raise _wrong_value(rows, Operation.UPDATE, existing)
        changed = rows.changes(_mapping(rows, Operation.UPDATE, changes))
        count += 1
        return Intent(key, impl.value_to_update(key, existing, changed), False)  # noqa: FBT003

    return update, lambda: count


def wrong_key(rows: Rows, operation: Operation, got: object) -> SchemaError:
    """Return the error for what is no key of the storage."""
    made = "key(...) or prefix(...)" if operation is Operation.READ else "key(...)"
    return SchemaError(
        f"{rows.storage}.{operation}: expected a key of this storage, got {got!r:.80}",
        storage=rows.storage,
        field="",
        expected=f"what the facade's {made} returns",
        got=got,
        hint=f"Make one with the facade's {made}",
    )


def _mapping(rows: Rows, operation: Operation, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(type(name) is str for name in value):
        raise _wrong_value(rows, operation, value)
    return value


def _wrong_value(rows: Rows, operation: Operation, got: object) -> SchemaError:
    names = ", ".join(field.name for field in rows.value_fields) or "no fields"
    return SchemaError(
        f"{rows.storage}.{operation}: expected a value of this storage, got {got!r:.80}",
        storage=rows.storage,
        field="",
        expected="a value this storage returned, or a mapping of field names to values",
        got=got,
        hint=f"The fields of VALUE are: {names}",
    )

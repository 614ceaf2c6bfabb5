from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import FunctionType, MethodType
from typing import Any, Final, NoReturn, cast

import attrs

from statehold.sdk import (
    CallContext,
    FreedError,
    Intent,
    IStateStorage,
    IWithCallContext,
    IWithGet,
    Key,
    Operation,
    SchemaError,
    StateholdError,
    Value,
)
from statehold.state._rows import Rows

METHODS: Final[Mapping[Operation, str]] = {
    Operation.GET: "get",
    Operation.GETBATCH: "get_batch",
    Operation.READ: "read",
    Operation.INSERT: "insert",
    Operation.UPDATE: "update",
}

Refusal = Callable[[Operation], StateholdError]


class Facade:
    """What an extension holds instead of a storage: only the permitted operations work on it.

    `find(WSID, **fields)` is a GET of `key(WSID, **fields)`, in one step.
    Without counting, `get`, `get_batch` and `read` are the storage's own bound methods. It is a
    discipline for trusted Python, not a sandbox.
    """

    __slots__ = (
        "_for_call",
        "find",
        "get",
        "get_batch",
        "insert",
        "key",
        "prefix",
        "read",
        "storage",
        "update",
    )

    storage: str
    key: Callable[..., Key]
    prefix: Callable[..., Key]
    find: Callable[..., Value | None]
    get: Callable[[Key], Value | None]
    get_batch: Callable[[Sequence[Key]], Sequence[Value | None]]
    read: Callable[[Key], Iterator[tuple[Key, Value]]]
    insert: Callable[[Key, Value | Mapping[str, object]], Intent]
    update: Callable[[Key, Value, Mapping[str, object]], Intent]
    _for_call: Callable[[CallContext], Facade]

    def for_call(self, call: CallContext) -> Facade:
        """Return the facade as *call* sees it: itself, unless the storage asks for the call."""
        return self._for_call(call)

    def close(self) -> None:
        """Let every further use raise FreedError."""
        name = self.storage

        def freed(*_: object, **__: object) -> NoReturn:
            raise FreedError(
                f"{name} was freed with its version",
                hint="Borrow the partition again: the current version answers there",
            )

        for method in (*METHODS.values(), "find", "key", "prefix", "_for_call"):
            setattr(self, method, freed)

    def __repr__(self) -> str:
        return f"<Facade of {self.storage}>"


@attrs.define(eq=False)
class CallCounts:
    """How often each operation of a facade reached the storage, and how often one was refused."""

    _calls: dict[Operation, int] = attrs.field(factory=dict, init=False)
    _denied: dict[Operation, int] = attrs.field(factory=dict, init=False)
    _watched: list[tuple[Operation, Callable[[], int]]] = attrs.field(factory=list, init=False)

    def calls(self, operation: Operation) -> int:
        """Return how many calls of *operation* reached the storage."""
        watched = sum(count() for watched, count in self._watched if watched is operation)
        return self._calls.get(operation, 0) + watched

    def denied(self, operation: Operation) -> int:
        """Return how many calls of *operation* were refused."""
        return self._denied.get(operation, 0)

    def watch(self, operation: Operation, count: Callable[[], int]) -> None:
        """Add what *count* returns to `calls(operation)` from now on."""
        self._watched.append((operation, count))

    def add(self, operation: Operation) -> None:
        """Count one call."""
        self._calls[operation] = self._calls.get(operation, 0) + 1

    def deny(self, operation: Operation) -> None:
        """Count one refusal."""
        self._denied[operation] = self._denied.get(operation, 0) + 1


def compile_facade(
    rows: Rows,
    impl: IStateStorage,
    allowed: Collection[Operation],
    *,
    refuse: Refusal,
    counts: CallCounts | None = None,
) -> Facade:
    """Return a facade of *impl* on which the *allowed* operations work and all others raise.

    *refuse* makes the error for an operation that is not allowed. With *counts*, each call is counted
    and its key's class is checked; without, a permitted GET costs nothing over the storage's own.
    """
    return _compile(rows, impl, allowed, refuse=refuse, counts=counts, per_call=False)


def _compile(
    rows: Rows,
    impl: IStateStorage,
    allowed: Collection[Operation],
    *,
    refuse: Refusal,
    counts: CallCounts | None,
    per_call: bool,
) -> Facade:
    wrap = _counted_once if per_call else _counted
    facade = Facade()
    facade.storage = rows.storage
    facade.key, facade.prefix = rows.key, rows.prefix
    for operation, method in METHODS.items():
        if operation not in allowed:
            setattr(facade, method, _denied(operation, refuse, counts))
        elif operation.is_intent:
            setattr(facade, method, _intent(operation, rows, impl, counts))
        elif counts is None:
            setattr(facade, method, getattr(impl, method))
        else:
            setattr(facade, method, wrap(operation, rows, getattr(impl, method), counts))
    if Operation.GET in allowed:
        if per_call:
            facade.find = lambda *args, **given: facade.get(rows.key(*args, **given))
        else:
            facade.find, count = rows.finder(cast("IWithGet", impl).get)
            if counts is not None:
                counts.watch(Operation.GET, count)
    else:
        facade.find = facade.get
    if isinstance(impl, IWithCallContext):
        bind = impl.for_call

        def for_call(call: CallContext) -> Facade:
            return _compile(rows, bind(call), allowed, refuse=refuse, counts=counts, per_call=True)

        facade._for_call = for_call  # noqa: SLF001 - its own module
    else:
        facade._for_call = lambda _: facade  # noqa: SLF001
    return facade


def _denied(operation: Operation, refuse: Refusal, counts: CallCounts | None) -> Callable[..., NoReturn]:
    def denied(*_: object, **__: object) -> NoReturn:
        if counts is not None:
            counts.deny(operation)
        raise refuse(operation)

    return denied


def _wrong_key(rows: Rows, operation: Operation, got: object) -> SchemaError:
    made = "key(...) or prefix(...)" if operation is Operation.READ else "key(...)"
    return SchemaError(
        f"{rows.storage}.{operation}: expected a key of this storage, got {got!r:.80}",
        storage=rows.storage,
        field="",
        expected=f"what the facade's {made} returns",
        got=got,
        hint=f"Make one with the facade's {made}",
    )


def _counted(operation: Operation, rows: Rows, call: Callable[..., Any], counts: CallCounts) -> Any:
    # One closure per facade holds the count: a cell is the cheapest counter Python has.
    count = 0
    whole, partial = rows.Key, rows.Prefix
    counts.watch(operation, lambda: count)
    function, storage = _unbound(call)

    def get(key: Key) -> Any:
        nonlocal count
        if key.__class__ is not whole:
            raise _wrong_key(rows, operation, key)
        count += 1
        return function(storage, key)

    def get_batch(keys: Sequence[Key]) -> Any:
        nonlocal count
        keys = _listed(keys)
        for key in keys:
            if key.__class__ is not whole:
                raise _wrong_key(rows, operation, key)
        count += 1
        return call(keys)

    def read(key: Key) -> Any:
        nonlocal count
        if key.__class__ is not whole and key.__class__ is not partial:
            raise _wrong_key(rows, operation, key)
        count += 1
        return call(key)

    return {Operation.GET: get, Operation.GETBATCH: get_batch, Operation.READ: read}[operation]


def _unbound(call: Callable[..., Any]) -> tuple[Callable[[Any, Any], Any], Any]:
    """Return a function and its first argument: called so, a method saves a step that a GET would notice."""
    if isinstance(call, MethodType) and isinstance(call.__func__, FunctionType):
        return call.__func__, call.__self__
    return (lambda called, key: called(key)), call


def _counted_once(
    operation: Operation, rows: Rows, call: Callable[..., Any], counts: CallCounts
) -> Callable[..., Any]:
    # For a facade that lives for one call: nothing of it may stay behind in the counts.
    classes = (rows.Key, rows.Prefix) if operation is Operation.READ else (rows.Key,)

    def checked(asked: Any) -> Any:
        if operation is Operation.GETBATCH:
            asked = _listed(asked)
        for key in asked if operation is Operation.GETBATCH else (asked,):
            if key.__class__ not in classes:
                raise _wrong_key(rows, operation, key)
        counts.add(operation)
        return call(asked)

    return checked


def _listed(keys: Sequence[Key]) -> Sequence[Key]:
    # To look at what an iterator gives would leave nothing of it for the storage.
    return keys if isinstance(keys, list | tuple) else tuple(keys)


def _intent(operation: Operation, rows: Rows, impl: Any, counts: CallCounts | None) -> Any:
    def check(key: object) -> None:
        if key.__class__ is not rows.Key:
            raise _wrong_key(rows, operation, key)

    def count() -> None:
        if counts is not None:
            counts.add(operation)

    if operation is Operation.INSERT:
        prepare = impl.value_to_insert

        def insert(key: Key, value: Value | Mapping[str, object]) -> Intent:
            check(key)
            if type(value) is not rows.Value:
                value = rows.value(**_mapping(rows, operation, value))
            count()
            return Intent(key, prepare(key, value), is_new=True)

        return insert
    change = impl.value_to_update

    def update(key: Key, existing: Value, changes: Mapping[str, object]) -> Intent:
        check(key)
        if type(existing) is not rows.Value:
            raise _wrong_value(rows, operation, existing)
        changed = rows.changes(_mapping(rows, operation, changes))
        count()
        return Intent(key, change(key, existing, changed), is_new=False)

    return update


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

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from types import FunctionType, MethodType
from typing import Any, NoReturn, cast

from statehold.sdk import (
    CallContext,
    FreedError,
    Intent,
    IStateStorage,
    IWithCallContext,
    IWithGet,
    Key,
    Operation,
    StorageError,
    Value,
)
from statehold.state._counts import CallCounts
from statehold.state._operations import (
    METHODS,
    Operations,
    Refusal,
    compile_operations,
    denied,
    wrong_key,
)
from statehold.state._rows import Rows


class Facade:
    """A storage with only the permitted operations: what a person or a test holds instead of it.

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
        name, kind = self.storage, type(self)
        self.__class__ = Facade
        if issubclass(kind, _Counting):
            # A class goes with the next collection of garbage only, and the storage would wait for that.
            delattr(kind, "get")

        def freed(*_: object, **__: object) -> NoReturn:
            raise FreedError(
                f"{name} was freed with its version",
                hint="Borrow the partition again: the current version answers there",
            )

        for method in (*METHODS.values(), "find", "key", "prefix", "_for_call"):
            setattr(self, method, freed)

    def __repr__(self) -> str:
        return f"<Facade of {self.storage}>"


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
    operations = compile_operations(rows, allowed, refuse=refuse, counts=counts)
    if isinstance(impl, IWithCallContext):
        return _compile_unbound(rows, impl, allowed, operations)
    facade = _compile_bound(rows, impl, allowed, operations)
    for operation in allowed:
        if counts is None and not operation.is_intent:
            setattr(facade, METHODS[operation], getattr(impl, METHODS[operation]))
    if Operation.GET in allowed and not (counts is not None and Operation.GET in counts.timed):
        get = cast("IWithGet", impl).get
        facade.find, count = rows.finder(get)
        if counts is not None:
            counts.watch(Operation.GET, count)
            facade.__class__ = _counting(rows, get, counts)
    return facade


def _compile_bound(
    rows: Rows, impl: IStateStorage, allowed: Collection[Operation], operations: Operations
) -> Facade:
    facade = Facade()
    facade.storage, facade.key, facade.prefix = rows.storage, rows.key, rows.prefix
    for method in METHODS.values():
        setattr(facade, method, partial(getattr(operations, method), impl))
    if Operation.GET in allowed:
        facade.find = lambda *args, **given: operations.get(impl, rows.key(*args, **given))
    else:
        facade.find = facade.get
    facade._for_call = lambda _: facade  # noqa: SLF001 - its own module
    return facade


def _compile_unbound(
    rows: Rows, impl: IWithCallContext, allowed: Collection[Operation], operations: Operations
) -> Facade:
    def refuse(operation: Operation) -> StorageError:
        return StorageError(
            f"{rows.storage}: {operation} has an answer within a call only",
            hint="Use the facade that for_call(call) returns",
        )

    facade = Facade()
    facade.storage, facade.key, facade.prefix = rows.storage, rows.key, rows.prefix
    for operation, method in METHODS.items():
        use = denied(operation, refuse, None) if operation in allowed else getattr(operations, method)
        setattr(facade, method, use)
    facade.find = facade.get
    facade._for_call = lambda call: _compile_bound(  # noqa: SLF001 - its own module
        rows, impl.for_call(call), allowed, operations
    )
    return facade


class _Counting(Facade):
    """A facade whose GET is a method: Python finds one sooner than it finds a function in a slot."""

    __slots__ = ()


def _counting(rows: Rows, call: Callable[..., Any], counts: CallCounts) -> type[Facade]:
    # Beside `Operations.get`, because here the storage is known beforehand. The count is a float, which
    # costs less to replace than an int, and is exact up to 2**53.
    count, whole = 0.0, rows.Key
    counts.watch(Operation.GET, lambda: int(count))
    function, storage = _unbound(call)

    def get(_: Facade, key: Key) -> Any:
        nonlocal count
        if key.__class__ is not whole:
            raise wrong_key(rows, Operation.GET, key)
        count += 1.0
        return function(storage, key)

    return type("Facade", (_Counting,), {"__slots__": (), "get": get})


def _unbound(call: Callable[..., Any]) -> tuple[Callable[[Any, Any], Any], Any]:
    """Return a function and its first argument: called so, a method saves a step that a GET would notice."""
    if isinstance(call, MethodType) and isinstance(call.__func__, FunctionType):
        return call.__func__, call.__self__
    return (lambda called, key: called(key)), call

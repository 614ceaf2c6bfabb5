"""A facade has the permitted operations and explains the others."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator, Mapping, Sequence

import pytest

from statehold.sdk import (
    CallContext,
    Field,
    FreedError,
    Intent,
    Key,
    Operation,
    SchemaError,
    Scope,
    StateholdError,
    StorageError,
    Value,
    merge,
)
from statehold.state import METHODS, CallCounts, Facade, compile_facade, compile_rows

ROWS = compile_rows("bills.Notes", [Field("Id", "int64", required=True)], [Field("Text", "text")])


class Notes:
    def __init__(self) -> None:
        self.rows: dict[Key, Value] = {}
        self.calls: list[str] = []

    def get(self, key: Key) -> Value | None:
        self.calls.append("GET")
        return self.rows.get(key)

    def get_batch(self, keys: Sequence[Key]) -> list[Value | None]:
        self.calls.append("GETBATCH")
        return [self.rows.get(key) for key in keys]

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        self.calls.append("READ")
        return iter(self.rows.items())

    def value_to_insert(self, key: Key, value: Value) -> Value:
        self.calls.append("INSERT")
        return value

    def value_to_update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> Value:
        self.calls.append("UPDATE")
        return merge(existing, changes)

    def validate(self, items: Sequence[Intent]) -> None: ...
    def apply_batch(self, items: Sequence[Intent]) -> None: ...
    def free(self) -> None: ...


def refuse(operation: Operation) -> StateholdError:
    return StateholdError(f"no {operation} here")


def use(facade: Facade, operation: Operation) -> object:
    key, value = ROWS.key(1, Id=1), ROWS.value(Text="x")
    return {
        Operation.GET: lambda: facade.get(key),
        Operation.GETBATCH: lambda: facade.get_batch([key]),
        Operation.READ: lambda: facade.read(key),
        Operation.INSERT: lambda: facade.insert(key, {"Text": "x"}),
        Operation.UPDATE: lambda: facade.update(key, value, {"Text": "y"}),
    }[operation]()


@pytest.fixture(params=["counted", "timed", ""], ids=["counted", "timed", "uncounted"])
def counts(request: pytest.FixtureRequest) -> CallCounts | None:
    return CallCounts(frozenset(Operation if request.param == "timed" else ())) if request.param else None


@pytest.mark.parametrize("allowed", Operation)
def test_only_the_allowed_operation_reaches_the_storage(
    allowed: Operation, counts: CallCounts | None
) -> None:
    notes = Notes()
    facade = compile_facade(ROWS, notes, {allowed}, refuse=refuse, counts=counts)
    for operation in Operation:
        if operation is allowed:
            use(facade, operation)
        else:
            with pytest.raises(StateholdError, match=f"no {operation} here"):
                use(facade, operation)
    assert notes.calls == [allowed]
    if counts is not None:
        assert [counts.calls(op) for op in Operation] == [int(op is allowed) for op in Operation]
        assert [counts.denied(op) for op in Operation] == [int(op is not allowed) for op in Operation]


def test_an_uncounted_get_is_the_storage_s_own_bound_method() -> None:
    notes = Notes()
    assert compile_facade(ROWS, notes, set(Operation), refuse=refuse).get == notes.get


def test_find_gets_by_fields_and_is_denied_where_get_is() -> None:
    notes, counts = Notes(), CallCounts()
    notes.rows[ROWS.key(1, Id=5)] = ROWS.value(Text="five")
    facade = compile_facade(ROWS, notes, {Operation.GET}, refuse=refuse, counts=counts)
    assert facade.find(1, Id=5) == ROWS.value(Text="five")
    assert counts.calls(Operation.GET) == 1
    with pytest.raises(SchemaError, match="field Id"):
        facade.find(1, Id="5")
    denied = compile_facade(ROWS, notes, set(), refuse=refuse)
    with pytest.raises(StateholdError, match="no GET here"):
        denied.find(1, Id=5)


@pytest.mark.parametrize("wrong", [None, {"Id": 1}, (1, 1), ROWS.value(), ROWS.prefix(1)])
def test_what_is_no_key_never_reaches_the_storage(wrong: object) -> None:
    notes = Notes()
    facade = compile_facade(ROWS, notes, set(Operation), refuse=refuse, counts=CallCounts())
    for call in (
        lambda: facade.get(wrong),  # type: ignore[arg-type]
        lambda: facade.get_batch([ROWS.key(1, Id=1), wrong]),  # type: ignore[list-item]
        lambda: facade.insert(wrong, {}),  # type: ignore[arg-type]
        lambda: facade.update(wrong, ROWS.value(), {}),  # type: ignore[arg-type]
    ):
        with pytest.raises(SchemaError, match="expected a key of this storage"):
            call()
    assert notes.calls == []


def test_a_key_of_another_storage_never_reaches_the_storage() -> None:
    other = compile_rows("bills.Other", ROWS.key_fields, ROWS.value_fields)
    notes = Notes()
    facade = compile_facade(ROWS, notes, set(Operation), refuse=refuse, counts=CallCounts())
    for call in (facade.get, facade.read):
        with pytest.raises(SchemaError, match="expected a key of this storage"):
            call(other.key(1, Id=1))
    assert notes.calls == []


def test_keys_of_a_batch_may_come_from_an_iterator() -> None:
    notes = Notes()
    keys = [ROWS.key(1, Id=number) for number in range(3)]
    notes.rows[keys[1]] = ROWS.value(Text="one")
    facade = compile_facade(ROWS, notes, {Operation.GETBATCH}, refuse=refuse, counts=CallCounts())
    assert facade.get_batch(iter(keys)) == [None, ROWS.value(Text="one"), None]  # type: ignore[arg-type]


def test_a_change_with_a_wrong_value_is_not_counted() -> None:
    counts = CallCounts()
    facade = compile_facade(ROWS, Notes(), set(Operation), refuse=refuse, counts=counts)
    key = facade.key(1, Id=1)
    with pytest.raises(SchemaError):
        facade.insert(key, {"Text": 1})
    with pytest.raises(SchemaError):
        facade.update(key, ROWS.value(), {"Text": 1})
    assert (counts.calls(Operation.INSERT), counts.calls(Operation.UPDATE)) == (0, 0)


def test_read_takes_a_partial_key() -> None:
    facade = compile_facade(ROWS, Notes(), {Operation.READ}, refuse=refuse, counts=CallCounts())
    assert list(facade.read(facade.prefix(1))) == []


def test_insert_and_update_return_what_is_to_be_applied() -> None:
    facade = compile_facade(ROWS, Notes(), set(Operation), refuse=refuse)
    key = facade.key(1, Id=1)
    assert facade.insert(key, {"Text": "a"}) == Intent(key, ROWS.value(Text="a"), is_new=True)
    assert facade.update(key, ROWS.value(Text="a"), {"Text": "b"}) == Intent(
        key, ROWS.value(Text="b"), is_new=False
    )


@pytest.mark.parametrize("wrong", [None, "x", {1: 2}, [("Text", "x")]])
def test_a_value_that_is_no_mapping_is_refused(wrong: object) -> None:
    facade = compile_facade(ROWS, Notes(), set(Operation), refuse=refuse)
    with pytest.raises(SchemaError, match="expected a value of this storage"):
        facade.insert(facade.key(1, Id=1), wrong)  # type: ignore[arg-type]


def test_a_closed_facade_raises_on_every_use(counts: CallCounts | None) -> None:
    facade = compile_facade(ROWS, Notes(), set(Operation), refuse=refuse, counts=counts)
    facade.close()
    for name in (*METHODS.values(), "find", "key", "prefix", "for_call"):
        with pytest.raises(FreedError, match="freed with its version"):
            getattr(facade, name)(None)


def test_a_closed_facade_lets_go_of_its_storage_at_once(counts: CallCounts | None) -> None:
    notes = Notes()
    facade = compile_facade(ROWS, notes, set(Operation), refuse=refuse, counts=counts)
    facade.find(1, Id=1)
    facade.get(facade.key(1, Id=1))
    gone = weakref.ref(notes)
    gc.disable()
    try:
        del notes
        facade.close()
        assert gone() is None
    finally:
        gc.enable()
    assert counts is None or counts.calls(Operation.GET) == 2


def test_a_storage_that_asks_for_the_call_gets_it_and_the_counts_stay_one() -> None:
    class PerCall(Notes):
        def __init__(self, extension: str = "") -> None:
            super().__init__()
            self.extension = extension

        def get(self, key: Key) -> Value | None:
            return ROWS.value(Text=self.extension)

        def for_call(self, call: CallContext) -> PerCall:
            return PerCall(call.extension)

    counts = CallCounts()
    facade = compile_facade(ROWS, PerCall(), {Operation.GET}, refuse=refuse, counts=counts)
    for name in ("bills.Pay", "bills.Void"):
        bound = facade.for_call(CallContext(scope=Scope.COMMANDS, workspace=1, extension=name))
        assert bound.find(1, Id=1) == ROWS.value(Text=name)
        with pytest.raises(SchemaError):
            bound.get(None)  # type: ignore[arg-type]
    assert counts.calls(Operation.GET) == 2


def test_a_storage_that_asks_for_the_call_has_no_answer_without_one() -> None:
    class PerCall:
        def for_call(self, call: CallContext) -> Notes:
            return Notes()

        def free(self) -> None: ...

    facade = compile_facade(ROWS, PerCall(), {Operation.GET}, refuse=refuse)
    with pytest.raises(StorageError, match=r"GET has an answer within a call only.*for_call"):
        facade.get(facade.key(1, Id=1))
    with pytest.raises(StateholdError, match="no READ here"):
        facade.read(facade.prefix(1))


def test_a_storage_that_does_not_ask_for_the_call_keeps_its_facade() -> None:
    facade = compile_facade(ROWS, Notes(), {Operation.GET}, refuse=refuse)
    assert facade.for_call(CallContext(scope=Scope.JOBS, workspace=1, extension="x")) is facade

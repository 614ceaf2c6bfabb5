from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from statehold.sdk import (
    CallContext,
    CompileError,
    Field,
    Intent,
    Key,
    Operation,
    Provider,
    Rank,
    Scope,
    StorageError,
    Value,
)
from statehold.testing import MemoryApp, open_storage

BILLS = """
WORKSPACE Restaurant (
    TABLE Bill INHERITS sys.CDoc (Number int32 NOT NULL, Scan bytes);
    VIEW Turnover (Year int32 NOT NULL, Day int32 NOT NULL, Total money, PRIMARY KEY ((Year), Day))
        AS RESULT OF Fill;
    EXTENSION ENGINE BUILTIN (PROJECTOR Fill AFTER INSERT ON Bill INTENTS (sys.View(Turnover)));
);
"""


class Bound:
    """Views as one call sees them; a Total below 0 is refused when it is applied."""

    calls: list[CallContext] = []

    def __init__(self, call: CallContext) -> None:
        self.call = call
        self.calls.append(call)

    def get(self, key: Key) -> Value | None:
        return self.call.unit.view(key)  # type: ignore[no-any-return]

    def value_to_insert(self, key: Key, value: Value) -> Value:
        return value

    def validate(self, items: Sequence[Intent]) -> None:
        pass

    def apply_batch(self, items: Sequence[Intent]) -> None:
        for item in items:
            self.call.unit.put_view(item.key, item.value)
            if item.value["Total"] < 0:  # type: ignore[operator]
                raise StorageError("test.Rows: less than nothing")

    def free(self) -> None:
        pass


class Rows:
    """Something only in a call."""

    def for_call(self, call: CallContext) -> Bound:
        return Bound(call)

    def free(self) -> None:
        pass


def provider(**changes: Any) -> Provider:
    said: dict[str, Any] = {
        "name": "Rows",
        "open": lambda _: Rows(),
        "operations": {
            Operation.GET: frozenset(Scope),
            Operation.INSERT: frozenset({Scope.PROJECTORS, Scope.JOBS}),
        },
        "rank": Rank.ROWS,
    }
    return Provider(**{**said, **changes})


def test_each_use_of_the_facade_is_a_call_of_its_own_that_sees_what_is_committed() -> None:
    Bound.calls.clear()
    with open_storage(provider(), declarations=BILLS, entity="test.Turnover") as opened:
        key = opened.key(1, Year=2026, Day=1)
        opened.insert(key, {"Total": 5})
        assert opened.facade.get(key) == opened.value(Total=5)
        assert opened.facade.find(1, Year=2026, Day=1) == opened.value(Total=5)
        assert opened.facade.get(opened.key(2, Year=2026, Day=1)) is None
    assert len({id(call.unit) for call in Bound.calls}) == len(Bound.calls)
    assert {call.scope for call in Bound.calls} == {Scope.PROJECTORS}


def test_a_batch_that_fails_in_the_middle_is_not_committed() -> None:
    with open_storage(provider(), declarations=BILLS, entity="test.Turnover") as opened:
        good, bad = (opened.key(1, Year=2026, Day=day) for day in (1, 2))
        intents = [opened.facade.insert(good, {"Total": 1}), opened.facade.insert(bad, {"Total": -1})]
        with pytest.raises(StorageError, match="less than nothing"):
            opened.apply(intents)
        assert opened.facade.get(good) is None
        opened.apply(intents[:1])
        assert opened.facade.get(good) == opened.value(Total=1)


def test_the_call_may_be_given() -> None:
    Bound.calls.clear()
    call = CallContext(scope=Scope.JOBS, workspace=2, extension="test.Nightly", time=5.0)
    with open_storage(provider(), declarations=BILLS, entity="test.Turnover", call=call) as opened:
        opened.facade.get(opened.key(1, Year=1, Day=1))
    assert {(call.scope, call.extension, call.time) for call in Bound.calls} == {
        (Scope.JOBS, "test.Nightly", 5.0)
    }


def test_a_storage_sees_the_entity_it_is_opened_for() -> None:
    seen = []
    with open_storage(
        provider(open=lambda ctx: seen.append(ctx) or Rows()), declarations=BILLS, entity="test.Turnover"
    ) as opened:
        (ctx,) = seen
        assert list(ctx.entities) == ["test.Turnover"]
        assert ctx.entities["test.Turnover"].key_class is type(opened.key(1, Year=1, Day=1))
        assert ctx.data is opened.memory.data
        assert ctx.storage == "test.Rows"


def test_keys_and_values_that_the_provider_says_go_before_those_of_the_entity() -> None:
    other = provider(entity_key=lambda shape: shape.rows.key_fields[:1], value=[Field("Days", "int32")])
    with open_storage(other, declarations=BILLS, entity="test.Turnover") as opened:
        assert [field.name for field in opened.rows.key_fields] == ["Year"]
        assert [field.name for field in opened.rows.value_fields] == ["Days"]


def test_two_versions_of_an_app_in_memory_have_one_set_of_data_and_shapes_of_their_own() -> None:
    app = MemoryApp(BILLS, entity="test.Turnover")
    app.add_workspaces([1])
    other = app.version()
    assert other.data is app.data
    assert other.shape is not app.shape
    with app.writing() as unit:
        unit.put_view(app.shape.rows.key(1, Year=1, Day=1), app.shape.rows.value(Total=7))
    found = other.data.reader(other.schemas).view(other.shape.rows.key(1, Year=1, Day=1))
    assert found == other.shape.rows.value(Total=7)


def test_declarations_with_errors_are_told_with_their_place() -> None:
    with pytest.raises(CompileError, match=r"test\.vsql:1:\d+") as caught:
        MemoryApp("WORKSPACE W (TABLE T INHERITS sys.Nothing ());")
    assert caught.value.diagnostics

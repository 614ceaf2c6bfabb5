"""A declaration, its provider and the opened storage agree, both ways, or the deploy says where not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statehold.loading import check_provider, check_storage
from statehold.sdk import CallContext, Field, Operation, Provider, Scope
from statehold_vsql import DataType, StorageEngine
from statehold_vsql.appdef import Position, QName, StorageDef


def declared(**given_: Any) -> StorageDef:
    return StorageDef(
        **{
            "name": QName("bills", "Scada"),
            "engine": StorageEngine.PYPLUGIN,
            "provider": "Scada",
            "operations": {Operation.GET: frozenset(Scope)},
            "key": None,
            "value": None,
            "position": Position("example.com/bills", "bills.vsql", 3, 5),
            **given_,
        }
    )


def provider(**given_: Any) -> Provider:
    options = {"name": "Scada", "open": print, "operations": [Operation.GET], "key": (), "value": ()}
    return Provider(**{**options, **given_})


def problems(storage: StorageDef, of: Provider) -> list[str]:
    return [str(problem) for problem in check_provider(storage, of)]


KEY = (Field("Device", "text", required=True), Field("Point", "text", required=True, max_length=20))


def test_what_agrees_has_no_problems():
    """A schema as the provider has it, or left out, or free on the provider's side."""
    assert problems(declared(key=KEY, value=()), provider(key=KEY)) == []
    assert problems(declared(), provider(key=KEY)) == []
    assert problems(declared(key=KEY, value=KEY), provider(key=None, value=None)) == []
    assert problems(declared(), provider(key=None, value=None, default_key=KEY, default_value=())) == []
    assert problems(declared(operations=None), provider(operations=[])) == []
    assert problems(declared(entity_view=True), provider(key=None, value=None)) == []


def test_an_operation_that_the_provider_lacks_is_a_problem():
    """One problem per operation, with what there is."""
    every = dict.fromkeys(Operation, frozenset(Scope))
    found = problems(declared(operations=every), provider(operations=[Operation.GET, Operation.READ]))
    assert len(found) == 3
    assert found[0] == (
        "storage bills.Scada (bills.vsql:3:5) declares GETBATCH, which provider 'Scada' does not have; "
        "it has GET, READ. Take GETBATCH out of the declaration, or use a provider that has it"
    )


def test_no_schema_on_either_side_is_a_problem():
    """Somebody has to say what the fields are."""
    found = problems(declared(), provider(key=None, value=None))
    assert len(found) == 2
    assert "declares no KEY, and provider 'Scada' has none of its own" in found[0]
    assert "declares no VALUE" in found[1]


def test_a_field_by_another_name_is_a_problem_with_the_nearest():
    """Both ways: a field too many, and a field too few."""
    found = problems(declared(key=(KEY[0], attrs.evolve(KEY[1], name="Pont"))), provider(key=KEY))
    assert "declares the KEY field 'Pont'" in found[0]
    assert found[0].endswith("Did you mean 'Point'?")
    assert "does not declare the KEY field 'Point'" in found[1]
    assert "Add `Point text(20) NOT NULL` to KEY" in found[1]


@pytest.mark.parametrize(
    "change",
    [
        {"type": DataType.INT32},
        {"required": False},
        {"max_length": 21},
        {"max_length": None},
        {"repeated": True},
    ],
)
def test_a_field_of_another_type_is_a_problem(change):
    """Type, NOT NULL, length and repetition; the problem shows both as VSQL writes them."""
    (found,) = problems(declared(key=(KEY[0], attrs.evolve(KEY[1], **change))), provider(key=KEY))
    assert f"declares the KEY field `{attrs.evolve(KEY[1], **change)}`" in found
    assert "has `Point text(20) NOT NULL`" in found


def test_a_declaration_may_be_stricter():
    """NOT NULL where the provider takes NULL, and shorter texts, are the declaration's right."""
    wide = (Field("Reading", "float64"), Field("Note", "text", max_length=100))
    strict = (Field("Note", "text", max_length=10, required=True), Field("Reading", "float64", required=True))
    assert problems(declared(value=strict), provider(value=wide)) == []


def test_another_order_of_the_key_is_a_problem():
    """Reading by a part of the key depends on it."""
    (found,) = problems(declared(key=KEY[::-1]), provider(key=KEY))
    assert "in the order Point, Device; provider 'Scada' expects Device, Point" in found


fields = st.lists(
    st.builds(Field, st.sampled_from("ABCD"), st.sampled_from(DataType), required=st.booleans()),
    unique_by=lambda field: field.name,
).map(tuple)


@given(fields, fields)
def test_no_problem_means_that_every_field_fits(ours, theirs):
    """Over any two schemas: without a problem, names are the same and every declared field is accepted."""
    found = problems(declared(key=ours), provider(key=theirs))
    fits = [field.name for field in ours] == [field.name for field in theirs] and all(
        mine.type is other.type and mine.required >= other.required
        for mine, other in zip(ours, theirs, strict=False)
    )
    assert (found == []) is fits


class Whole:
    def get(self, key: object) -> None: ...
    def get_batch(self, keys: Sequence[object]) -> None: ...
    def read(self, key: object) -> Iterator[object]: ...
    def value_to_insert(self, key: object, value: object) -> None: ...
    def value_to_update(self, key: object, existing: object, changes: Mapping[str, object]) -> None: ...
    def validate(self, items: Sequence[object]) -> None: ...
    def apply_batch(self, items: Sequence[object]) -> None: ...
    def free(self) -> None: ...


class Getter:
    def get(self, key: object) -> None: ...
    def free(self) -> None: ...


class HalfInserter:
    def value_to_insert(self, key: object, value: object) -> None: ...
    def free(self) -> None: ...


class ByCall(Getter):
    def for_call(self, call: CallContext) -> Getter: ...


class Async:
    async def get(self, key: object) -> None: ...
    def free(self) -> None: ...


def opened(storage: object, *operations: Operation) -> list[str]:
    return [str(problem) for problem in check_storage(storage, provider(operations=operations))]


def test_a_storage_that_does_what_its_provider_says_has_no_problems():
    """All five operations, or one."""
    assert opened(Whole(), *Operation) == []
    assert opened(Getter(), Operation.GET) == []


def test_a_storage_that_does_less_is_a_problem():
    """The problem names the class and the methods that are missing."""
    (found,) = opened(HalfInserter(), Operation.INSERT)
    assert "claims INSERT, but the HalfInserter it opened has no validate, apply_batch" in found


def test_a_storage_that_does_more_is_a_problem():
    """An operation that nobody was told of could never be permitted."""
    (found,) = opened(Whole(), *set(Operation) - {Operation.READ})
    assert "the Whole that provider 'Scada' opened has READ, which the provider does not claim" in found


def test_a_storage_per_call_may_have_its_operations_there():
    """What for_call returns is seen at the call."""
    assert opened(ByCall(), Operation.GET, Operation.READ) == []


def test_a_coroutine_function_is_a_problem():
    """Nobody would await it."""
    (found,) = opened(Async(), Operation.GET)
    assert "get() of the Async" in found
    assert "coroutine function" in found


def test_what_cannot_be_freed_is_a_problem():
    """`open` may have returned None, or a class."""
    found = opened(None, Operation.GET)
    assert "what provider 'Scada' opened has no free(): a NoneType" in found[0]

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from statehold.sdk import DataType, Field
from statehold.state import compile_rows
from statehold.testing._samples import bounds, large, plain_keys, plain_value, some_values
from statehold.testing._strategies import values_of

FIELDS = st.builds(
    lambda kind, length, required, repeated: Field(
        "F",
        kind,
        required=required,
        repeated=repeated,
        max_length=length if kind in (DataType.TEXT, DataType.BYTES) else None,
    ),
    st.sampled_from(DataType),
    st.none() | st.integers(1, 300),
    st.booleans(),
    st.booleans(),
)


@given(FIELDS, st.data())
def test_everything_made_for_a_field_fits_it_and_stays_as_it_is(field: Field, data: st.DataObject) -> None:
    rows = compile_rows("test.S", [], [field])
    made = [*bounds(field), data.draw(values_of(field)), *(v["F"] for v in some_values([field]))]
    made += [plain_value([field], n)["F"] for n in (0, 1, 200)]
    if field.type in (DataType.TEXT, DataType.BYTES):
        made.append(large(field, 5000))
    for one in made:
        assert rows.value(F=one)["F"] == one


@given(st.lists(FIELDS, max_size=4), st.integers(0, 100))
def test_plain_keys_are_different_and_fit_their_fields(fields: list[Field], count: int) -> None:
    # An object cannot be looked up by: no key holds one.
    held = [field for field in fields if field.type is not DataType.OBJECT]
    named = [Field(f"F{n}", f.type, max_length=f.max_length) for n, f in enumerate(held)]
    rows = compile_rows("test.S", named, [])
    keys = [rows.key(1, **key) for key in plain_keys(named, count)]
    assert len(set(keys)) == len(keys) <= count


def test_plain_keys_are_as_many_as_asked_where_a_type_has_room() -> None:
    for kind in ("text", "int32", "float64", "bytes", "qname"):
        fields = [Field("On", "bool"), Field("Tiny", "int8"), Field("F", kind)]  # type: ignore[arg-type]
        assert len(list(plain_keys(fields, 400))) == 400


def test_a_large_value_has_its_length() -> None:
    assert len(str(large(Field("T", "text"), 2**20))) == 2**20  # type: ignore[arg-type]
    assert len(str(large(Field("T", "text", max_length=10), 2**20))) == 10  # type: ignore[arg-type]

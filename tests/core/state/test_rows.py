"""Keys and values are checked against the schema before a storage sees them."""

from __future__ import annotations

import pickle
import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statehold.sdk import UNSET, DataType, Field, SchemaError, fields, merge
from statehold.state import Rows, compile_rows, int_range

SCADA = compile_rows(
    "bills.Scada",
    [Field("Device", "text", required=True), Field("Point", "text", required=True)],
    [Field("Reading", "float64"), Field("At", "int64", required=True)],
)

GOOD = {
    DataType.TEXT: "grüße 🧾",
    DataType.BYTES: bytes(range(256)),
    DataType.BOOL: True,
    DataType.FLOAT32: 0.5,
    DataType.FLOAT64: 1e300,
    DataType.QNAME: "bills.Bill",
}
WRONG = {
    DataType.TEXT: [b"x", 1, "\ud800", None],
    DataType.BYTES: ["x", 1, None],
    DataType.BOOL: [1, "true", None],
    DataType.FLOAT32: ["1", True, 1e39, None],
    DataType.FLOAT64: ["1", True, 10**400, None],
    DataType.QNAME: ["Bill", "a.b.c", "", 5, None],
}


def one(data_type: DataType, **options: object) -> Rows:
    field = Field("F", data_type, **options)  # type: ignore[arg-type]
    return compile_rows("s.S", [field], [field])


def test_a_key_carries_the_workspace_and_every_field() -> None:
    key = SCADA.key(7, Device="d1", Point="p1")
    assert fields(key) == {"WSID": 7, "Device": "d1", "Point": "p1"}
    assert (key.WSID, key["Device"]) == (7, "d1")


def test_keys_are_equal_and_hash_alike_when_their_fields_are() -> None:
    assert SCADA.key(7, Device="d", Point="p") == SCADA.key(7, "d", Point="p")
    assert len({SCADA.key(7, "d", "p"), SCADA.key(WSID=7, Device="d", Point="p")}) == 1


def test_keys_of_two_storages_never_equal() -> None:
    other = compile_rows("bills.Other", SCADA.key_fields, SCADA.value_fields)
    assert SCADA.key(7, "d", "p") != other.key(7, "d", "p")


def test_a_key_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        SCADA.key(7, "d", "p").WSID = 8  # type: ignore[misc]


@pytest.mark.parametrize("data_type", GOOD)
def test_every_type_keeps_its_value(data_type: DataType) -> None:
    rows = one(data_type, required=True)
    assert rows.key(1, F=GOOD[data_type])["F"] == GOOD[data_type]
    assert rows.value(F=GOOD[data_type])["F"] == GOOD[data_type]


@pytest.mark.parametrize(("data_type", "bad"), [(t, bad) for t, many in WRONG.items() for bad in many])
def test_every_type_refuses_what_it_cannot_hold(data_type: DataType, bad: object) -> None:
    rows = one(data_type, required=True)
    for make in (lambda: rows.key(1, F=bad), lambda: rows.value(F=bad)):
        with pytest.raises(SchemaError) as caught:
            make()
        assert (caught.value.storage, caught.value.field) == ("s.S", "F")
        assert "s.S: field F: expected" in str(caught.value)


@pytest.mark.parametrize("data_type", [t for t in DataType if int_range(t)])
def test_ints_are_taken_up_to_their_bounds_and_not_beyond(data_type: DataType) -> None:
    low, high = int_range(data_type) or (0, 0)
    rows = one(data_type, required=True)
    for good in (low, 0, high):
        assert rows.key(1, F=good)["F"] == good
    for bad in (low - 1, high + 1, True, 1.0, "1", None):
        with pytest.raises(SchemaError, match=f"expected {data_type}"):
            rows.value(F=bad)


@given(st.floats(width=32, allow_nan=False))
def test_float32_keeps_what_32_bits_hold(number: float) -> None:
    assert one(DataType.FLOAT32).value(F=number)["F"] == number


def test_float32_rounds_to_what_every_storage_can_keep() -> None:
    assert one(DataType.FLOAT32).value(F=0.1)["F"] == struct.unpack("<f", struct.pack("<f", 0.1))[0]


def test_nan_is_a_value_but_never_a_key() -> None:
    rows = one(DataType.FLOAT64)
    value = rows.value(F=float("nan"))["F"]
    assert value != value
    with pytest.raises(SchemaError, match="NaN"):
        rows.key(1, F=float("nan"))


def test_a_missing_required_field_is_named() -> None:
    with pytest.raises(
        SchemaError, match=r"bills.Scada: field Point: expected text .*NOT NULL.*, got nothing"
    ):
        SCADA.key(1, Device="d")


def test_a_missing_workspace_is_named() -> None:
    with pytest.raises(SchemaError, match="field WSID"):
        SCADA.key(Device="d", Point="p")


def test_a_misspelt_field_is_named_with_the_one_that_was_meant() -> None:
    with pytest.raises(SchemaError, match=r"KEY has no field 'Devic'\. Did you mean 'Device'\?"):
        SCADA.key(1, Devic="d", Point="p")
    with pytest.raises(SchemaError, match=r"VALUE has no field 'Readng'\. Did you mean 'Reading'\?"):
        SCADA.value(Readng=1.0)


def test_a_field_that_may_be_null_is_none_where_not_given() -> None:
    assert fields(SCADA.value(At=1)) == {"Reading": None, "At": 1}


def test_lengths_count_characters_of_text_and_bytes_of_bytes() -> None:
    text, data = one(DataType.TEXT, max_length=2), one(DataType.BYTES, max_length=2)
    assert text.value(F="🧾🧾")["F"] == "🧾🧾"
    assert data.value(F=bytearray(b"ab"))["F"] == b"ab"
    with pytest.raises(SchemaError, match="at most 2 characters"):
        text.value(F="abc")
    with pytest.raises(SchemaError, match="at most 2 bytes"):
        data.value(F=b"abc")


def test_a_repeated_field_holds_a_tuple() -> None:
    rows = compile_rows("s.S", [Field("H", "text", repeated=True, required=True)], [])
    assert rows.key(1, H=["a", "b"])["H"] == ("a", "b")
    assert rows.key(1, H="a")["H"] == ("a",)
    with pytest.raises(SchemaError, match="at least one text"):
        rows.key(1)


def test_fields_may_be_called_like_python_words_or_builtins() -> None:
    names = ["class", "from", "type", "len", "int", "self", "fields", "make"]
    rows = compile_rows("s.S", [Field(n, "int64", required=True) for n in names], [])
    key = rows.key(1, **{name: i for i, name in enumerate(names)})
    assert [key[name] for name in names] == list(range(len(names)))
    with pytest.raises(SchemaError, match="field class"):
        rows.key(1, **dict.fromkeys(names[1:], 1))


@pytest.mark.parametrize("name", ["", "_x", "a b", "a=0", "ä", "1a", "a\nimport os", "WSID"])
def test_a_name_that_is_no_identifier_never_becomes_code(name: str) -> None:
    with pytest.raises(SchemaError, match="KEY field"):
        compile_rows("s.S", [Field(name, "int64")], [])


def test_a_field_given_twice_is_refused() -> None:
    with pytest.raises(SchemaError, match="twice"):
        compile_rows("s.S", [], [Field("A", "int64"), Field("A", "text")])


def test_a_prefix_leaves_trailing_fields_open() -> None:
    prefix = SCADA.prefix(1, Device="d")
    assert fields(prefix) == {"WSID": 1, "Device": "d", "Point": UNSET}
    assert type(SCADA.prefix(1, Device="d", Point="p")) is SCADA.Key
    assert type(prefix) is SCADA.Prefix


def test_a_prefix_with_a_gap_names_the_field_that_is_missing() -> None:
    with pytest.raises(SchemaError, match="field Device"):
        SCADA.prefix(1, Point="p")


def test_changes_check_only_what_is_named() -> None:
    assert SCADA.changes({"Reading": 2}) == {"Reading": 2.0}
    with pytest.raises(SchemaError, match="field At"):
        SCADA.changes({"At": None})
    with pytest.raises(SchemaError, match="no field 'Att'"):
        SCADA.changes({"Att": 1})


def test_merge_lays_changes_over_a_value() -> None:
    existing = SCADA.value(At=1, Reading=1.0)
    assert merge(existing, {"At": 2}) == SCADA.value(At=2, Reading=1.0)
    assert existing["At"] == 1


def test_a_long_value_does_not_flood_the_message() -> None:
    with pytest.raises(SchemaError) as caught:
        SCADA.value(At="x" * 100_000)
    assert len(str(caught.value)) < 300


def test_asking_a_row_for_a_field_it_lacks_tells_which_it_has() -> None:
    with pytest.raises(KeyError, match="Device"):
        SCADA.key(1, "d", "p")["Nope"]


def test_a_secret_field_is_never_shown() -> None:
    rows = compile_rows("s.Mail", [Field("User", "text"), Field("Password", "text", secret=True)], [])
    key = rows.key(1, User="me", Password="hunter2")
    assert key["Password"] == "hunter2"
    assert "hunter2" not in f"{key!r} {key} {[key]} {rows.prefix(1, User='me')!r}"
    with pytest.raises(SchemaError) as caught:
        rows.key(1, Password=b"hunter2")
    assert "hunter2" not in f"{caught.value} {caught.value.got!r}"


def test_secrets_are_not_pickled() -> None:
    from statehold.sdk import Secret

    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {[secret]}"
    assert (secret.reveal(), secret == Secret("hunter2"), hash(secret) == hash(Secret("hunter2"))) == (
        "hunter2",
        True,
        True,
    )
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(secret)


RECORD = compile_rows(
    "bills.Bill",
    [Field("sys.ID", "ref")],
    [Field("sys.ID", "ref"), Field("sys.IsActive", "bool"), Field("A", "int8")],
)


def test_a_field_of_the_system_is_given_by_its_name_or_its_attribute() -> None:
    by_name = RECORD.value(**{"sys.ID": 1, "A": 2})
    assert by_name == RECORD.value(sys_ID=1, A=2)
    assert (by_name.sys_ID, by_name["sys.ID"]) == (1, 1)  # type: ignore[attr-defined]
    assert RECORD.key(7, **{"sys.ID": 1}) == RECORD.key(7, sys_ID=1) == RECORD.prefix(7, **{"sys.ID": 1})
    assert RECORD.changes({"sys.IsActive": False}) == RECORD.changes({"sys_IsActive": False})


def test_a_value_is_encoded_by_field_name_without_what_is_not_set() -> None:
    assert msgspec.to_builtins(RECORD.value(sys_ID=1, sys_IsActive=False)) == {
        "sys.ID": 1,
        "sys.IsActive": False,
    }


def test_only_sys_may_stand_before_a_dot() -> None:
    with pytest.raises(SchemaError, match="no identifier"):
        compile_rows("s.S", [], [Field("bills.ID", "ref")])


def test_a_field_whose_name_python_has_taken_gets_an_underscore_as_an_attribute() -> None:
    rows = compile_rows("a.B", [Field("from", "int32")], [Field("class", "text", required=True)])
    value = rows.value(class_="x")
    assert value == rows.value(**{"class": "x"})
    assert (value.class_, value["class"], msgspec.json.encode(value)) == ("x", "x", b'{"class":"x"}')
    assert rows.key(1, from_=2) == rows.key(1, **{"from": 2}) == rows.prefix(1, **{"from": 2})
    assert rows.changes({"class": "y"}) == rows.changes({"class_": "y"}) == {"class_": "y"}
    with pytest.raises(SchemaError, match=r"field class: expected text"):
        rows.value(class_=1)

"""Shapes: values as JSON and as rows."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statehold.sdk import SchemaError


def test_a_value_goes_to_json_and_back(shop):
    shape = shop["shop.Customer"]
    given = {"sys.ID": 1, "Name": "Ann", "City": "Rome", "Card": "AQL/"}
    value = shape.from_json(given)
    assert (value.sys_ID, value.Name, value.Card) == (1, "Ann", b"\x01\x02\xff")
    assert shape.to_json(value) == given
    assert json.loads(msgspec.json.encode(value)) == given


def test_null_and_missing_are_one_and_are_left_out(shop):
    shape = shop["shop.Pay"]
    assert shape.from_json({"Number": 1, "Tip": None}) == shape.from_json({"Number": 1})
    assert shape.to_json(shape.from_json({"Number": 1, "Tip": None})) == {"Number": 1}


def test_a_field_with_a_default_may_be_left_out(shop):
    assert shop["shop.Customer"].from_json({"Name": "Ann"}).City == "Bern"


def test_nested_values_are_values_of_their_own_type(shop):
    parts = [{"Currency": "EUR", "Amount": 5}, {"Currency": "CHF", "Amount": 7}]
    value = shop["shop.Pay"].from_json({"Number": 1, "Parts": parts})
    part = shop["shop.Part"].rows.value
    assert value.Parts == (part(Currency="EUR", Amount=5), part(Currency="CHF", Amount=7))


def test_one_nested_object_may_stand_without_its_list(shop):
    shape = shop["shop.Pay"]
    part = {"Currency": "EUR", "Amount": 5}
    assert shape.from_json({"Number": 1, "Parts": part}) == shape.from_json({"Number": 1, "Parts": [part]})


def test_a_record_has_no_containers_but_its_tree_has(shop):
    shape = shop["shop.Bill"]
    tree = shape.from_json({"Number": 1, "Lines": [{"Dish": "Soup", "Notes": [{"Text": "hot"}]}]})
    assert tree.Lines[0].Notes[0].Text == "hot"
    assert not hasattr(shape.rows.value(Number=1), "Lines")


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({}, "Number", "got nothing"),
        ({"Number": "x"}, "Number", "int32"),
        ({"Number": 2**40}, "Number", "int32"),
        ({"Number": 1, "Nummer": 2}, "Nummer", "no field"),
        (
            {"Number": 1, "Parts": [{"Currency": "EUR", "Amount": 1}, {"Amount": 2}]},
            "Parts[1].Currency",
            "text",
        ),
        ({"Number": 1, "Parts": [{"Currency": "EUROS", "Amount": 1}]}, "Parts[0].Currency", "at most 3"),
        ({"Number": 1, "Parts": [5]}, "Parts[0]", "an object"),
        ({"Number": 1, "Parts": 5}, "Parts[0]", "an object"),
        ([], "", "an object"),
    ],
)
def test_an_error_says_where_in_the_json(shop, given, field, said):
    with pytest.raises(SchemaError, match=said) as caught:
        shop["shop.Pay"].from_json(given)
    assert caught.value.field == field


def test_an_error_says_where_in_a_tree_of_tables(shop):
    given = {"Number": 1, "Lines": [{"Dish": "Soup"}, {"Dish": "Tea", "Notes": [{}, {"Text": 5}]}]}
    with pytest.raises(SchemaError) as caught:
        shop["shop.Bill"].from_json(given)
    assert caught.value.field == "Lines[1].Notes[1].Text"


@pytest.mark.parametrize("card", ["AQ", "A===", "grüße", 5, "AQ=A"])
def test_bytes_are_strict_base64(shop, card):
    with pytest.raises(SchemaError, match="base64") as caught:
        shop["shop.Customer"].from_json({"Name": "Ann", "Card": card})
    assert caught.value.field == "Card"


def test_text_matches_its_check(shop):
    with pytest.raises(SchemaError, match=r"field Name: expected text that matches"):
        shop["shop.Customer"].from_json({"Name": "R2D2"})


def test_changes_are_checked_as_values_are(shop):
    shape = shop["shop.Customer"]
    assert shape.changes_from_json({"Card": "AQ==", "sys.IsActive": False}) == {
        "Card": b"\x01",
        "sys_IsActive": False,
    }
    with pytest.raises(SchemaError, match="matches"):
        shape.changes_from_json({"Name": "R2D2"})
    with pytest.raises(SchemaError, match="no field"):
        shape.changes_from_json({"Nam": "x"})
    with pytest.raises(SchemaError, match="an object"):
        shape.changes_from_json([])


def test_nested_mappings_that_an_extension_returns_become_values(shop):
    shape = shop["shop.Pay"]
    value = shape.rows.value(Number=1, Parts=[{"Currency": "EUR", "Amount": 5}])
    assert shape.made(value).Parts[0] == shop["shop.Part"].rows.value(Currency="EUR", Amount=5)
    assert shape.made({"Number": 1}) == shape.rows.value(Number=1)
    with pytest.raises(SchemaError, match=r"Parts\[0\]"):
        shape.made(shape.rows.value(Number=1, Parts=[{"Amount": 5}]))
    with pytest.raises(SchemaError, match=r"a value of shop.Pay"):
        shape.made(shop["shop.Part"].rows.value(Currency="EUR", Amount=5))


values = st.fixed_dictionaries(
    {"Number": st.integers(-(2**31), 2**31 - 1)},
    optional={
        "Tip": st.integers(-(2**63), 2**63 - 1),
        "Parts": st.lists(
            st.fixed_dictionaries({"Currency": st.text(max_size=3), "Amount": st.integers(0, 9)}), min_size=1
        ),
    },
)


@given(values)
def test_rows_and_json_say_the_same(shop, given):
    shape = shop["shop.Pay"]
    value = shape.from_json(given)
    assert shape.decode(shape.encode(value)) == value == shape.from_json(shape.to_json(value))


def test_a_tree_goes_to_a_row_and_back(shop):
    shape = shop["shop.Bill"]
    tree = shape.from_json(
        {"Number": 1, "Lines": [{"Dish": "Soup", "Notes": [{"Text": "hot"}]}, {"Dish": "Tea"}]}
    )
    assert shape.decode_tree(shape.encode(tree)) == tree


V1 = """
APPLICATION shop();
WORKSPACE W (
    TABLE T INHERITS sys.CDoc (Kept int32, Gone text, Wider int8, Other text, Narrow float64);
    TYPE P (Kept int32, Gone text, Inner Q);
    TYPE Q (Kept int32, Gone text);
);
"""
V2 = """
APPLICATION shop();
WORKSPACE W (
    TABLE T INHERITS sys.CDoc (New bytes NOT NULL, Wider int64, Kept int32, Other int32, Narrow int32);
    TYPE P (New text, Kept int32, Inner Q);
    TYPE Q (New text, Kept int32);
);
"""


def test_versions_of_an_app_read_each_other_s_rows(schemas_of):
    old, new = schemas_of(V1)["shop.T"], schemas_of(V2)["shop.T"]
    row = old.encode(old.rows.value(Kept=1, Gone="x", Wider=7, Other="text", Narrow=2.5))
    assert new.to_json(new.decode(row)) == {"Kept": 1, "Wider": 7}
    row = new.encode(new.rows.value(Kept=1, New=b"n", Wider=2**40, Other=5, Narrow=3))
    assert old.to_json(old.decode(row)) == {"Kept": 1, "Wider": 2**40, "Narrow": 3.0}


def test_versions_of_an_app_read_each_other_s_nested_values(schemas_of):
    old, new = schemas_of(V1)["shop.P"], schemas_of(V2)["shop.P"]
    row = old.encode(old.from_json({"Kept": 1, "Gone": "x", "Inner": [{"Kept": 2, "Gone": "y"}]}))
    assert new.to_json(new.decode(row)) == {"Kept": 1, "Inner": ({"Kept": 2},)}


def test_a_view_needs_all_of_its_key(shop):
    view = shop["shop.Turnover"]
    assert (view.partition_key, view.clustering_columns) == (("Year",), ("Day", "Currency"))
    with pytest.raises(SchemaError, match="Currency"):
        view.rows.key(1, Year=2026, Day=5)


def test_an_entity_is_what_a_storage_needs(shop):
    shape = shop["shop.Bill"]
    entity = shape.entity
    assert (entity.name, entity.key_class, entity.value_class) == (
        "shop.Bill",
        shape.rows.Key,
        shape.rows.Value,
    )
    assert [field.name for field in entity.key] == ["ID", "IsSingleton"]
    assert [field.name for field in entity.value_fields][:2] == ["sys.QName", "sys.ID"]


def test_a_request_does_not_set_what_has_to_be_proven(schemas_of):
    schemas = schemas_of("""
        APPLICATION shop();
        WORKSPACE W (
            TABLE T INHERITS sys.CDoc (
                Mail text VERIFIABLE, Name text, Others TABLE O (Phone text VERIFIABLE)
            );
        );
    """)
    shape = schemas["shop.T"]
    assert shape.from_json({"Name": "Ann", "Mail": None}).Mail is None
    for request in ({"Mail": "ann@example.org"}, {"Others": [{"Phone": "1"}]}):
        with pytest.raises(SchemaError, match="no value from a request"):
            shape.from_json(request)
    with pytest.raises(SchemaError, match="VERIFIABLE"):
        shape.changes_from_json({"Mail": "ann@example.org"})
    assert shape.changes_from_json({"Mail": None}) == {"Mail": None}
    # An extension of the app may: it has seen the proof.
    assert shape.rows.value(Mail="ann@example.org").Mail == "ann@example.org"


def test_values_of_a_type_within_itself_are_not_endless(schemas_of):
    schemas = schemas_of("""
        APPLICATION shop();
        WORKSPACE W (TYPE T (A int32, Inner Other); TYPE Other (Outer T););
    """)
    shape = schemas["shop.T"]
    request = {"A": 1}
    for _ in range(3):
        request = {"Inner": [{"Outer": [request]}]}
    assert json.loads(msgspec.json.encode(shape.from_json(request))) == request
    for _ in range(5000):
        request = {"Inner": [{"Outer": [request]}]}
    with pytest.raises(SchemaError, match="expected at most 100 levels"):
        shape.from_json(request)

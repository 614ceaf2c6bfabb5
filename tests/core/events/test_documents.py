"""Documents: records with records nested in them."""

from __future__ import annotations

import pytest

from statehold.events import BrokenReferenceError, RecordError

BILL = {
    "sys.ID": 1,
    "Number": 1,
    "Lines": [
        {"sys.ID": 2, "Dish": "Soup", "Notes": [{"Text": "hot"}, {"Text": "salt"}]},
        {"Dish": "Tea"},
    ],
}


@pytest.fixture
def bill(unit, shop, ws):
    unit.insert(ws, shop["shop.Bill"].from_json(BILL))
    return unit.append("shop.Other", ws, registered_at=1)


def test_a_document_is_as_many_records_as_it_has_parts(bill):
    assert [(cud.table, cud.value.sys_ParentID, cud.value.sys_Container) for cud in bill.cuds] == [
        ("shop.Bill", None, None),
        ("shop.Line", 200_001, "Lines"),
        ("shop.Note", 200_002, "Notes"),
        ("shop.Note", 200_002, "Notes"),
        ("shop.Line", 200_001, "Lines"),
    ]
    assert bill.new_ids == {1: 200_001, 2: 200_002}


def test_a_document_is_read_with_all_that_is_nested(bill, unit, shop, ws):
    document = shop["shop.Bill"].to_json(unit.document(ws, unit.record(ws, 200_001)))
    assert [line["Dish"] for line in document["Lines"]] == ["Soup", "Tea"]
    assert [note["Text"] for note in document["Lines"][0]["Notes"]] == ["hot", "salt"]
    assert document["Lines"][0]["sys.ParentID"] == document["sys.ID"] == 200_001


def test_children_are_found_by_container(bill, unit, ws):
    assert [one.Dish for one in unit.children(ws, 200_001)] == ["Soup", "Tea"]
    assert [one.Text for one in unit.children(ws, 200_002, "Notes")] == ["hot", "salt"]
    assert list(unit.children(ws, 200_002, "Lines")) == []


def test_a_record_is_added_to_a_document_that_is_there(bill, unit, shop, ws):
    line = {"sys.ParentID": 200_001, "sys.Container": "Lines", "Dish": "Pie"}
    unit.insert(ws, shop["shop.Line"].from_json(line))
    unit.append("shop.Other", ws, registered_at=1)
    assert [one.Dish for one in unit.children(ws, 200_001, "Lines")] == ["Soup", "Tea", "Pie"]


def test_a_record_is_added_to_one_that_comes_with_it(unit, shop, ws):
    unit.insert(ws, shop["shop.Line"].from_json({"sys.ParentID": 9, "sys.Container": "Lines", "Dish": "Pie"}))
    unit.insert(ws, shop["shop.Bill"].from_json({"sys.ID": 9, "Number": 1}))
    event = unit.append("shop.Other", ws, registered_at=1)
    assert [one.Dish for one in unit.children(ws, event.new_ids[9])] == ["Pie"]


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({}, RecordError, "expected sys.ParentID and sys.Container"),
        ({"sys.ParentID": 200_001}, RecordError, "expected sys.ParentID and sys.Container"),
        ({"sys.ParentID": 99, "sys.Container": "Lines"}, BrokenReferenceError, "there is no record 99"),
        (
            {"sys.ParentID": 200_001, "sys.Container": "Rows"},
            RecordError,
            "does not have it in a container 'Rows'",
        ),
        ({"sys.ParentID": 200_002, "sys.Container": "Lines"}, RecordError, "it has: Notes"),
    ],
)
def test_a_nested_record_has_its_place(bill, unit, shop, ws, fields, error, said):
    unit.insert(ws, shop["shop.Line"].from_json({"Dish": "Pie", **fields}))
    with pytest.raises(error, match=said):
        unit.append("shop.Other", ws, registered_at=1)


def test_a_document_is_nested_in_nothing(bill, unit, shop, ws):
    unit.insert(ws, shop["shop.Bill"].from_json({"Number": 2, "sys.ParentID": 200_001}))
    with pytest.raises(RecordError, match="a document is not nested in another record"):
        unit.append("shop.Other", ws, registered_at=1)


def test_an_operational_document_as_argument_is_stored(data, unit, shop, ws):
    order = shop["shop.Order"].from_json(
        {"sys.ID": 1, "Number": 5, "Items": [{"sys.ID": 2, "Dish": "Soup"}, {"Dish": "Tea", "Replaces": 2}]}
    )
    event = unit.append("shop.PlaceOrder", ws, registered_at=1, argument=order)
    assert event.new_ids == {1: 200_001, 2: 200_002}
    argument = event.argument
    assert [one.sys_ID for one in (argument, *argument.Items)] == [200_001, 200_002, 200_003]
    assert argument.Items[1].Replaces == 200_002
    assert [cud.table for cud in event.cuds] == ["shop.Order", "shop.Item", "shop.Item"]
    assert unit.document(ws, unit.record(ws, 200_001)) == argument
    unit.commit()
    (read,) = data.reader(shop).events(ws, event.wlog_offset)
    assert (read.argument, read.argument_name, read.cuds) == (argument, "shop.Order", event.cuds)


def test_a_document_that_refers_to_a_record_of_the_same_command(unit, shop, ws):
    unit.insert(ws, shop["shop.Customer"].from_json({"sys.ID": 7, "Name": "Ann"}))
    order = shop["shop.Order"].from_json({"Number": 5, "Customer": 7})
    event = unit.append("shop.PlaceOrder", ws, registered_at=1, argument=order)
    assert event.argument.Customer == event.new_ids[7]

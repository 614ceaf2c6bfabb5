"""Records: made and changed by events, found by id."""

from __future__ import annotations

import pytest

from statehold.events import (
    BrokenReferenceError,
    ConflictError,
    RecordError,
    RecordMissingError,
    WorkspaceError,
    create_workspace,
)
from statehold.sdk import SchemaError


@pytest.fixture
def run(data, shop, ws):
    """Commits an event of new records, given as (table, fields), and returns it."""

    def run(*records, **more):
        unit = data.begin(shop)
        for table, fields in records:
            unit.insert(ws, shop[f"shop.{table}"].from_json(fields))
        event = unit.append("shop.Other", ws, registered_at=5, **more)
        unit.commit()
        return event

    return run


@pytest.fixture
def change(data, shop, ws):
    def change(record, **changes):
        unit = data.begin(shop)
        unit.change(ws, record, changes)
        event = unit.append("shop.Other", ws, registered_at=6)
        unit.commit()
        return event

    return change


def test_a_new_record_has_a_real_id_its_table_and_is_active(run, data, shop, ws):
    event = run(("Customer", {"sys.ID": 7, "Name": "Ann"}))
    assert event.new_ids == {7: 200_001}
    record = data.reader(shop).record(ws, 200_001)
    assert shop.of(record).to_json(record) == {
        "sys.QName": "shop.Customer",
        "sys.ID": 200_001,
        "sys.IsActive": True,
        "Name": "Ann",
        "City": "Bern",
    }


def test_ids_ascend_within_a_workspace_and_start_anew_in_the_next(run, data, shop, new_workspace):
    assert [cud.id for cud in run(("Bill", {"Number": 1}), ("Bill", {"Number": 2})).cuds] == [
        200_001,
        200_002,
    ]
    assert [cud.id for cud in run(("Bill", {"Number": 3})).cuds] == [200_003]
    other = new_workspace()
    unit = data.begin(shop)
    unit.insert(other, shop["shop.Bill"].from_json({"Number": 1}))
    assert unit.append("shop.Other", other, registered_at=5).cuds[0].id == 200_001


def test_a_record_needs_no_raw_id(run):
    event = run(("Bill", {"Number": 1}))
    assert event.new_ids == {}


@pytest.mark.parametrize("raw", [0, 65_536, 200_001])
def test_a_new_record_has_a_raw_id_or_none(run, raw):
    with pytest.raises(RecordError, match="raw id from 1 to 65535"):
        run(("Bill", {"sys.ID": raw, "Number": 1}))


def test_two_new_records_have_two_raw_ids(run):
    with pytest.raises(RecordError, match="two new records have the raw id 1"):
        run(("Bill", {"sys.ID": 1, "Number": 1}), ("Bill", {"sys.ID": 1, "Number": 2}))


def test_new_records_may_refer_to_each_other_in_any_order(run, data, shop, ws):
    event = run(
        ("Bill", {"sys.ID": 1, "Number": 1, "Customer": 2, "Previous": 1}),
        ("Customer", {"sys.ID": 2, "Name": "Ann"}),
    )
    bill = data.reader(shop).record(ws, event.new_ids[1])
    assert (bill.Customer, bill.Previous) == (event.new_ids[2], event.new_ids[1])


def test_a_reference_to_a_record_that_is_there_is_kept(run):
    customer = run(("Customer", {"Name": "Ann"})).cuds[0].id
    assert run(("Bill", {"Number": 1, "Customer": customer})).cuds[0].value.Customer == customer


@pytest.mark.parametrize("missing", [3, 200_077])
def test_a_reference_to_nothing_is_refused(run, missing):
    with pytest.raises(
        BrokenReferenceError, match=rf"shop.Bill: field Customer: there is no record {missing}"
    ):
        run(("Bill", {"Number": 1, "Customer": missing}))


def test_a_reference_to_another_table_is_refused(run):
    with pytest.raises(
        BrokenReferenceError, match=r"record 1 is a shop.Bill. expected a record of shop.Customer"
    ):
        run(("Bill", {"sys.ID": 1, "Number": 1, "Customer": 1}))


def test_a_reference_of_zero_is_none(run):
    assert run(("Bill", {"Number": 1, "Customer": 0})).cuds[0].value.Customer is None


def test_a_change_sets_fields_and_leaves_the_others(run, change, data, shop, ws):
    record = run(("Bill", {"Number": 1, "Total": 5})).cuds[0].id
    event = change(record, Total=7)
    (cud,) = event.cuds
    assert (cud.is_new, cud.id, cud.changes) == (False, record, {"Total": 7})
    assert (cud.value.sys_ID, cud.value.Total, cud.value.Number) == (record, 7, None)
    found = data.reader(shop).record(ws, record)
    assert (found.Number, found.Total) == (1, 7)


def test_a_change_to_null_clears_the_field(run, change, data, shop, ws):
    record = run(("Bill", {"Number": 1, "Total": 5})).cuds[0].id
    assert change(record, Total=None).cuds[0].changes == {"Total": None}
    assert data.reader(shop).record(ws, record).Total is None


def test_an_update_changes_only_what_differs(run, data, shop, ws):
    record = run(("Bill", {"Number": 1, "Total": 5})).cuds[0].value
    one = shop["shop.Bill"].rows.value(sys_ID=record.sys_ID, Number=1, Total=8, **_system(record))
    two = shop["shop.Bill"].rows.value(sys_ID=record.sys_ID, Number=2, Total=5, **_system(record))
    unit = data.begin(shop)
    unit.update(ws, one)
    unit.update(ws, two)
    unit.update(ws, record)
    event = unit.append("shop.Other", ws, registered_at=6)
    unit.commit()
    assert [cud.changes for cud in event.cuds] == [{"Total": 8}, {"Number": 2}]
    found = data.reader(shop).record(ws, record.sys_ID)
    assert (found.Number, found.Total) == (2, 8)


def _system(record):
    return {"sys_QName": record.sys_QName, "sys_IsActive": record.sys_IsActive}


def test_a_changed_reference_may_be_to_a_new_record(run, data, shop, ws):
    record = run(("Bill", {"Number": 1})).cuds[0].id
    unit = data.begin(shop)
    unit.change(ws, record, {"Customer": 5})
    unit.insert(ws, shop["shop.Customer"].from_json({"sys.ID": 5, "Name": "Ann"}))
    event = unit.append("shop.Other", ws, registered_at=6)
    assert event.cuds[0].changes == {"Customer": event.new_ids[5]}
    assert unit.record(ws, record).Customer == event.new_ids[5]


def test_what_is_not_there_cannot_be_changed(unit, ws, shop):
    with pytest.raises(RecordMissingError, match=f"there is no record 200009 in workspace {ws}"):
        unit.change(ws, 200_009, {})
    with pytest.raises(RecordMissingError, match=r"there is no shop.Bill 200009"):
        unit.update(ws, shop["shop.Bill"].rows.value(sys_ID=200_009, Number=1))


def test_a_record_of_another_table_is_not_updated(run, unit, ws, shop):
    record = run(("Customer", {"Name": "Ann"})).cuds[0].id
    with pytest.raises(RecordMissingError, match=r"there is no shop.Bill"):
        unit.update(ws, shop["shop.Bill"].rows.value(sys_ID=record, Number=1))


@pytest.mark.parametrize("name", ["sys_ID", "sys_QName", "sys_ParentID", "sys_Container"])
def test_system_fields_stay(run, change, name):
    record = run(("Bill", {"Number": 1})).cuds[0].id
    with pytest.raises(RecordError, match="of a record cannot be changed"):
        change(record, **{name: "x"})


def test_what_is_not_null_stays_so(run, change):
    record = run(("Bill", {"Number": 1})).cuds[0].id
    with pytest.raises(SchemaError, match="field Number: expected a value"):
        change(record, Number=None)


def test_a_change_matches_its_check(run, change):
    record = run(("Customer", {"Name": "Ann"})).cuds[0].id
    with pytest.raises(SchemaError, match="matches"):
        change(record, Name="R2D2")


def test_a_new_record_matches_its_check(unit, ws, shop):
    with pytest.raises(SchemaError, match="matches"):
        unit.insert(ws, shop["shop.Customer"].rows.value(Name="R2D2"))


def test_a_record_is_deactivated_and_activated(run, change, data, shop, ws):
    record = run(("Customer", {"Name": "Ann"})).cuds[0].id
    assert change(record, sys_IsActive=False).cuds[0].changes == {"sys.IsActive": False}
    assert data.reader(shop).record(ws, record).sys_IsActive is False
    change(record, sys_IsActive=True)
    assert data.reader(shop).record(ws, record).sys_IsActive is True


def test_operational_documents_are_never_changed(run, change):
    record = run(("Order", {"Number": 1})).cuds[0].id
    with pytest.raises(RecordError, match=r"shop.Order is an ODoc, whose records are never changed"):
        change(record, Number=2)


def test_a_singleton_is_found_without_its_id(run, data, shop, ws):
    reader = data.reader(shop)
    assert reader.singleton(ws, shop["shop.Settings"]) is None
    event = run(("Settings", {"sys.ID": 3, "Theme": "dark"}))
    assert 65_536 < event.new_ids[3] < 200_001
    assert reader.singleton(ws, shop["shop.Settings"]).Theme == "dark"


def test_a_singleton_has_the_same_id_in_every_workspace(run, data, store, shop, new_workspace):
    first = run(("Settings", {}))
    other = new_workspace()
    from statehold.events import PartitionData

    unit = PartitionData(store, 1).begin(shop)
    unit.insert(other, shop["shop.Settings"].from_json({}))
    assert unit.append("shop.Other", other, registered_at=1).cuds[0].id == first.cuds[0].id


def test_a_second_singleton_is_a_conflict(run):
    record = run(("Settings", {})).cuds[0].id
    with pytest.raises(ConflictError, match=r"has its shop.Settings already") as caught:
        run(("Settings", {}))
    assert (caught.value.record, caught.value.fields) == (record, ())
    with pytest.raises(ConflictError):
        run(("ShopDescriptor", {"Title": "again"}))


def test_two_singletons_of_one_event_are_a_conflict(data, shop, new_workspace):
    ws = new_workspace()
    unit = data.begin(shop)
    unit.insert(ws, shop["shop.Settings"].from_json({}))
    unit.insert(ws, shop["shop.Settings"].from_json({}))
    with pytest.raises(ConflictError):
        unit.append("shop.Other", ws, registered_at=1)


def test_an_event_changes_records_of_its_own_workspace(data, shop, ws, new_workspace):
    unit = data.begin(shop)
    unit.insert(new_workspace(), shop["shop.Bill"].from_json({"Number": 1}))
    with pytest.raises(RecordError, match="a command changes records of the workspace that it runs in"):
        unit.append("shop.Other", ws, registered_at=1)


def test_a_table_belongs_to_the_kind_of_the_workspace(data, shop, unit, new_workspace):
    empty = new_workspace("shop.EmptyWS")
    said = f"workspace {empty} is a shop.EmptyWS, which has no shop.Settings"
    with pytest.raises(WorkspaceError, match=said):
        unit.insert(empty, shop["shop.Settings"].from_json({}))
    with pytest.raises(WorkspaceError, match=said):
        unit.singleton(empty, shop["shop.Settings"])


def test_records_are_got_many_at_a_time_in_the_order_asked(run, data, shop, ws):
    ids = [cud.id for cud in run(("Bill", {"Number": 1}), ("Customer", {"Name": "Ann"})).cuds]
    found = data.reader(shop).records([(ws, ids[1]), (ws, 5), (ws, ids[0]), (ws, ids[1])], shop["shop.Bill"])
    assert [one and one.sys_QName for one in found] == ["shop.Customer", None, "shop.Bill", "shop.Customer"]


def test_a_value_that_is_no_record_is_refused(unit, ws, shop):
    with pytest.raises(RecordError, match=r"expected a record of a table, got a value of shop.Pay"):
        unit.insert(ws, shop["shop.Pay"].from_json({"Number": 1}))


def test_configuration_documents_are_listed(run, change, data, shop, ws):
    ids = [cud.id for cud in run(("Customer", {"Name": "A"}), ("Customer", {"Name": "B"})).cuds]
    run(*(("Customer", {"Name": "C", "City": f"C{i}"}) for i in range(150)))
    change(ids[1], sys_IsActive=False)
    reader, shape = data.reader(shop), shop["shop.Customer"]
    assert len(list(reader.documents(ws, shape))) == 152
    assert [one.Name for one in reader.documents(ws, shape, limit=2)] == ["A", "B"]
    assert [one.sys_ID for one in reader.documents(ws, shape, start=ids[1], limit=1)] == [ids[1]]


def test_a_later_version_s_fields_survive_a_change_by_an_earlier_one(schemas_of, store, data):
    from statehold.events import allocate_workspace, create_workspace

    text = "APPLICATION shop(); WORKSPACE W (DESCRIPTOR D (); TABLE T INHERITS sys.WDoc (A int32 {more}););"
    old, new = schemas_of(text.format(more="")), schemas_of(text.format(more=", B int32"))
    ws = allocate_workspace(store)
    unit = data.begin(new)
    create_workspace(unit, ws, kind="shop.W", name="w", registered_at=1)
    unit.insert(ws, new["shop.T"].from_json({"A": 1, "B": 2}))
    record = unit.append("shop.C", ws, registered_at=1).cuds[0].id
    unit.commit()
    unit = data.begin(old)
    unit.change(ws, record, {"A": 3})
    unit.append("shop.C", ws, registered_at=1)
    unit.commit()
    found = data.reader(new).record(ws, record)
    assert (found.A, found.B) == (3, 2)


def test_an_abstract_table_has_no_records(schemas_of, data):
    schemas = schemas_of("""
        APPLICATION shop();
        WORKSPACE W (
            ABSTRACT TABLE Base INHERITS sys.CDoc (A int32);
            TABLE T INHERITS Base (B int32);
        );
    """)
    unit = data.begin(schemas)
    create_workspace(unit, 5, kind="shop.W", name="w", registered_at=1)
    unit.insert(5, schemas["shop.T"].from_json({"A": 1, "B": 2}))
    with pytest.raises(RecordError, match=r"shop\.Base is abstract"):
        unit.insert(5, schemas["shop.Base"].from_json({"A": 1}))

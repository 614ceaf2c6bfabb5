"""Triggers: which projectors an event wakes."""

from __future__ import annotations

import pytest

from statehold.events import EventError, Triggers

KIND = "shop.ShopWS"


@pytest.fixture(scope="module")
def triggers(shop):
    return Triggers(shop)


@pytest.fixture
def woken(triggers, shop, unit, ws):
    """Appends an event and returns the names of the projectors it wakes."""

    def woken(name="shop.Other", *records, changes=None, kind=KIND, **more):
        for table, fields in records:
            unit.insert(ws, shop[f"shop.{table}"].from_json(fields))
        for record, fields in (changes or {}).items():
            unit.change(ws, record, fields)
        event = unit.append(name, ws, registered_at=1, **more)
        names = ["Count", "Index", "OnPay", "OnFlag", "OnAny", "OnOrder", "Failures", "BillFailures"]
        found = {each for each in names if triggers.wakes(f"shop.{each}", event, kind)}
        sync = [each.name.name for each in triggers.sync(event, kind)]
        assert sync == [each for each in names[:2] if each in found]
        return found

    return woken


def test_a_command_wakes_by_its_name(woken):
    assert woken("shop.PayBill") == {"Count", "Failures"}
    assert woken("shop.Other") == set()


def test_a_command_wakes_by_the_type_of_its_argument(woken, shop):
    argument = shop["shop.Pay"].from_json({"Number": 1})
    assert woken("shop.Other", argument=argument) == {"OnPay"}


def test_a_new_record_wakes_by_its_table_and_its_kind(woken):
    assert woken("shop.Other", ("Bill", {"Number": 1})) == {"Index", "OnAny"}
    assert woken("shop.Other", ("Customer", {"Name": "Ann"})) == set()


def test_nested_records_are_of_a_kind_too(woken, unit, shop, ws, triggers):
    woken("shop.Other", ("Bill", {"sys.ID": 1, "Number": 1}))
    line = {"sys.ParentID": 200_001, "sys.Container": "Lines", "Dish": "Soup"}
    assert woken("shop.Other", ("Line", line)) == {"OnAny"}


def test_an_operational_document_as_argument_wakes_by_insert(woken, shop):
    assert woken("shop.PlaceOrder", argument=shop["shop.Order"].from_json({"Number": 1})) == {"OnOrder"}


def test_a_change_wakes_by_update_and_one_of_the_flag_by_its_own_words(woken):
    woken("shop.Other", ("Bill", {"Number": 1}), ("Customer", {"Name": "Ann"}))
    assert woken(changes={200_001: {"Total": 5}}) == {"Index", "BillFailures"}
    assert woken(changes={200_001: {"sys_IsActive": False}}) == set()
    assert woken(changes={200_001: {"sys_IsActive": True, "Total": 6}}) == {"Index", "BillFailures"}
    assert woken(changes={200_002: {"sys_IsActive": False}}) == {"OnFlag"}
    assert woken(changes={200_002: {"sys_IsActive": True}}) == {"OnFlag"}
    assert woken(changes={200_002: {"City": "Rome"}}) == set()


def test_a_failure_wakes_only_those_who_want_errors(woken):
    assert woken("shop.PayBill", error=EventError(message="no", command="shop.PayBill")) == {
        "Failures",
        "BillFailures",
    }
    assert woken("shop.Other", error=EventError(message="no", command="shop.Other")) == set()


def test_a_failure_is_logged_where_somebody_waits_for_it(triggers):
    assert triggers.wants_error("shop.PayBill", "shop.Pay", KIND)
    assert not triggers.wants_error("shop.Other", "", KIND)
    assert not triggers.wants_error("sys.CUD", "", KIND)
    assert not triggers.wants_error("shop.PayBill", "shop.Pay", "shop.EmptyWS")


def test_a_projector_works_where_its_workspace_is(woken):
    assert woken("shop.PayBill", kind="shop.EmptyWS") == set()
    assert woken("shop.PayBill", kind="shop.Gone") == set()


def test_an_app_without_sync_projectors_wakes_none(schemas_of, unit, ws):
    triggers = Triggers(schemas_of("APPLICATION shop(); WORKSPACE W (TABLE T INHERITS sys.CDoc (A int32););"))
    assert not triggers.sync(unit.append("shop.Other", ws, registered_at=1), KIND)
    assert not triggers.wants_error("shop.Other", "", KIND)

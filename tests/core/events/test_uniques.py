"""Uniques: values that occur once in a workspace."""

from __future__ import annotations

import math

import pytest

from statehold.events import ConflictError, WorkspaceError, create_workspace
from statehold.sdk import SchemaError


@pytest.fixture
def add(data, shop):
    def add(workspace, table="Customer", **fields):
        unit = data.begin(shop)
        unit.insert(workspace, shop[f"shop.{table}"].from_json(fields))
        event = unit.append("shop.Other", workspace, registered_at=1)
        unit.commit()
        return event.cuds[0].id

    return add


@pytest.fixture
def change(data, shop, ws):
    def change(record, **changes):
        unit = data.begin(shop)
        unit.change(ws, record, changes)
        unit.append("shop.Other", ws, registered_at=1)
        unit.commit()

    return change


@pytest.fixture
def holder(data, shop, ws):
    def holder(name, city="Bern"):
        return data.reader(shop).unique(ws, shop["shop.Customer"], {"Name": name, "City": city})

    return holder


def test_the_record_of_unique_values_is_found(add, holder, data, shop, ws):
    record = add(ws, Name="Ann", City="Rome")
    assert holder("Ann", "Rome") == record
    assert holder("Ann") is None
    bill = add(ws, "Bill", Number=5)
    assert data.reader(shop).unique(ws, shop["shop.Bill"], {"Number": 5}) == bill


def test_a_second_record_of_the_same_values_is_a_conflict(add, ws):
    record = add(ws, Name="Ann")
    with pytest.raises(ConflictError, match="City = 'Bern', Name = 'Ann' already") as caught:
        add(ws, Name="Ann")
    assert (caught.value.record, caught.value.fields) == (record, ("City", "Name"))
    add(ws, Name="Ann", City="Rome")


def test_two_of_one_event_are_a_conflict(unit, shop, ws):
    unit.insert(ws, shop["shop.Bill"].from_json({"Number": 1}))
    unit.insert(ws, shop["shop.Bill"].from_json({"Number": 1}))
    with pytest.raises(ConflictError):
        unit.append("shop.Other", ws, registered_at=1)


def test_two_of_one_batch_are_a_conflict(unit, shop, ws):
    for expected in (True, False):
        inner = unit.begin()
        inner.insert(ws, shop["shop.Bill"].from_json({"Number": 1}))
        if expected:
            inner.append("shop.Other", ws, registered_at=1)
            inner.merge()
        else:
            with pytest.raises(ConflictError):
                inner.append("shop.Other", ws, registered_at=1)


def test_values_are_unique_in_a_workspace_only(add, ws, new_workspace):
    add(ws, Name="Ann")
    add(new_workspace(), Name="Ann")


def test_a_change_moves_the_values(add, change, holder, ws):
    record = add(ws, Name="Ann")
    change(record, Name="Bob")
    assert (holder("Ann"), holder("Bob")) == (None, record)
    add(ws, Name="Ann")
    with pytest.raises(ConflictError):
        change(record, Name="Ann")


def test_a_change_of_other_fields_leaves_the_values(add, change, holder, ws):
    record = add(ws, Name="Ann")
    change(record, Card=b"x")
    assert holder("Ann") == record


def test_values_of_a_record_that_is_not_active_are_free(add, change, holder, ws):
    record = add(ws, Name="Ann")
    change(record, sys_IsActive=False)
    assert holder("Ann") is None
    other = add(ws, Name="Ann")
    with pytest.raises(ConflictError):
        change(record, sys_IsActive=True)
    change(other, Name="Bob")
    change(record, sys_IsActive=True)
    assert (holder("Ann"), holder("Bob")) == (record, other)


def test_a_record_that_comes_inactive_takes_no_values(add, holder, ws):
    add(ws, Name="Ann", **{"sys.IsActive": False})
    assert holder("Ann") is None


def test_null_is_in_nobody_s_way(schemas_of, store, data):
    from statehold.events import allocate_workspace, create_workspace

    schemas = schemas_of("""
        APPLICATION shop();
        WORKSPACE W (DESCRIPTOR D (); TABLE T INHERITS sys.WDoc (A int32, B int32, UNIQUE (A, B)););
    """)
    ws = allocate_workspace(store)
    unit = data.begin(schemas)
    create_workspace(unit, ws, kind="shop.W", name="w", registered_at=1)
    for _ in range(2):
        unit.insert(ws, schemas["shop.T"].from_json({"A": 1}))
    unit.append("shop.C", ws, registered_at=1)
    assert unit.unique(ws, schemas["shop.T"], {"A": 1, "B": None}) is None


def test_long_values_are_unique_too(schemas_of, store, data):
    from statehold.events import allocate_workspace, create_workspace

    schemas = schemas_of("""
        APPLICATION shop();
        WORKSPACE W (DESCRIPTOR D (); TABLE T INHERITS sys.WDoc (A varchar(60000), UNIQUEFIELD A););
    """)
    ws = allocate_workspace(store)
    unit = data.begin(schemas)
    create_workspace(unit, ws, kind="shop.W", name="w", registered_at=1)
    shape, texts = schemas["shop.T"], ["ü" * 60_000, "ü" * 59_999]
    for text in texts:
        unit.insert(ws, shape.from_json({"A": text}))
    ids = [cud.id for cud in unit.append("shop.C", ws, registered_at=1).cuds]
    assert [unit.unique(ws, shape, {"A": text}) for text in texts] == ids
    unit.insert(ws, shape.from_json({"A": texts[0]}))
    with pytest.raises(ConflictError, match="A = 'üüü") as caught:
        unit.append("shop.C", ws, registered_at=1)
    assert len(str(caught.value)) < 300


def test_the_fields_of_a_unique_are_all_or_nothing(unit, shop, ws):
    with pytest.raises(SchemaError, match=r"\(Name\) are not the fields of a UNIQUE") as caught:
        unit.unique(ws, shop["shop.Customer"], {"Name": "Ann"})
    assert caught.value.expected == "(City, Name)"
    with pytest.raises(SchemaError, match="not the fields"):
        unit.unique(ws, shop["shop.Settings"], {"Theme": "x"})


def test_the_table_belongs_to_the_workspace(unit, shop, new_workspace):
    with pytest.raises(WorkspaceError):
        unit.unique(new_workspace("shop.EmptyWS"), shop["shop.Bill"], {"Number": 1})


def test_a_version_that_orders_the_fields_otherwise_finds_the_same(schemas_of, store, data):
    from statehold.events import allocate_workspace, create_workspace

    table = "TABLE T INHERITS sys.WDoc (A int32, B int32, {u});"
    text = f"APPLICATION shop(); WORKSPACE W (DESCRIPTOR D (); {table});"
    old, new = (schemas_of(text.format(u=u)) for u in ("UNIQUE (A, B)", "CONSTRAINT c UNIQUE (B, A)"))
    ws = allocate_workspace(store)
    unit = data.begin(old)
    create_workspace(unit, ws, kind="shop.W", name="w", registered_at=1)
    unit.insert(ws, old["shop.T"].from_json({"A": 1, "B": 2}))
    record = unit.append("shop.C", ws, registered_at=1).cuds[0].id
    unit.commit()
    assert data.reader(new).unique(ws, new["shop.T"], {"A": 1, "B": 2}) == record


def test_one_event_may_exchange_values(add, change, data, shop, ws):
    one, two = add(ws, "Bill", Number=1), add(ws, "Bill", Number=2)
    unit = data.begin(shop)
    unit.change(ws, one, {"Number": 2})
    unit.change(ws, two, {"Number": 1})
    unit.append("shop.Other", ws, registered_at=1)
    unit.commit()
    found = [data.reader(shop).unique(ws, shop["shop.Bill"], {"Number": number}) for number in (1, 2)]
    assert found == [two, one]


def test_one_event_may_take_what_it_frees_in_any_order(add, data, shop, ws):
    old = add(ws, "Bill", Number=1)
    unit = data.begin(shop)
    unit.insert(ws, shop["shop.Bill"].from_json({"Number": 1}))
    unit.change(ws, old, {"sys_IsActive": False})
    event = unit.append("shop.Other", ws, registered_at=1)
    unit.commit()
    new = event.cuds[0].id
    assert data.reader(shop).unique(ws, shop["shop.Bill"], {"Number": 1}) == new
    with pytest.raises(ConflictError, match=f"record {new}"):
        add(ws, "Bill", Number=1)


def test_of_many_changes_of_one_record_the_last_counts(add, data, shop, ws):
    record = add(ws, "Bill", Number=1)
    unit = data.begin(shop)
    for number in (2, 3):
        unit.change(ws, record, {"Number": number})
    unit.append("shop.Other", ws, registered_at=1)
    unit.commit()
    unique = data.reader(shop).unique
    assert [unique(ws, shop["shop.Bill"], {"Number": number}) for number in (1, 2, 3)] == [None, None, record]


def test_a_value_without_an_order_is_refused(schemas_of, data):
    schemas = schemas_of("""
        APPLICATION shop();
        WORKSPACE W (TABLE T INHERITS sys.CDoc (Weight float64, UNIQUE (Weight)););
    """)
    unit = data.begin(schemas)
    create_workspace(unit, 5, kind="shop.W", name="w", registered_at=1)
    unit.insert(5, schemas["shop.T"].from_json({"Weight": math.nan}))
    with pytest.raises(SchemaError, match="Weight = nan: expected unique values that have an order"):
        unit.append("shop.C", 5, registered_at=1)


def test_the_names_of_many_fields_fit_into_a_key(schemas_of, data):
    fields = [f"{'F' * 240}{number}" for number in range(12)]
    schemas = schemas_of(f"""
        APPLICATION shop();
        WORKSPACE W (TABLE T INHERITS sys.CDoc (
            {", ".join(f"{name} int32" for name in fields)}, UNIQUE ({", ".join(fields)})
        ););
    """)
    unit = data.begin(schemas)
    create_workspace(unit, 5, kind="shop.W", name="w", registered_at=1)
    values = dict.fromkeys(fields, 1)
    unit.insert(5, schemas["shop.T"].from_json(values))
    event = unit.append("shop.C", 5, registered_at=1)
    unit.commit()
    assert data.reader(schemas).unique(5, schemas["shop.T"], values) == event.cuds[0].id

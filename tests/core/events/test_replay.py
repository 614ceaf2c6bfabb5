"""Replay: records, indexes and views are what the log says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statehold.events import (
    EventsError,
    LogError,
    PartitionData,
    create_workspace,
    replay,
)
from statehold.events._plog import logged
from statehold.rows import MemoryDriver
from statehold.sdk import SchemaError


def rows_of(store):
    """All rows of a store in memory but those that no event writes."""
    return {
        (partition, clustering): entry[0]
        for partition, rows in store._table.partitions.items()
        for clustering, entry in rows.entries.items()
        if not partition.startswith((b'"meta', b'"plog', b'"wlog'))
    }


def logs_of(data, schemas, workspaces):
    """The events of a partition byte by byte, and where those of its workspaces stand.

    Which of them share a row is a matter of the commits.
    """
    reader = data.reader(schemas)
    return (
        list(logged(data.store.read, data.number, 1)),
        [[(event.offset, event.wlog_offset) for event in reader.events(each)] for each in workspaces],
    )


names = st.sampled_from(["Ann", "Bob", "Cid"])
references = st.none() | st.integers(1, 4) | st.integers(200_001, 200_012)
new_record = st.one_of(
    st.tuples(
        st.just("Customer"), st.fixed_dictionaries({"Name": names}, optional={"Card": st.just("AQ==")})
    ),
    st.tuples(
        st.just("Bill"),
        st.fixed_dictionaries(
            {"Number": st.integers(1, 6)},
            optional={
                "sys.ID": st.integers(1, 4),
                "Customer": references,
                "Previous": references,
                "Lines": st.lists(st.fixed_dictionaries({"Dish": st.just("Soup")}), max_size=2),
            },
        ),
    ),
    st.tuples(st.just("Order"), st.just({"Number": 1, "Items": [{"Dish": "Tea"}]})),
    st.tuples(st.just("Settings"), st.just({"Theme": "dark"})),
)
change = st.tuples(
    st.integers(200_001, 200_012),
    st.one_of(
        st.fixed_dictionaries({"sys_IsActive": st.booleans()}),
        st.fixed_dictionaries(
            {"Number": st.integers(1, 6)}, optional={"Total": st.none() | st.integers(0, 9)}
        ),
        st.fixed_dictionaries({"Name": names}),
    ),
)
command = st.tuples(
    st.sampled_from([65_537, 65_538]),
    st.lists(new_record, max_size=3),
    st.lists(change, max_size=2),
)


def project(shop):
    view = shop["shop.Turnover"]

    def project(event, unit):
        for cud in event.cuds:
            key = view.rows.key(event.workspace, Year=1, Day=cud.id % 3, Currency=cud.table)
            before = unit.view(key)
            unit.put_view(key, view.rows.value(Count=1 + (before.Count if before else 0), Total=event.offset))

    return project


@settings(max_examples=150)
@given(st.lists(st.lists(command, min_size=1, max_size=3), max_size=6))
def test_records_indexes_and_views_are_a_replay_of_the_log(shop, batches):
    with MemoryDriver() as driver:
        data = PartitionData(driver.create("source"), 0)
        work = project(shop)
        model = {}
        unit = data.begin(shop)
        for workspace in (65_537, 65_538):
            inner = unit.begin()
            event = create_workspace(
                inner, workspace, kind="shop.ShopWS", name="x", registered_at=1, descriptor={"Title": "x"}
            )
            work(event, inner)
            inner.merge()
        for event in unit.commit():
            learn(model, event)
        for batch in batches:
            unit = data.begin(shop)
            for workspace, records, changes in batch:
                inner = unit.begin()
                try:
                    for table, fields in records:
                        inner.insert(workspace, shop[f"shop.{table}"].from_json(fields))
                    for record, fields in changes:
                        existing = inner.record(workspace, record)
                        if existing is not None and all(hasattr(existing, name) for name in fields):
                            inner.change(workspace, record, fields)
                    event = inner.append("shop.PayBill", workspace, registered_at=2)
                except (EventsError, SchemaError):
                    continue
                work(event, inner)
                inner.merge()
            for event in unit.commit():
                learn(model, event)
        target = PartitionData(driver.create("target"), 0)
        reader = data.reader(shop)
        replay(reader, target, work)
        assert rows_of(target.store) == rows_of(data.store)
        workspaces = {event.workspace for event in reader.plog()}
        assert logs_of(target, shop, workspaces) == logs_of(data, shop, workspaces)
        for (workspace, record), fields in model.items():
            value = reader.record(workspace, record)
            assert shop.of(value).to_json(value) == fields
        check_uniques(reader, shop, model)


def learn(model, event):
    """Lay the cuds of an event over a model of all records, as JSON."""
    for cud in event.cuds:
        fields = cud_fields(cud)
        known = {} if cud.is_new else model[event.workspace, cud.id]
        merged = {**known, **fields}
        model[event.workspace, cud.id] = {name: one for name, one in merged.items() if one is not None}


def cud_fields(cud):
    import msgspec

    return msgspec.to_builtins(cud.value if cud.is_new else dict(cud.changes))


def check_uniques(reader, shop, model):
    held = {}
    for (workspace, record), fields in model.items():
        shape = shop[fields["sys.QName"]]
        for unique in shape.uniques:
            if fields["sys.IsActive"]:
                values = {name: fields[name] for name in unique.fields}
                assert reader.unique(workspace, shape, values) == record
                key = workspace, shape.name, tuple(values.items())
                assert held.setdefault(key, record) == record


def test_an_event_that_is_not_the_next_is_refused(data, shop, ws, driver):
    event = next(data.reader(shop).plog())
    target = PartitionData(driver.create("target"), 0)
    unit = target.begin(shop)
    unit.apply(event)
    with pytest.raises(LogError, match=r"expected an event of offsets \(2, 2\), got one of \(1, 1\)"):
        unit.apply(event)


def test_a_replay_counts_the_events(data, shop, ws, driver):
    target = PartitionData(driver.create("target"), 0)
    assert replay(data.reader(shop), target) == 1
    assert target.reader(shop).kind(ws) == "shop.ShopWS"


def test_a_replayed_partition_finds_its_singletons(data, shop, ws, driver):
    unit = data.begin(shop)
    unit.insert(ws, shop["shop.Settings"].from_json({"Theme": "dark"}))
    unit.append("shop.Other", ws, registered_at=1)
    unit.commit()
    target = PartitionData(driver.create("target"), 0)
    replay(data.reader(shop), target)
    reader = target.reader(shop)
    assert reader.singleton(ws, shop["shop.Settings"]) == data.reader(shop).singleton(
        ws, shop["shop.Settings"]
    )

"""Logs: every event once, in dense order, per partition and per workspace."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statehold.events import ERROR_EVENT, EventError, LogError, PartitionData, RecordError
from statehold.rows import MemoryDriver, StoreFullError, StoreUnavailableError
from statehold.sdk import SchemaError


@pytest.fixture
def append(data, shop):
    def append(workspace, number, **more):
        unit = data.begin(shop)
        unit.insert(workspace, shop["shop.Bill"].from_json({"Number": number}))
        event = unit.append("shop.PayBill", workspace, registered_at=number, **more)
        unit.commit()
        return event

    return append


def test_offsets_are_dense_per_partition_and_per_workspace(append, data, shop, ws, new_workspace):
    other = new_workspace()
    for number in range(1, 7):
        append(ws if number % 3 else other, number)
    reader = data.reader(shop)
    assert [event.offset for event in reader.plog()] == list(range(1, 9))
    assert [event.wlog_offset for event in reader.events(ws)] == [1, 2, 3, 4, 5]
    assert [event.registered_at for event in reader.events(other)] == [1, 3, 6]


def test_an_event_is_read_as_it_was_appended(data, shop, ws, append):
    argument = shop["shop.Pay"].from_json({"Number": 1, "Parts": [{"Currency": "EUR", "Amount": 5}]})
    event = append(ws, 1, argument=argument)
    (read,) = data.reader(shop).plog(event.offset)
    assert read == msgspec.structs.replace(event, new_ids={})
    assert data.reader(shop).event(ws, event.wlog_offset) == read
    assert (read.name, read.argument, read.argument_name) == ("shop.PayBill", argument, "shop.Pay")


def test_an_argument_of_any_type_is_a_mapping(data, shop, ws, append):
    event = append(ws, 1, argument={"a": [1, {"b": None}], "c": 2.5})
    (read,) = data.reader(shop).plog(event.offset)
    assert (read.argument, read.argument_name) == ({"a": [1, {"b": None}], "c": 2.5}, "")


def test_logs_are_read_from_an_offset_and_up_to_a_number(append, data, shop, ws):
    for number in range(1, 251):
        append(ws, number)
    reader = data.reader(shop)
    assert [event.registered_at for event in reader.events(ws, 3, 2)] == [2, 3]
    assert [event.registered_at for event in reader.plog(250)] == [249, 250]
    assert len(list(reader.events(ws))) == 251
    assert list(reader.plog(252)) == []
    assert reader.event(ws, 252) is None


def test_the_log_of_a_workspace_of_another_partition_is_read_too(append, store, shop, ws, data):
    append(ws, 5)
    other = PartitionData(store, 3)
    assert [event.offset for event in other.reader(shop).events(ws)] == [1, 2]
    assert list(other.reader(shop).plog()) == []


def test_a_command_knows_its_offset_before_its_event(data, shop, ws):
    unit = data.begin(shop)
    inner = unit.begin()
    offset = inner.next_offset(ws)
    assert inner.append("shop.Other", ws, registered_at=1).wlog_offset == offset == 2
    assert inner.next_offset(ws) == 3


def test_a_partition_goes_on_where_its_log_ends(append, store, shop, ws):
    event = append(ws, 1)
    unit = PartitionData(store, 0).begin(shop)
    unit.insert(ws, shop["shop.Bill"].from_json({"Number": 2}))
    after = unit.append("shop.PayBill", ws, registered_at=2)
    assert (after.offset, after.wlog_offset) == (event.offset + 1, event.wlog_offset + 1)
    assert after.cuds[0].id == event.cuds[0].id + 1


def test_what_is_forgotten_takes_no_offset(append, data, shop, ws):
    unit = data.begin(shop)
    inner = unit.begin()
    inner.insert(ws, shop["shop.Bill"].from_json({"Number": 1}))
    lost = inner.append("shop.Other", ws, registered_at=1)
    other = unit.begin()
    other.insert(ws, shop["shop.Bill"].from_json({"Number": 1}))
    kept = other.append("shop.Other", ws, registered_at=2)
    assert (kept.offset, kept.wlog_offset, kept.cuds[0].id) == (
        lost.offset,
        lost.wlog_offset,
        lost.cuds[0].id,
    )
    other.merge()
    assert unit.commit() == (kept,)
    assert append(ws, 2).offset == kept.offset + 1


class Failing:
    """A store that fails to write when it is told to, before or after it has written."""

    def __init__(self, store):
        self._store = store
        self.error = None
        self.writes_first = False

    def __getattr__(self, name):
        return getattr(self._store, name)

    def write(self, changes):
        error, self.error = self.error, None
        if error is None or self.writes_first:
            outcome = self._store.write(changes)
        if error is not None:
            raise error
        return outcome


@pytest.mark.parametrize("writes_first", [False, True])
def test_after_a_failed_commit_the_log_goes_on_where_the_store_says(store, shop, ws, writes_first):
    failing = Failing(store)
    data = PartitionData(failing, 0)

    def append(number):
        unit = data.begin(shop)
        unit.insert(ws, shop["shop.Bill"].from_json({"Number": number}))
        unit.append("shop.PayBill", ws, registered_at=number)
        unit.commit()

    append(1)
    failing.writes_first = writes_first
    failing.error = (
        StoreUnavailableError("gone", unknown=True) if writes_first else StoreFullError("the disk is full")
    )
    with pytest.raises((StoreUnavailableError, StoreFullError)):
        append(2)
    append(3)
    events = list(data.reader(shop).plog())
    assert [event.offset for event in events] == list(range(1, len(events) + 1))
    assert [event.registered_at for event in events[1:]] == ([1, 2, 3] if writes_first else [1, 3])
    ids = [cud.id for event in events[1:] for cud in event.cuds]
    assert ids == list(range(200_001, 200_001 + len(ids)))


def test_two_units_that_append_at_a_time_are_kept_apart(data, shop, ws):
    first, second = data.begin(shop), data.begin(shop)
    for unit in (first, second):
        unit.append("shop.Other", ws, registered_at=1)
    first.commit()
    with pytest.raises(LogError, match="the log of partition 0 has gone on without this unit"):
        second.commit()
    unit = data.begin(shop)
    assert unit.append("shop.Other", ws, registered_at=1).offset == 3
    unit.commit()


def test_units_that_append_nothing_may_commit_beside_one_that_does(data, shop, ws):
    unit, projector = data.begin(shop), data.begin(shop)
    unit.append("shop.Other", ws, registered_at=1)
    projector.move_projector("shop.Count", 0, 1)
    assert projector.commit() == ()
    assert len(unit.commit()) == 1
    assert data.reader(shop).projector_offset("shop.Count") == 1
    assert data.reader(shop).projector_offset("shop.Index") == 0


@pytest.mark.parametrize("offset", [0, 3])
def test_two_who_take_a_projector_on_from_one_place_do_not_both_write(data, shop, offset):
    if offset:
        unit = data.begin(shop)
        unit.move_projector("shop.Count", 0, offset)
        unit.commit()
    one, other = data.begin(shop), data.begin(shop)
    for unit, moved in ((one, offset + 1), (other, offset + 2)):
        unit.move_projector("shop.Count", offset, moved)
        unit.put(("view", 1), (moved,), b"")
    one.commit()
    with pytest.raises(LogError, match=r"shop\.Count has been taken on by another"):
        other.commit()
    reader = data.reader(shop)
    assert reader.projector_offset("shop.Count") == offset + 1
    assert reader.get(("view", 1), (offset + 2,)) is None


def test_a_failure_is_logged_without_records(data, shop, ws):
    unit = data.begin(shop)
    unit.insert(ws, shop["shop.Bill"].from_json({"Number": 1}))
    error = EventError(message="no money", command="shop.PayBill")
    argument = shop["shop.Pay"].from_json({"Number": 1})
    event = unit.append("shop.PayBill", ws, registered_at=1, argument=argument, error=error)
    unit.commit()
    (read,) = data.reader(shop).plog(event.offset)
    assert (read.name, read.error, read.cuds, read.argument) == (ERROR_EVENT, error, (), argument)


def test_the_failure_of_a_command_with_a_document_stores_no_document(data, shop, ws):
    unit = data.begin(shop)
    error = EventError(message="no", command="shop.PlaceOrder")
    argument = shop["shop.Order"].from_json({"sys.ID": 1, "Number": 1})
    event = unit.append("shop.PlaceOrder", ws, registered_at=1, argument=argument, error=error)
    assert (event.cuds, event.argument) == ((), argument)


def test_records_without_an_event_are_an_error(unit, shop, ws):
    inner = unit.begin()
    inner.insert(ws, shop["shop.Bill"].from_json({"Number": 1}))
    with pytest.raises(RecordError, match="no event was appended"):
        inner.merge()


def test_a_log_that_is_damaged_says_where(store, data, shop):
    from statehold.rows import Put

    store.write([Put(("plog", 0), (1,), b"\xff")])
    with pytest.raises(LogError, match="what stands at offset 1 of the log is no event"):
        list(data.reader(shop).plog())


def test_an_event_of_another_version_is_read_as_far_as_it_is_known(schemas_of, data, shop, ws, append):
    argument = shop["shop.Pay"].from_json({"Number": 1})
    event = append(ws, 1, argument=argument)
    other = schemas_of("APPLICATION shop(); WORKSPACE W (TABLE Other INHERITS sys.CDoc (A int32););")
    (read,) = data.reader(other).plog(event.offset)
    assert (read.cuds, read.argument, read.argument_name) == ((), {"Number": 1}, "shop.Pay")


def test_the_outbox_is_kept_in_order_until_it_is_done(data, shop):
    unit = data.begin(shop)
    for number in (10, 2, 300):
        unit.put_outbox(number, b"%d" % number)
    unit.commit()
    unit = data.begin(shop)
    unit.remove_outbox(10)
    assert list(unit.outbox()) == [(2, b"2"), (300, b"300")]
    unit.commit()
    assert list(data.reader(shop).outbox()) == [(2, b"2"), (300, b"300")]


def test_partitions_append_side_by_side(store, shop, new_workspace):
    workspaces = [new_workspace() for _ in range(8)]

    def work(number):
        data = PartitionData(store, number + 1)
        for count in range(20):
            unit = data.begin(shop)
            unit.insert(
                workspaces[number],
                shop["shop.Settings" if not count else "shop.Bill"].from_json(
                    {} if not count else {"Number": count}
                ),
            )
            unit.append("shop.Other", workspaces[number], registered_at=count)
            unit.commit()
        return [event.offset for event in data.reader(shop).plog()]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [list(range(1, 21))] * 8


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["commit", "fail", "unknown", "reopen"]),
            st.lists(st.tuples(st.integers(1, 3), st.booleans()), min_size=1, max_size=4),
        ),
        max_size=8,
    )
)
def test_offsets_stay_dense_whatever_fails(shop, history):
    with MemoryDriver() as driver:
        failing = Failing(driver.create("x"))
        data = PartitionData(failing, 0)
        expected = {1: [], 2: [], 3: []}
        count = 0
        for what, commands in history:
            unit, done = data.begin(shop), []
            for workspace, is_kept in commands:
                count += 1
                inner = unit.begin()
                inner.append("shop.Other", workspace, registered_at=count)
                if is_kept:
                    inner.merge()
                    done.append((workspace, count))
            if what == "reopen":
                data = PartitionData(failing, 0)
                continue
            failing.writes_first = what == "unknown"
            failing.error = None if what == "commit" else StoreUnavailableError("gone", unknown=True)
            try:
                unit.commit()
            except StoreUnavailableError:
                failing.error = None
            failing.error = None
            if what != "fail":
                for workspace, at in done:
                    expected[workspace].append(at)
        reader = data.reader(shop)
        offsets = [event.offset for event in reader.plog()]
        assert offsets == list(range(1, len(offsets) + 1))
        for workspace, times in expected.items():
            events = list(reader.events(workspace))
            assert [event.registered_at for event in events] == times
            assert [event.wlog_offset for event in events] == list(range(1, len(times) + 1))


@pytest.mark.parametrize(
    "argument",
    [{"a": 10**30}, {"a": "\ud800"}, {"a": object()}, {"a": [{"b": -(2**64)}]}],
    ids=["int", "surrogate", "object", "nested int"],
)
def test_an_argument_that_cannot_be_stored_is_refused(unit, ws, argument):
    with pytest.raises(SchemaError, match=r"shop\.Other: argument: expected what JSON can say"):
        unit.append("shop.Other", ws, registered_at=1, argument=argument)


def test_an_argument_is_as_deep_as_can_be_read_everywhere(data, shop, ws, unit, append):
    deep = {"a": 1}
    for _ in range(99):
        deep = {"a": deep}
    event = append(ws, 1, argument=deep)
    assert data.reader(shop).event(ws, event.wlog_offset).argument == deep
    for argument in ({"a": deep}, {"a": [deep]}):
        with pytest.raises(SchemaError, match="at most 100 levels, got more than that"):
            unit.append("shop.Other", ws, registered_at=1, argument=argument)


def test_a_log_is_read_from_any_offset_by_who_opens_it_later(append, data, shop, ws):
    for number in range(1, 71):
        append(ws, number)
        if number in (28, 29, 30, 31, 62):
            data.forget()
    reader = PartitionData(data.store, 0).reader(shop)
    assert [event.wlog_offset for event in reader.events(ws)] == list(range(1, 72))
    for start in (0, 1, 2, 31, 32, 33, 34, 64, 65, 70, 71, 72, 96, 97):
        expected = list(range(max(start, 1), 72))
        assert [event.wlog_offset for event in reader.events(ws, start)] == expected
        assert [event.wlog_offset for event in reader.events(ws, start, 3)] == expected[:3]
        found = reader.event(ws, start)
        assert (None if found is None else found.wlog_offset) == (start if 1 <= start <= 71 else None)

"""Events that are committed together share a row of the log, and are found one by one."""

from __future__ import annotations

import pytest

from statehold.events import LogError, PartitionData
from statehold.events._plog import split
from statehold.rows import Put


def write(data, schemas, workspace, count, *, text=""):
    unit = data.begin(schemas)
    for number in range(count):
        inner = unit.begin()
        inner.append("shop.PayBill", workspace, registered_at=number, argument={"Text": text})
        inner.merge()
    return unit.commit()


def rows_of(data):
    return [row.clustering[0] for row in data.store.read(("plog", data.number))]


def test_events_of_one_commit_share_a_row(data, shop, ws):
    first = data.last_offset() + 1
    write(data, shop, ws, 3)
    write(data, shop, ws, 2)
    assert rows_of(data)[-2:] == [first, first + 3]
    assert data.last_offset() == first + 4


@pytest.mark.parametrize("start", range(1, 8))
def test_a_log_is_read_from_any_event_of_a_row(data, shop, ws, start):
    before = data.last_offset()
    write(data, shop, ws, 3)
    write(data, shop, ws, 4)
    reader = data.reader(shop)
    wanted = list(range(before + start, before + 8))
    assert [event.offset for event in reader.plog(before + start)] == wanted
    assert [event.offset for event in reader.plog(before + start, limit=2)] == wanted[:2]
    event = next(reader.plog(before + start))
    assert reader.event(ws, event.wlog_offset) == event


def test_a_unit_reads_the_events_that_it_has_appended(data, shop, ws):
    unit = data.begin(shop)
    first = unit.append("shop.PayBill", ws, registered_at=1)
    inner = unit.begin()
    second = inner.append("shop.PayBill", ws, registered_at=2)
    assert [event.offset for event in inner.plog(first.offset)] == [first.offset, second.offset]
    assert [event.offset for event in inner.events(ws, first.wlog_offset)] == [first.offset, second.offset]
    assert [event.offset for event in unit.plog(first.offset)] == [first.offset]


def test_a_unit_that_is_forgotten_leaves_the_row_as_it_was(data, shop, ws):
    unit = data.begin(shop)
    first = unit.append("shop.PayBill", ws, registered_at=1)
    unit.begin().append("shop.Forgotten", ws, registered_at=2)
    inner = unit.begin()
    inner.append("shop.PayBill", ws, registered_at=3)
    inner.merge()
    unit.commit()
    assert [event.registered_at for event in data.reader(shop).plog(first.offset)] == [1, 3]


def test_a_row_that_has_become_long_takes_no_further_event(data, shop, ws):
    first = data.last_offset() + 1
    write(data, shop, ws, 5, text="x" * 9000)
    assert rows_of(data)[-3:] == [first, first + 2, first + 4]
    assert [event.offset for event in data.reader(shop).plog(first)] == list(range(first, first + 5))
    assert [event.offset for event in data.reader(shop).events(ws)][-5:] == list(range(first, first + 5))


def test_a_log_goes_on_where_it_ended_when_it_is_opened_again(store, data, shop, ws):
    write(data, shop, ws, 3)
    again = PartitionData(store, data.number)
    (event,) = write(again, shop, ws, 1)
    assert event.offset == data.last_offset() == again.last_offset()
    assert [each.offset for each in again.reader(shop).plog()] == list(range(1, event.offset + 1))


@pytest.mark.parametrize("damaged", [b"\0", b"\0\0\0", b"\0\0\0\x05", b"\0\0\0\x01ab", b"\0\0\0\x02a"])
def test_a_row_that_is_damaged_says_where(damaged):
    with pytest.raises(LogError, match="what stands at offset 7 of the log is no event"):
        split(7, damaged)


def test_an_event_whose_row_is_gone_says_where(store, data, shop, ws):
    (event,) = write(data, shop, ws, 1)
    store.write([Put(("plog", data.number), (event.offset,), b"")])
    with pytest.raises(LogError, match=f"what stands at offset {event.offset} of the log is no event"):
        data.reader(shop).event(ws, event.wlog_offset)


def test_a_workspace_s_events_are_found_over_many_blocks_of_one_commit(data, shop, ws, new_workspace):
    other = new_workspace()
    write(data, shop, ws, 7)
    unit = data.begin(shop)
    for number in range(150):
        inner = unit.begin()
        inner.append("shop.PayBill", (ws, other)[number % 3 == 0], registered_at=number)
        inner.merge()
    committed = unit.commit()
    write(data, shop, ws, 40)
    again = PartitionData(data.store, data.number).reader(shop)
    for reader in (data.reader(shop), again):
        for workspace in (ws, other):
            found = list(reader.events(workspace))
            assert [event.wlog_offset for event in found] == list(range(1, len(found) + 1))
            wanted = [event.offset for event in committed if event.workspace == workspace]
            assert set(wanted) <= {event.offset for event in found}


def test_a_unit_with_an_event_alone_is_not_empty(data, shop, ws):
    unit = data.begin(shop)
    assert unit.is_empty
    inner = unit.begin()
    inner.append("shop.PayBill", ws, registered_at=1)
    assert unit.is_empty
    inner.merge()
    assert not unit.is_empty

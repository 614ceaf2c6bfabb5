from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from statehold.events import ConflictError, RecordError, RecordMissingError, WorkspaceError
from statehold.sdk import Key, StorageError, Value
from statehold.testing import MemoryApp, OpenStorage, open_storage
from statehold_sys.record import provider


@pytest.fixture
def bill(bills: str) -> Iterator[OpenStorage]:
    with open_storage(provider, declarations=bills, entity="test.Bill") as opened:
        yield opened


@pytest.fixture
def settings(bills: str) -> Iterator[OpenStorage]:
    with open_storage(provider, declarations=bills, entity="test.Settings") as opened:
        yield opened


def stored(opened: OpenStorage, key: Key) -> Value:
    value = opened.facade.get(key)
    assert value is not None
    return value


def test_a_new_record_has_the_next_id_of_its_workspace_and_its_system_fields(bill: OpenStorage) -> None:
    """Whatever raw id it had in the command, and whatever the key says."""
    bill.insert(bill.key(1), {"sys.ID": 1, "Number": 7, "Guest": "Ann"})
    bill.insert(bill.key(1, ID=5), {"Number": 8})
    bill.insert(bill.key(2), {"Number": 7})
    first = stored(bill, bill.key(1, ID=200_001))
    assert (first.Number, first.Guest, first.Total) == (7, "Ann", None)
    assert (first.sys_QName, first.sys_ID, first.sys_IsActive, first["sys.ParentID"]) == (
        "test.Bill",
        200_001,
        True,
        None,
    )
    assert stored(bill, bill.key(1, ID=200_002)).Number == 8
    assert stored(bill, bill.key(2, ID=200_001)).Number == 7
    assert bill.facade.get(bill.key(1, ID=5)) is None


def test_an_update_changes_what_it_names(bill: OpenStorage) -> None:
    """NULL too; a record that is deactivated stays where it is."""
    bill.insert(bill.key(1), {"Number": 7, "Guest": "Ann"})
    at = bill.key(1, ID=200_001)
    bill.update(at, stored(bill, at), {"Guest": None, "Total": 5})
    assert (stored(bill, at).Number, stored(bill, at).Guest, stored(bill, at).Total) == (7, None, 5)
    bill.update(bill.key(1), stored(bill, at), {"sys.IsActive": False})
    assert stored(bill, at).sys_IsActive is False


def test_one_command_makes_one_event_of_all_its_records(bill: OpenStorage) -> None:
    """Of which the last one is refused: then there are none of them, and no event."""
    intents = [bill.facade.insert(bill.key(1), {"Number": number}) for number in (1, 2)]
    bill.apply(intents)
    memory = bill.memory
    assert memory is not None
    events = list(memory.data.reader(memory.schemas).events(1))
    assert [len(event.cuds) for event in events[1:]] == [2]
    with pytest.raises(ConflictError, match="Number"):
        bill.apply([bill.facade.insert(bill.key(1), {"Number": 3}), *intents])
    assert bill.facade.get(bill.key(1, ID=200_003)) is None
    assert len(list(memory.data.reader(memory.schemas).events(1))) == len(events)


def test_a_batch_is_answered_in_its_order_from_all_its_workspaces(bill: OpenStorage) -> None:
    """Duplicates and what is missing included."""
    for workspace, number in ((1, 10), (1, 11), (2, 20)):
        bill.insert(bill.key(workspace), {"Number": number})
    asked = [(2, 200_001), (1, 200_002), (1, 300_000), (1, 200_001), (2, 200_001), (99, 200_001)]
    answers = bill.facade.get_batch([bill.key(workspace, ID=record) for workspace, record in asked])
    assert [answer and answer.Number for answer in answers] == [20, 11, None, 10, 20, None]


def test_the_record_of_another_table_is_not_found(bill: OpenStorage) -> None:
    """Ids are given out to all tables, and STATE names the tables that an extension may read."""
    memory = bill.memory
    assert memory is not None
    with memory.writing() as unit:
        unit.insert(1, memory.schemas["test.Customer"].rows.value(Name="Ann"))
        memory.append(unit, "test.C", 1)
    key = bill.key(1, ID=200_001)
    assert bill.facade.get(key) is None
    assert bill.facade.get_batch([key]) == [None]


def test_a_singleton_is_found_without_an_id_once_it_is_there(settings: OpenStorage) -> None:
    """Each workspace has its own, and no second one."""
    here, there = (settings.key(workspace, IsSingleton=True) for workspace in (1, 2))
    assert settings.facade.get(here) is None
    settings.insert(here, {"Currency": "EUR"})
    value = stored(settings, here)
    assert (value.Currency, value.sys_QName) == ("EUR", "test.Settings")
    assert settings.facade.get_batch([there, here, settings.key(1, ID=value.sys_ID)]) == [None, value, value]
    settings.update(here, value, {"Currency": "USD"})
    assert stored(settings, here).Currency == "USD"
    with pytest.raises(ConflictError):
        settings.insert(here, {"Currency": "CHF"})


@pytest.mark.parametrize("key", [{}, {"ID": 0}, {"IsSingleton": False}, {"ID": 1, "IsSingleton": True}])
def test_a_key_says_either_an_id_or_that_it_means_the_singleton(
    settings: OpenStorage, key: dict[str, Any]
) -> None:
    """Neither and both are errors, for GET and GETBATCH."""
    at = settings.key(1, **key)
    for use in (settings.facade.get, lambda at: settings.facade.get_batch([at])):
        with pytest.raises(StorageError, match="ID or IsSingleton"):
            use(at)


def test_a_table_that_is_no_singleton_is_asked_by_id(bill: OpenStorage) -> None:
    """And the error says so."""
    with pytest.raises(StorageError, match=r"test\.Bill is no singleton"):
        bill.facade.get(bill.key(1, IsSingleton=True))


def test_a_workspace_that_does_not_have_the_table_is_an_error(bills: str, settings: OpenStorage) -> None:
    """For its singleton, and for a new record."""
    memory = settings.memory
    assert memory is not None
    other = MemoryApp(bills, entity="test.Item")
    other.data = memory.data
    other.add_workspaces([3])
    for workspace in (3, 99):
        key = settings.key(workspace, IsSingleton=True)
        with pytest.raises(WorkspaceError):
            settings.facade.get(key)
        with pytest.raises(WorkspaceError):
            settings.insert(key, {})


def test_a_command_changes_records_of_its_own_workspace_only(bill: OpenStorage) -> None:
    """Its event is one of that workspace."""
    intents = [bill.facade.insert(bill.key(workspace), {"Number": 1}) for workspace in (1, 2)]
    for use in (bill.writer.validate, bill.writer.apply_batch):
        with pytest.raises(StorageError, match="in workspace 1 cannot change records of workspace 2"):
            use(intents)


def test_an_update_under_the_id_of_another_record_is_refused(bill: OpenStorage) -> None:
    """Rather than changing the one or the other."""
    for number in (1, 2):
        bill.insert(bill.key(1), {"Number": number})
    second = stored(bill, bill.key(1, ID=200_002))
    with pytest.raises(StorageError, match="under ID 200001 has the record 200002"):
        bill.update(bill.key(1, ID=200_001), second, {"Number": 3})


def test_an_update_of_what_is_not_there_and_an_id_that_is_no_raw_one_are_refused(bill: OpenStorage) -> None:
    """Records get their real ids when the event is made."""
    with pytest.raises(RecordMissingError):
        bill.update(bill.key(1), bill.value(Number=1, **{"sys.ID": 300_000}), {"Number": 2})
    with pytest.raises(RecordError):
        bill.insert(bill.key(1), {"Number": 1, "sys.ID": 70_000})

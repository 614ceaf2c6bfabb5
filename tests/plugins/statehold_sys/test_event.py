from __future__ import annotations

from typing import Any

from statehold.events import Event, EventError
from statehold.sdk import CallContext, Scope, Value
from statehold.testing import MemoryApp, open_storage
from statehold_sys.event import provider


def happened(app: MemoryApp, *, argument: Any = None, changes: Any = None, **bill: Any) -> Event:
    """Return the event of a command that inserted a bill and changed a customer."""
    app.add_workspaces([1])
    with app.writing() as unit:
        unit.insert(1, app.schemas["test.Customer"].rows.value(Name="Ann"))
        app.append(unit, "test.Prepare", 1)
    with app.writing() as unit:
        unit.insert(1, app.schemas["test.Bill"].rows.value(Number=1, **bill))
        unit.change(1, 200_001, changes or {"Name": "Bea"})
        return unit.append("test.Pay", 1, registered_at=5, argument=argument)


def told(event: Event | None) -> Any:
    """Return what the storage says of an event."""
    call = CallContext(scope=Scope.PROJECTORS, workspace=1, extension="test.Fill", event=event)
    with open_storage(provider, call=call) as opened:
        return opened.facade.get(opened.key(1))


def test_an_event_says_where_it_stands_in_both_logs(bills: str) -> None:
    """Offset is that in the log of the partition, WLogOffset that in the log of the workspace."""
    event = told(happened(MemoryApp(bills)))
    assert (event.Offset, event.WLogOffset, event.Workspace, event.RegisteredAt) == (3, 3, 1, 5)
    assert (event.QName, event.Synced, event.SyncedAt, event.DeviceID) == ("test.Pay", False, 0, 0)


def test_its_cuds_are_records_that_say_whether_they_are_new(bills: str) -> None:
    """By attribute, by name and by index; of a changed record the fields that changed."""
    event = told(happened(MemoryApp(bills), Guest="Ann", Scan=b"\x00"))
    bill, customer = event.CUDs
    assert (bill.IsNew, bill["sys.QName"], bill.sys_ID, bill["Guest"], bill.Scan, bill.Total) == (
        True,
        "test.Bill",
        200_002,
        "Ann",
        b"\x00",
        None,
    )
    assert isinstance(bill, Value)
    assert (customer.IsNew, customer.sys_ID, customer.Name, customer.sys_IsActive) == (
        False,
        200_001,
        "Bea",
        None,
    )


def test_its_argument_is_the_value_of_the_command_or_none(bills: str) -> None:
    """A value of the type, a mapping where the command takes any."""
    app = MemoryApp(bills)
    argument = app.schemas["test.PaidBill"].rows.value(Number=7)
    assert told(happened(app, argument=argument)).ArgumentObject == argument
    assert told(happened(MemoryApp(bills))).ArgumentObject is None


def test_the_event_of_a_command_that_failed_says_why() -> None:
    """Of one that did not, the message is empty and the event valid."""
    event = Event(
        offset=1,
        wlog_offset=1,
        workspace=1,
        name="sys.Error",
        registered_at=1,
        error=EventError(message="no such bill", command="test.Pay", valid=False),
    )
    error = told(event).Error
    assert (error.ErrStr, error.QNameFromParams, error["ValidEvent"]) == ("no such bill", "test.Pay", False)
    error = told(Event(offset=1, wlog_offset=1, workspace=1, name="test.Pay", registered_at=1)).Error
    assert (error.ErrStr, error.QNameFromParams, error.ValidEvent) == ("", "test.Pay", True)


def test_without_an_event_there_is_none() -> None:
    """Not an error: the row is not there."""
    assert told(None) is None


def test_a_field_of_a_record_called_isnew_gives_way() -> None:
    """The name is taken for what all changes say."""
    app = MemoryApp("WORKSPACE W (TABLE T INHERITS sys.CDoc (IsNew int32, Name varchar););")
    app.add_workspaces([1])
    with app.writing() as unit:
        unit.insert(1, app.schemas["test.T"].rows.value(IsNew=5, Name="x"))
        event = unit.append("test.C", 1, registered_at=1)
    (cud,) = told(event).CUDs
    assert (cud.IsNew, cud.Name) == (True, "x")

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from statehold.sdk import Value

#: The name of every event that tells of a command that failed.
ERROR_EVENT: Final = "sys.Error"


class Cud(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One record that an event has made or changed.

    Attributes:
        table: the qualified name of the record's table.
        id: the record's id, the real one.
        is_new: whether the event made the record.
        value: of a new record, all of it; of a changed one `sys.QName`, `sys.ID` and the changed fields.
        changes: the fields that a change sets, by name, None for those it clears; empty for a new record.

    """

    table: str
    id: int
    is_new: bool
    value: Value
    changes: Mapping[str, object] = {}


class EventError(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Why a command failed.

    Attributes:
        message: what it said.
        command: the qualified name of the command.
        valid: whether the request itself was well-formed, so that an event could be made of it.

    """

    message: str
    command: str
    valid: bool = True


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What happened in a workspace, as it stands in the logs.

    Attributes:
        offset: its place in the log of the partition, from 1.
        wlog_offset: its place in the log of the workspace, from 1.
        workspace: the workspace.
        name: the qualified name of the command; `sys.Error` for a command that failed.
        registered_at: milliseconds since 1970.
        argument: the argument of the command: a `Value` of its type, or a mapping where it takes any type
            or this version does not know the type; None if it had none.
        argument_name: the qualified name of the argument's type or table, empty for none or any.
        cuds: the records it made or changed, in order.
        error: why the command failed, None if it did not.
        synced_at: when it was taken over from a device, in milliseconds since 1970; 0 if it was not.
        device: the id of that device.
        synced: whether it was taken over from a device.
        new_ids: the real ids of new records by their raw ids; only of an event that was appended just now.

    """

    offset: int
    wlog_offset: int
    workspace: int
    name: str
    registered_at: int
    argument: Value | Mapping[str, Any] | None = None
    argument_name: str = ""
    cuds: tuple[Cud, ...] = ()
    error: EventError | None = None
    synced_at: int = 0
    device: int = 0
    synced: bool = False
    new_ids: Mapping[int, int] = {}

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from statehold.sdk import Field, Value

if TYPE_CHECKING:
    from statehold.events import Cud, Event

#: What is known of any event.
EVENT_FIELDS: Final = (
    Field("RegisteredAt", "int64"),
    Field("SyncedAt", "int64"),
    Field("DeviceID", "int64"),
    Field("Offset", "int64"),
    Field("Synced", "bool"),
    Field("QName", "qname"),
    Field("ArgumentObject", "object"),
    Field("CUDs", "object", repeated=True),
)


class EventValues:
    """Makes of events what storages return; learns each class of records once."""

    def __init__(self) -> None:
        self._makers: dict[type[Value], Callable[[bool, Value], Value]] = {}

    def fields(self, event: Event, *, offset: int) -> dict[str, Any]:
        """Return the fields of `EVENT_FIELDS`."""
        return {
            "RegisteredAt": event.registered_at,
            "SyncedAt": event.synced_at,
            "DeviceID": event.device,
            "Offset": offset,
            "Synced": event.synced,
            "QName": event.name,
            "ArgumentObject": event.argument,
            "CUDs": tuple([self._cud(cud) for cud in event.cuds]),
        }

    def _cud(self, cud: Cud) -> Value:
        kind = type(cud.value)
        # Two threads may both make one: the first counts, so that equal events are equal.
        make = self._makers.get(kind) or self._makers.setdefault(kind, _cud_maker(kind))
        return make(cud.is_new, cud.value)


def _cud_maker(record: type[Value]) -> Callable[[bool, Value], Value]:
    """Return what makes a value of a record: its fields, after `IsNew`."""
    known = [field for field in msgspec.structs.fields(record) if field.name != "IsNew"]
    names = [field.name for field in known]
    made = cast(
        "type[Value]",
        msgspec.defstruct(
            record.__name__,
            [("IsNew", bool), *((name, Any, None) for name in names)],
            bases=(Value,),
            frozen=True,
            rename={field.name: field.encode_name for field in known},
            omit_defaults=True,
        ),
    )
    # With one name the getter would return no tuple; a record has more, those of the system.
    values = attrgetter(*names)
    return lambda is_new, value: made(is_new, *values(value))

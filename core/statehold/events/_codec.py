"""Events as they stand in the log of a partition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from statehold.events._errors import LogError
from statehold.events._event import Cud, Event, EventError
from statehold.events._shape import decode
from statehold.events._table import TableShape
from statehold.sdk import Value

if TYPE_CHECKING:
    from statehold.events._schemas import Schemas

_NONE: Final = msgspec.Raw(b"\xc0")

#: A change as it is written, as `_StoredCud`; the fields are a map, encoded or not.
StoredCud: TypeAlias = tuple[str, int, bool, msgspec.Raw | Mapping[str, object]]


class _StoredCud(msgspec.Struct, array_like=True):
    """A change: of a new record the whole of it, of another one the fields that change."""

    table: str
    id: int
    is_new: bool
    fields: msgspec.Raw


class _Stored(msgspec.Struct, array_like=True):
    # Fields are only ever added at the end, with defaults, so that every version reads every log.
    workspace: int
    wlog_offset: int
    name: str
    registered_at: int
    argument_name: str
    argument: msgspec.Raw
    cuds: list[_StoredCud]
    error: EventError | None = None
    synced_at: int = 0
    device: int = 0
    synced: bool = False


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Stored).decode


def encode_event(event: Event, cuds: Sequence[StoredCud]) -> bytes:
    """Return an event as bytes, with *cuds* as they are to be stored."""
    # Tuples, which are made sooner and look the same: only a reader needs to know what is what.
    stored = (
        event.workspace,
        event.wlog_offset,
        event.name,
        event.registered_at,
        event.argument_name,
        event.argument,
        cuds,
    )
    if event.error is None and not (event.synced_at or event.device or event.synced):
        return _encode(stored)
    return _encode((*stored, event.error, event.synced_at, event.device, event.synced))


def decode_event(schemas: Schemas, offset: int, data: bytes) -> Event:
    """Return the event that `encode_event` of any version of the app made *data* of.

    What the app no longer declares is left out of it: cuds of such tables, and the type of an argument.

    Raises:
        LogError: *data* is no event.

    """
    try:
        stored = _decode(data)
    except msgspec.DecodeError as error:
        raise LogError(f"what stands at offset {offset} of the log is no event: {error}") from error
    cuds = tuple([cud for one in stored.cuds if (cud := _decode_cud(schemas, one)) is not None])
    return Event(
        offset=offset,
        wlog_offset=stored.wlog_offset,
        workspace=stored.workspace,
        name=stored.name,
        registered_at=stored.registered_at,
        argument=_decode_argument(schemas, stored),
        argument_name=stored.argument_name,
        cuds=cuds,
        error=stored.error,
        synced_at=stored.synced_at,
        device=stored.device,
        synced=stored.synced,
    )


def records_of(data: bytes) -> list[tuple[int, int, str]]:
    """Return workspace, id and table of each record that an event has made or changed."""
    stored = _decode(data)
    return [(stored.workspace, cud.id, cud.table) for cud in stored.cuds]


def _decode_argument(schemas: Schemas, stored: _Stored) -> Any:
    if stored.argument == _NONE:
        return None
    shape = schemas.find(stored.argument_name) if stored.argument_name else None
    return decode(stored.argument) if shape is None else shape.decode_tree(stored.argument)


def _decode_cud(schemas: Schemas, stored: _StoredCud) -> Cud | None:
    shape = schemas.find(stored.table)
    if not isinstance(shape, TableShape):
        return None
    if stored.is_new:
        return Cud(table=stored.table, id=stored.id, is_new=True, value=shape.decode(stored.fields))
    return changed_cud(shape, stored.id, decode(stored.fields))


def changed_cud(shape: TableShape, record: int, changes: dict[str, object]) -> Cud:
    """Return the cud of a record that is changed; *changes* are by name of the field."""
    value: Value = shape.of_fields({**changes, "sys.QName": shape.name, "sys.ID": record})
    return Cud(table=shape.name, id=record, is_new=False, value=value, changes=changes)

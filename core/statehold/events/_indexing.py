"""Uniques that another version of the app declares: the rows of records that were there before."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Final

import msgspec

from statehold.events import _layout as layout
from statehold.events._codec import records_of
from statehold.events._holding import holder
from statehold.events._plog import logged
from statehold.events._shape import decode, encode
from statehold.events._uniques import Unique
from statehold.rows import Columns, CompareAndSwap, PutIfAbsent

if TYPE_CHECKING:
    from statehold.events._partition import PartitionData
    from statehold.events._schemas import Schemas

_LOGGER: Final = logging.getLogger(__name__)
#: How many events are looked at, and how many problems are told, at a time.
_PIECE: Final = 1000
_TOLD: Final = 20
_Conflict = Callable[[str], None]


class _State(msgspec.Struct, frozen=True):
    """Of which uniques the rows are there.

    Attributes:
        active: those of the version that has appended last: of all records.
        left: up to which offset of the log, for others.

    """

    active: frozenset[str] = frozenset()
    left: dict[str, int] = {}

    def since(self, names: Iterable[str]) -> dict[str, int]:
        """Return up to which offset uniques that are not active have their rows."""
        return {name: self.left.get(name, 0) for name in names}

    def with_reached(self, names: Iterable[str], head: int) -> _State:
        """Return the state once the rows of some are there up to *head*."""
        return _State(self.active, {**self.left, **dict.fromkeys(names, head)})

    def with_active(self, names: frozenset[str], head: int) -> _State:
        """Return the state once a version with these uniques appends after *head*."""
        return _State(names, {**self.left, **dict.fromkeys(self.active, head)})


_state: Final = msgspec.msgpack.Decoder(_State).decode


def unindexed(partitions: Iterable[PartitionData], schemas: Schemas) -> list[PartitionData]:
    """Return the partitions with records that the version which appended last knew fewer uniques of.

    To change to a version with *schemas* while nobody appends to these, after another `index_uniques`, is
    to let no record in between that its uniques would have refused.
    """
    names = schemas.uniques.keys()
    return [data for data in partitions if names and names - _load(data)[1].active and data.last_offset()]


def index_uniques(partitions: Iterable[PartitionData], schemas: Schemas) -> list[str]:
    """Make the rows of uniques that a version declares and none before, and return what stands against it.

    To be called before the version becomes the current one, while another may be at work: what this one
    changes meanwhile is caught up when it is called again, or when the new one first appends to the
    partition. Reads the log of each partition from where a unique was last kept, and takes microseconds
    where there is nothing new.

    Returns:
        a line for each pair of records that have the same unique values, up to 20.

    """
    problems: list[str] = []
    for data in partitions:
        head = data.last_offset()
        _, state = _load(data)
        added = schemas.uniques.keys() - state.active
        if added and head and len(problems) < _TOLD:
            _catch_up(data, schemas, state.since(added), head, problems.append)
            if not problems:
                _save(data, partial(_State.with_reached, names=added, head=head))
    return problems[:_TOLD]


def take_over(data: PartitionData, schemas: Schemas, head: int) -> None:
    """Make the rows of uniques up to date, for a version that appends after the event at *head*.

    Two records that came to the same values meanwhile stay: the first one is found, and a warning logged.
    """
    names = frozenset(schemas.uniques)
    row, state = _load(data)
    if state.active == names if row is not None else not names:
        return
    added = names - state.active
    if added and head:
        _catch_up(data, schemas, state.since(added), head, _LOGGER.warning)
    _save(data, partial(_State.with_active, names=names, head=head))


def _load(data: PartitionData) -> tuple[bytes | None, _State]:
    row = data.store.get((layout.INDEXED, data.number))
    return row, _State() if row is None else _state(row)


def _save(data: PartitionData, change: Callable[[_State], _State]) -> None:
    key: Columns = (layout.INDEXED, data.number)
    while True:
        row, state = _load(data)
        after = encode(change(state))
        if data.store.write(
            [PutIfAbsent(key, (), after) if row is None else CompareAndSwap(key, (), row, after)]
        ):
            return


def _catch_up(
    data: PartitionData, schemas: Schemas, since: Mapping[str, int], head: int, conflict: _Conflict
) -> None:
    """Make the rows of all records that events have touched since each unique was last kept."""
    uniques: dict[str, list[Unique]] = {}
    for name in since:
        unique = schemas.uniques[name]
        uniques.setdefault(unique.table, []).append(unique)
    events = logged(data.store.read, data.number, min(since.values()) + 1)
    known = takewhile(lambda event: event[0] <= head, events)
    while piece := list(islice(known, _PIECE)):
        records = dict.fromkeys(
            (workspace, record, table)
            for _, event in piece
            for workspace, record, table in records_of(event)
            if table in uniques
        )
        _index(data, schemas, list(records), uniques, conflict)


def _index(
    data: PartitionData,
    schemas: Schemas,
    records: Sequence[tuple[int, int, str]],
    uniques: dict[str, list[Unique]],
    conflict: _Conflict,
) -> None:
    unit = data.begin(schemas)
    found = unit.get_many([((layout.RECORDS, workspace), (record,)) for workspace, record, _ in records])
    for (workspace, record, table), row in zip(records, found, strict=True):
        fields: dict[str, object] = {} if row is None else decode(row)
        for unique in uniques[table] if fields else ():
            values = unique.values_of(fields)
            if values is None:
                continue
            other = holder(unit, workspace, unique, values)
            if other is None:
                unit.put(*unique.key(workspace, values), encode(record))
            elif other != record:
                conflict(
                    f"workspace {workspace} has two records of {table} with {unique.shown(values)}: "
                    f"{min(record, other)} and {max(record, other)}"
                )
    unit.commit()

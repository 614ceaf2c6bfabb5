from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn

import msgspec

from statehold.events import _layout as layout
from statehold.events._anything import check_anything
from statehold.events._errors import LogError, RecordError, RecordMissingError
from statehold.events._event import ERROR_EVENT, Event, EventError
from statehold.events._pending import Pending
from statehold.events._places import Mark
from statehold.events._plog import Rows, log_rows
from statehold.events._shape import encode
from statehold.events._staged import Change, Insert, Resolver, checked_changes, stored_tree
from statehold.events._storing import store_event
from statehold.events._table import TableShape
from statehold.rows import Change as RowChange
from statehold.rows import Columns, CompareAndSwap, Delete, Put, PutIfAbsent
from statehold.sdk import UNSET, Key, SchemaError, UnsetType, Value
from statehold.sdk import fields as fields_of
from statehold_vsql.appdef import TableKind

if TYPE_CHECKING:
    from statehold.events._partition import PartitionData
    from statehold.events._schemas import Schemas

_LOGS: Final = frozenset((layout.PLOG, layout.WLOG))


class Unit(Pending):
    """Changes of records, views and logs that are committed in one step, or not at all.

    What it reads has its own changes in it. Records are changed by events: `insert`, `update` and `change`
    put down what is asked for, `append` makes one event of it and only then can it be read. A unit is for
    one thread at a time. After an error it is to be forgotten.

    Units nest: a change made in the unit that `begin` returns is in this one after `merge`; if that one is
    simply forgotten, nothing of it has happened, and its offsets and ids are given out again.
    """

    __slots__ = ("appended", "logged", "marks", "moved", "next", "staged")

    around: Unit | None

    def __init__(self, data: PartitionData, schemas: Schemas, around: Unit | None = None) -> None:
        # What the classes above do, in one: each command has a unit of its own.
        self.data = data
        self.schemas = schemas
        self.around = around
        self.changed = {}
        self.staged: list[Insert | Change] = []
        # The events of this unit, and each of them as it is going to stand in the log.
        self.appended: list[Event] = []
        self.logged: list[bytes] = []
        # Where the logs go on, and with which ids, after the events of this unit.
        self.next: int | None = None
        self.marks: dict[int, Mark] = {}
        # The projector that this unit takes on, and from where.
        self.moved: tuple[str, int] | None = None

    # Nesting and commit

    def begin(self) -> Unit:
        """Return a unit within this one; there is one at a time."""
        return Unit(self.data, self.schemas, self)

    def merge(self) -> None:
        """Make all changes of this unit those of the one it was begun in."""
        around = self.around
        if around is None:
            raise LogError("a unit that stands by itself is committed, not merged")
        if self.staged:
            self._refuse_staged()
        around.merge_rows(self)
        if self.next is not None:
            around.marks.update(self.marks)
            around.appended += self.appended
            around.logged += self.logged
            around.next = self.next

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to commit."""
        return not (self.changed or self.appended)

    def commit(self) -> tuple[Event, ...]:
        """Write all changes in one atomic step, durable when this returns, and return the events appended.

        Raises:
            LogError: another unit appended to the partition since this one did, or took the projector on.
            RowStoreError: the store failed. Nothing was written, unless the error is a
                `StoreUnavailableError` whose `unknown` is true. The unit is of no more use.

        """
        if self.around is not None:
            raise LogError("a unit within another one is merged, not committed")
        if self.staged:
            self._refuse_staged()
        changes: list[RowChange] = []
        if self.next is not None:
            logs, blocks = self._logs()
            # The one condition that keeps two who append apart: nobody has taken the first offset.
            log, first = (layout.PLOG, self.data.number), (self.appended[0].offset,)
            changes.append(PutIfAbsent(log, first, logs[log].pop(first)))
            for partition, added in logs.items():
                changes += [Put(partition, clustering, value) for clustering, value in added.items()]
            for workspace, block in blocks.items():
                self.marks[workspace] = msgspec.structs.replace(self.marks[workspace], block=block)
        if self.moved is not None:
            changes.append(self._move(*self.moved))
        for partition, rows in self.changed.items():
            for clustering, value in rows.items():
                if value is None:
                    changes.append(Delete(partition, clustering))
                else:
                    changes.append(Put(partition, clustering, value))
        if self.next is None:
            if not self.data.write(changes, self.changed):
                name = self.moved[0] if self.moved is not None else ""
                raise LogError(
                    f"{name} has been taken on by another one meanwhile",
                    hint="one at a time may take a projector through the log of a partition",
                )
        else:
            self.data.append(changes, self.changed, self.next, self.marks)
        return tuple(self.appended)

    # Records

    def insert(self, workspace: int, value: Value) -> None:
        """Put down a new record, or a document with all that is nested in it (a value of a `tree`).

        Its `sys.ID` is a raw id, 1 to 65535, by which other records of the same event may refer to it, or
        NULL. One nested in a record that is there, or comes with the same event, names it as
        `sys.ParentID` and its container as `sys.Container`.

        Raises:
            WorkspaceError: the workspace does not exist, or does not have the table.
            SchemaError: a field does not match its CHECK.
            RecordError: the id is no raw id.

        """
        shape = self.schemas.tables_of.get(type(value)) or self._no_table(value)
        self.check(workspace, shape.name)
        self.staged.append(Insert(workspace, shape, value if shape.is_bare else shape.check(value)))

    def update(self, workspace: int, value: Value) -> None:
        """Put down that the record of `sys.ID` is to be *value*: what differs from it now is changed.

        Raises:
            RecordMissingError: there is no such record of this table.
            RecordError: the table's records cannot be changed, or a system field differs.
            SchemaError: a field does not match its CHECK.

        """
        shape = self.schemas.tables_of.get(type(value)) or self._no_table(value)
        record: int = value.sys_ID  # type: ignore[attr-defined]
        existing = self._existing(workspace, record, shape)
        changes = {
            name: new
            for name, new in fields_of(value).items()
            if new != (old := getattr(existing, name)) or type(new) is not type(old)
        }
        self._stage(workspace, shape, existing, changes)

    def change(self, workspace: int, record: int, changes: Mapping[str, object]) -> None:
        """Put down that fields of a record are to be set, by attribute (`shape.changes_from_json`).

        `{"sys_IsActive": False}` deactivates it: it stays where it is, and its unique values are free.

        Raises:
            RecordMissingError: there is no such record.
            RecordError: the table's records cannot be changed, or a system field cannot.
            SchemaError: a field does not match its CHECK.

        """
        existing = self._existing(workspace, record, None)
        self._stage(workspace, self.schemas.of(existing), existing, changes)

    # Events

    def next_offset(self, workspace: int) -> int:
        """Return the offset in the log of a workspace that its next event will have."""
        return self._mark(workspace).offset

    def append(
        self,
        name: str,
        workspace: int,
        *,
        registered_at: int,
        argument: Value | Mapping[str, Any] | None = None,
        error: EventError | None = None,
    ) -> Event:
        """Make an event of what was put down, with offsets and real ids, and write it and its records.

        An argument that is an operational document is stored as records, too. With *error* the event tells
        of a command that failed: it is called `sys.Error` and has no records, whatever was put down.

        Args:
            name: the qualified name of the command.
            workspace: the workspace it ran in; all records are of it.
            registered_at: milliseconds since 1970.
            argument: the argument of the command, a value of a shape's `tree`, or a mapping for any type.
            error: why the command failed.

        Raises:
            ConflictError: the workspace has unique values or a singleton already.
            BrokenReferenceError: a `ref` or a parent is not there, or is of another table.
            RecordError: two records have one raw id, or a container is not one of the parent's.
            SchemaError: a required field is NULL, or an argument of any type cannot be stored.

        """
        staged = [] if error is not None else self.staged
        document: TableShape | None = None
        given: Any = argument
        argument_name = ""
        shape = self.schemas.by_class.get(type(argument))
        if shape is not None:
            argument_name = shape.name
            if error is None and isinstance(shape, TableShape) and shape.kind is TableKind.ODOC:
                document = shape
                self.check(workspace, shape.name)
                staged = [Insert(workspace, shape, shape.check(given)), *staged]
        elif isinstance(argument, Value):
            self.schemas.of(argument)
        elif argument is not None:
            try:
                check_anything(name, argument)
            except SchemaError:
                # Of a command that failed just this may be the reason.
                if error is None:
                    raise
                argument = None
        mark = self._mark(workspace)
        resolver = Resolver(self, workspace, mark.next_id)
        cuds = resolver.cuds(staged)
        if document is not None:
            argument = stored_tree(document, given, iter(cuds))
        event = Event(
            offset=self._next_offset(),
            wlog_offset=mark.offset,
            workspace=workspace,
            name=name if error is None else ERROR_EVENT,
            registered_at=registered_at,
            argument=argument,
            argument_name=argument_name,
            cuds=cuds,
            error=error,
            new_ids=resolver.new_ids,
        )
        self.staged = []
        self._go_on(event, mark, resolver.next_id)
        return event

    def apply(self, event: Event) -> None:
        """Write an event of another log and its records as they are: the next of both its logs.

        Raises:
            LogError: the event is not the next one.

        """
        mark = self._mark(event.workspace)
        next_id = mark.next_id
        expected = self._next_offset(), mark.offset
        if expected != (event.offset, event.wlog_offset):
            raise LogError(
                f"expected an event of offsets {expected}, got one of {(event.offset, event.wlog_offset)}"
            )
        for cud in event.cuds:
            if cud.is_new and self.schemas[cud.table].is_singleton:
                self.data.singletons.take(cud.table, cud.id)
            next_id = max(next_id, cud.id + 1)
        self._go_on(event, mark, next_id)

    # Views

    def put_view(self, key: Key, value: Value) -> None:
        """Set the values of a view under a whole *key*.

        Raises:
            WorkspaceError: the workspace of the key does not exist, or does not have the view.
            SchemaError: the key is too long for the row store.

        """
        shape = self.schemas.of(key)
        self.check(key.WSID, shape.name)
        partition, clustering = shape.partition(key), shape.clustering(key)
        shape.check_key(partition, clustering)
        self.put(partition, clustering, encode(value))

    # Projectors and outbox

    def move_projector(self, projector: str, before: int, offset: int) -> None:
        """Set the offset of the partition's log up to which a projector has come, if it still is *before*.

        If it is not, `commit` writes nothing: each event has its effect once, whoever else is at work. In a
        unit that stands by itself, for one projector.
        """
        self.put((layout.PROJECTORS, self.data.number), (projector,), encode(offset))
        self.moved = projector, before

    def put_outbox(self, number: int, data: bytes) -> None:
        """Set what is still to be done under a number; the offset of an event is a good one."""
        self.put((layout.OUTBOX, self.data.number), (number,), data)

    def remove_outbox(self, number: int) -> None:
        """Remove what has been done."""
        self.remove((layout.OUTBOX, self.data.number), (number,))

    # How

    def _move(self, projector: str, before: int) -> RowChange:
        partition, clustering = (layout.PROJECTORS, self.data.number), (projector,)
        value = self.changed[partition].pop(clustering) or b""
        if before:
            return CompareAndSwap(partition, clustering, encode(before), value)
        return PutIfAbsent(partition, clustering, value)

    def _no_table(self, value: Value) -> NoReturn:
        shape = self.schemas.of(value)
        if not isinstance(shape, TableShape):
            raise RecordError(f"expected a record of a table, got a value of {shape.name}", table=shape.name)
        raise RecordError(
            f"{shape.name} is abstract: records are of tables that inherit it", table=shape.name
        )

    def _existing(self, workspace: int, record: int, shape: TableShape | None) -> Value:
        existing: Any = self.record(workspace, record, shape)
        if existing is None or (shape is not None and existing.sys_QName != shape.name):
            table = "" if shape is None else shape.name
            raise RecordMissingError(
                f"there is no {table or 'record'} {record} in workspace {workspace}", table=table
            )
        return existing  # type: ignore[no-any-return]

    def _stage(self, workspace: int, shape: TableShape, existing: Any, changes: Mapping[str, object]) -> None:
        if fields := checked_changes(shape, existing, changes):
            self.staged.append(Change(workspace, shape, existing.sys_ID, fields))

    def _mark(self, workspace: int) -> Mark:
        unit: Unit | None = self
        while unit is not None:
            mark = unit.marks.get(workspace)
            if mark is not None:
                return mark
            unit = unit.around
        return self.data.mark(workspace)

    def _next_offset(self) -> int:
        unit: Unit | None = self
        while unit is not None:
            if unit.next is not None:
                return unit.next
            unit = unit.around
        return self.data.next_offset(self.schemas)

    def _logs(self) -> tuple[Rows, dict[int, bytes]]:
        """Return the rows of the logs that are not in the store yet, and the last block of each workspace."""
        events: list[tuple[Event, bytes]] = []
        unit: Unit | None = self
        while unit is not None:
            events[:0] = zip(unit.appended, unit.logged, strict=True)
            unit = unit.around
        return log_rows(self.data.number, events, lambda workspace: self._mark(workspace).block)

    # The rows of the logs are made when they are committed, or read: each command would add to the same ones.

    def _pending(self, partition: Columns, clustering: Columns) -> bytes | UnsetType | None:
        if partition[0] in _LOGS:
            return self._logs()[0].get(partition, {}).get(clustering, UNSET)
        return super()._pending(partition, clustering)

    def _changes(self, partition: Columns) -> Mapping[Columns, bytes | None] | None:
        return self._logs()[0].get(partition) if partition[0] in _LOGS else super()._changes(partition)

    def _go_on(self, event: Event, mark: Mark, next_id: int) -> None:
        self.logged.append(store_event(self, event))
        self.appended.append(event)
        self.next = event.offset + 1
        self.marks[event.workspace] = Mark(event.wlog_offset + 1, next_id, mark.block)

    def _refuse_staged(self) -> NoReturn:
        raise RecordError(
            "records were put down, but no event was appended that has them",
            table=self.staged[0].shape.name,
            hint="records are changed by commands, as events",
        )

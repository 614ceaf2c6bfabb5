from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from statehold.events._event import Event, EventError
from statehold.events._reader import Reader
from statehold.rows import Columns
from statehold.sdk import Key, Value

if TYPE_CHECKING:
    from statehold.events._partition import PartitionData
    from statehold.events._schemas import Schemas

_Rows = dict[Columns, dict[Columns, bytes | None]]


class Unit(Reader):
    """Changes of records, views and logs that are committed in one step, or not at all.

    What it reads has its own changes in it. Records are changed by events: `insert`, `update` and `change`
    put down what is asked for, `append` makes one event of it and only then can it be read. A unit is for
    one thread at a time.

    Units nest: a change made in the unit that `begin` returns is in this one after `merge`; if that one is
    simply forgotten, nothing of it has happened, and its offsets and ids are given out again.
    """

    __slots__ = ("_appended", "_marks", "_next", "_parent", "_rows", "_staged", "_start")

    def __init__(self, data: PartitionData, schemas: Schemas, parent: Unit | None = None) -> None:
        self.data = data
        self.schemas = schemas
        self._parent = parent
        self._rows: _Rows = {}
        self._staged: list[Any] = []
        self._appended: list[Event] = []
        self._marks: dict[int, tuple[int, int]] = {}
        # The place of the next event, known once one is appended.
        self._start: int | None = None
        self._next: int | None = None

    # Nesting and commit

    def begin(self) -> Unit:
        """Return a unit within this one; there is one at a time."""
        return Unit(self.data, self.schemas, self)

    def merge(self) -> None:
        """Make all changes of this unit those of the one it was begun in."""

    def commit(self) -> tuple[Event, ...]:
        """Write all changes in one atomic step, durable when this returns, and return the events appended.

        Raises:
            LogError: another unit appended to the partition since this one did.
            RowStoreError: the store failed. Nothing was written, unless the error is a
                `StoreUnavailableError` whose `unknown` is true. The unit is of no more use.

        """

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

    def update(self, workspace: int, value: Value) -> None:
        """Put down that the record of `sys.ID` is to be *value*: what differs from it now is changed.

        Raises:
            RecordMissingError: there is no such record of this table.
            RecordError: the table's records cannot be changed, or a system field differs.
            SchemaError: a field does not match its CHECK.

        """

    def change(self, workspace: int, record: int, changes: Mapping[str, object]) -> None:
        """Put down that fields of a record are to be set, by attribute (`shape.changes_from_json`).

        `{"sys_IsActive": False}` deactivates it: it stays where it is, and its unique values are free.

        Raises:
            RecordMissingError: there is no such record.
            RecordError: the table's records cannot be changed, or a system field cannot.
            SchemaError: a field does not match its CHECK.

        """

    # Events

    def next_offset(self, workspace: int) -> int:
        """Return the offset in the log of a workspace that its next event will have."""

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
            SchemaError: a required field is NULL.

        """

    def apply(self, event: Event) -> None:
        """Write an event of another log and its records as they are: the next of both its logs.

        Raises:
            LogError: the event is not the next one.

        """

    # Views

    def put_view(self, key: Key, value: Value) -> None:
        """Set the values of a view under a whole *key*.

        Raises:
            WorkspaceError: the workspace of the key does not exist, or does not have the view.
            SchemaError: the key is too long for the row store.

        """

    # Projectors and outbox

    def set_projector_offset(self, projector: str, offset: int) -> None:
        """Set the offset of the partition's log up to which a projector has come."""

    def put_outbox(self, number: int, data: bytes) -> None:
        """Set what is still to be done under a number; the offset of an event is a good one."""

    def remove_outbox(self, number: int) -> None:
        """Remove what has been done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from statehold.events import Event, EventError, ViewShape
from statehold.extensions.python import compile_taker
from statehold.hosting import Partition, Rehearsal
from statehold.sdk import StateholdError, Value
from statehold.state import Rows
from statehold.testing._clock import FakeClock
from statehold.testing.extensions._cast import Cast
from statehold.testing.extensions._changes import plain
from statehold.testing.extensions._places import Places
from statehold.testing.extensions._run import as_dict
from statehold_vsql import ExtensionKind
from statehold_vsql.appdef import ANY, QName

_ANY_COMMAND = "sys.Given"


class Given:
    """The state that a test gives: rows, records, events, workspaces, and a clock that stands still."""

    def __init__(self, rehearsal: Rehearsal, partition: Partition, clock: FakeClock, cast: Cast) -> None:
        self.clock = clock
        self._rehearsal = rehearsal
        self._partition = partition
        self._tables = cast.tables
        self._schemas = partition.schemas
        self._places = Places(self._schemas, partition.data, registered_at=self._now)

    def workspace(self, kind: str = "", /, **descriptor: object) -> int:
        """Make a workspace of a kind, by the name of its WORKSPACE, and return its id.

        Without a kind, return the one that calls are made in when nothing says otherwise.
        """
        if not kind:
            return self._places.workspace(None)
        return self._places.make_workspace(
            kind if "." in kind else f"{self._places.package}.{kind}", **descriptor
        )

    def put(self, storage: str, /, **fields: object) -> None:
        """Put a row into a storage or a view: the fields of its key and its value, side by side."""
        name, entity = self._places.storage(storage)
        rows = self._rows(name, entity)
        workspace = self._places.workspace(entity)
        key = compile_taker(rows)(fields, workspace)
        value = rows.value(**fields)
        if entity is not None and isinstance(self._schemas[entity], ViewShape):
            unit = self._partition.data.begin(self._schemas)
            unit.put_view(key, value)
            unit.commit()
            return
        table = self._tables.get(name)
        if table is None:
            raise StateholdError(
                f"{storage} has no rows that could be put",
                hint="Records are made by record(...); what a call is about is given with the call",
            )
        table.rows[key] = value

    def record(self, table: str, /, **fields: object) -> int:
        """Make a record of a table, `Bill` or `Record.Bill`, and return its id.

        One that is nested in another names its `sys_ParentID` and its `sys_Container`.
        """
        event = self.event(_ANY_COMMAND, insert=[(table, fields)], workspace=fields.pop("WSID", None))
        return event.cuds[-1].id

    def event(
        self,
        command: str,
        /,
        arg: object = None,
        *,
        insert: Iterable[tuple[str, Mapping[str, object]]] = (),
        update: Iterable[tuple[int, Mapping[str, object]]] = (),
        error: str = "",
        workspace: Any = None,
    ) -> Event:
        """Let a command have happened, and return its event, for projectors.

        Args:
            command: its name.
            arg: its argument, the fields as a dict.
            insert: the records it made: table and fields.
            update: the records it changed: id and fields.
            error: why it failed, if it did.
            workspace: where; by default one of the right kind.

        """
        insert, update = list(insert), list(update)
        definition = None
        if command != _ANY_COMMAND:
            definition = self._places.extension(command, ExtensionKind.COMMAND)
        if workspace is None:
            member = definition.name if definition is not None else self._places.table(insert[0][0])
            workspace = self._places.workspace(member)
        unit = self._partition.data.begin(self._schemas)
        for table, fields in insert:
            rows = self._schemas[self._places.table(table)].rows
            unit.insert(workspace, rows.value(**fields))
        for record, changes in update:
            unit.change(workspace, record, changes)
        name = command if definition is None else str(definition.name)
        event = unit.append(
            name,
            workspace,
            registered_at=self._now,
            argument=None if definition is None else self._argument(definition.parameter, arg),
            error=EventError(message=error, command=name) if error else None,
        )
        unit.commit()
        return event

    def rows(self, storage: str) -> list[dict[str, Any]]:
        """Return the rows of a storage, as after a `commit`: the fields of key and value, without NULLs."""
        name, _ = self._places.storage(storage)
        found = self._tables[name].rows.items()
        return [as_dict({**plain(value), **plain(key)}) for key, value in found]

    @property
    def _now(self) -> int:
        return int(self.clock.now() * 1000)

    def _rows(self, storage: str, entity: str | None) -> Rows:
        rows: Rows = self._rehearsal.rows(storage) if entity is None else self._schemas[entity].rows
        return rows

    def _argument(self, name: QName | None, given: object) -> Any:
        if name is None:
            if given is not None:
                raise StateholdError(f"expected no argument, got {given!r:.60}", hint="It takes none")
            return None
        if name == ANY or isinstance(given, Value):
            return given
        return self._schemas[name].from_json({} if given is None else dict(given))  # type: ignore[call-overload]

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import Any

from statehold.events import Event, EventError, Shape, ViewShape
from statehold.extensions.python import compile_taker
from statehold.hosting import Partition, Rehearsal
from statehold.sdk import Key, StateholdError, Value
from statehold.sdk import fields as fields_of
from statehold.state import Rows
from statehold.testing._clock import FakeClock
from statehold.testing.extensions._cast import Cast
from statehold.testing.extensions._changes import plain
from statehold.testing.extensions._places import Places
from statehold.testing.extensions._run import as_dict
from statehold_vsql import ExtensionKind
from statehold_vsql.appdef import ANY, ExtensionDef

_ANY_COMMAND = "sys.Given"

#: What is given in another way than by `put`.
_INSTEAD = {
    "sys.Record": "Records are made by record(...)",
    "sys.Http": "What it answers is said by http.reply(url, body)",
    "sys.AppSecret": "Secrets are set by secrets[name] = ...",
    "sys.SendMail": "Mails are found in mail.sent",
}

__tracebackhide__ = True  # of a test that fails, pytest shows the test's own lines


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
        is_view = entity is not None and isinstance(self._schemas[entity], ViewShape)
        table = self._tables.get(name)
        if table is None and not is_view:
            raise StateholdError(
                f"{storage} has no rows that could be put",
                hint=_INSTEAD.get(name, "What a call is about is given with the call"),
            )
        rows = self._rows(name, entity)
        workspace = self._places.workspace(entity)
        key = compile_taker(rows)(fields, workspace)
        value = rows.value(**fields)
        if table is None:
            unit = self._partition.data.begin(self._schemas)
            unit.put_view(key, value)
            unit.commit()
            return
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
            argument=None if definition is None else self._argument(definition, arg),
            error=EventError(message=error, command=name) if error else None,
        )
        unit.commit()
        return event

    def rows(self, storage: str, /, **fields: object) -> list[dict[str, Any]]:
        """Return the rows of a storage, a view or a table, as they are after a `commit`.

        Args:
            storage: `Stock`, `View.Turnover`, `Record.Bill`.
            fields: what the rows have in common, for a view its partition key at least; `WSID` for another
                workspace than that of calls.

        Returns:
            The fields of key and value that are not NULL; `WSID` only where it was asked for.

        """
        name, entity = self._places.storage(storage)
        workspace: Any = fields.pop("WSID", None)
        asked = {} if workspace is None else {"WSID": workspace}
        workspace = workspace or self._places.workspace(entity)
        table = self._tables.get(name)
        rows: Iterable[tuple[Key | None, Value]]
        if table is not None:
            rows = [(key, value) for key, value in table.rows.items() if workspace == key.WSID]
        elif entity is not None:
            rows = self._read(self._schemas[entity], workspace, fields)
        else:
            raise StateholdError(f"{storage} has no rows that could be looked at")
        found = []
        for key, value in rows:
            row = {**fields_of(value), **fields_of(key)} if key is not None else fields_of(value)
            row.pop("WSID", None)
            if all(row.get(field) == wanted for field, wanted in fields.items()):
                found.append(as_dict({name: plain(each) for name, each in row.items()}) | asked)
        return found

    def _read(
        self, shape: Shape, workspace: int, fields: Mapping[str, object]
    ) -> Iterable[tuple[Key | None, Value]]:
        reader = self._partition.data.reader(self._schemas)
        if isinstance(shape, ViewShape):
            names = [field.attribute for field in shape.rows.key_fields]
            given = {name: fields[name] for name in takewhile(fields.__contains__, names)}
            return reader.read_view(shape.rows.prefix(workspace, **given))
        # Whatever there is was made by some event: in a test, those are few.
        ids = dict.fromkeys(
            (workspace, cud.id)
            for event in reader.plog()
            if event.workspace == workspace
            for cud in event.cuds
            if cud.table == shape.name
        )
        return [(None, value) for value in reader.records(ids) if value is not None]

    @property
    def _now(self) -> int:
        return int(self.clock.now() * 1000)

    def _rows(self, storage: str, entity: str | None) -> Rows:
        rows: Rows = self._rehearsal.rows(storage) if entity is None else self._schemas[entity].rows
        return rows

    def _argument(self, of: ExtensionDef, given: object, *, unlogged: bool = False) -> Any:
        name = of.unlogged if unlogged else of.parameter
        what = "unlogged argument" if unlogged else "argument"
        if name is None:
            if given is None:
                return None
            other = of.parameter if unlogged else of.unlogged
            hint = "" if other is None else f"It takes {'arg' if unlogged else 'unlogged'}={{...}}, a {other}"
            raise StateholdError(
                f"{of.kind} {of.name}: expected no {what}, got {given!r:.60}", hint=hint or "It takes none"
            )
        if name == ANY or isinstance(given, Value):
            return given
        if given is not None and not isinstance(given, Mapping):
            raise StateholdError(
                f"{of.kind} {of.name}: expected as {what} a dict with the fields of {name}, got {given!r:.60}"
            )
        return self._schemas[name].from_json({} if given is None else dict(given))

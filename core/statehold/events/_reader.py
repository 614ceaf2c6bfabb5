from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from statehold.events import _layout as layout
from statehold.events._codec import decode_event
from statehold.events._errors import WorkspaceError
from statehold.events._event import Event
from statehold.events._holding import holder
from statehold.events._places import BLOCK, places
from statehold.events._plog import logged, split
from statehold.events._shape import decode
from statehold.events._table import TableShape
from statehold.rows import Columns, Row, RowKey
from statehold.sdk import Key, SchemaError, Value
from statehold.sdk import fields as fields_of

if TYPE_CHECKING:
    from statehold.events._partition import PartitionData
    from statehold.events._schemas import Schemas

#: How many records or events are fetched at a time where many are asked for.
_PIECE = 100


class Reader:
    """Reads records, views and logs as one version of the app sees them; it holds nothing.

    One may serve any number of calls and threads. A workspace is given by its id, and need not belong to
    the partition. A key or a value is one of a shape of *schemas*.

    Attributes:
        data: the partition.
        schemas: the shapes of the version.

    """

    __slots__ = ("data", "schemas")

    def __init__(self, data: PartitionData, schemas: Schemas) -> None:
        self.data = data
        self.schemas = schemas

    # Rows

    def get(self, partition: Columns, clustering: Columns) -> bytes | None:
        """Return the value of a row, None if it is not there."""
        return self.data.get(partition, clustering)

    def get_many(self, keys: Sequence[RowKey]) -> list[bytes | None]:
        """Return the values of many rows, in the order of *keys*."""
        return self.data.store.get_many(keys)

    def read(
        self,
        partition: Columns,
        start: Columns = (),
        stop: Columns | None = None,
        *,
        prefix: Columns = (),
        limit: int | None = None,
        reverse: bool = False,
    ) -> Iterator[Row]:
        """Return rows of a partition in order, as `RowStore.read` does."""
        return self.data.store.read(partition, start, stop, prefix=prefix, limit=limit, reverse=reverse)

    # Workspaces

    def kind(self, workspace: int) -> str:
        """Return the qualified name of the kind of a workspace.

        Raises:
            WorkspaceError: there is no such workspace.

        """
        kind = self.data.kinds.get(workspace) or self.data.kind(workspace)
        if kind is None:
            row = self.get((layout.RECORDS, workspace), (layout.DESCRIPTOR_ID,))
            if row is None:
                raise WorkspaceError(
                    f"there is no workspace {workspace}",
                    workspace=workspace,
                    hint="a workspace has to be created before it is used",
                )
            kind = decode(row).get("WSKind", "")
        return kind

    def check(self, workspace: int, entity: str) -> None:
        """Raise WorkspaceError unless the kind of the workspace has the table, view or extension *entity*.

        Workspace 0 is none, and has everything.
        """
        kind = self.data.kinds.get(workspace)
        if kind is None:
            if workspace == 0:
                return
            kind = self.kind(workspace)
        if entity not in self.schemas.members.get(kind, ()):
            raise WorkspaceError(
                f"workspace {workspace} is a {kind}, which has no {entity}",
                workspace=workspace,
                entity=entity,
            )

    # Records

    def record(self, workspace: int, record: int, shape: TableShape | None = None) -> Value | None:
        """Return the record of an id, None if there is none; *shape* is a guess at its table.

        The record is of the table it is of: look at `sys.QName`.
        """
        row = self.get((layout.RECORDS, workspace), (record,))
        return None if row is None else self.schemas.record(row, shape)

    def records(self, keys: Iterable[tuple[int, int]], shape: TableShape | None = None) -> list[Value | None]:
        """Return the records of many (workspace, id), in their order."""
        rows = self.get_many([((layout.RECORDS, workspace), (record,)) for workspace, record in keys])
        return [None if row is None else self.schemas.record(row, shape) for row in rows]

    def singleton(self, workspace: int, shape: TableShape) -> Value | None:
        """Return the one record of a singleton, None if there is none yet.

        Raises:
            WorkspaceError: the workspace does not exist, or does not have the table.

        """
        self.check(workspace, shape.name)
        record = self.data.singletons.find(shape.name)
        return None if record is None else self.record(workspace, record, shape)

    def unique(self, workspace: int, shape: TableShape, fields: Mapping[str, object]) -> int | None:
        """Return the id of the active record that has the values of a UNIQUE, None if there is none.

        Args:
            workspace: where.
            shape: the table.
            fields: the values by field, all those of one UNIQUE.

        Raises:
            SchemaError: the fields are not those of one UNIQUE.

        """
        self.check(workspace, shape.name)
        names = tuple(sorted(fields))
        for unique in shape.uniques:
            if unique.fields == names:
                values = unique.given(fields)
                return None if values is None else holder(self, workspace, unique, values)
        known = " or ".join(f"({', '.join(unique.fields)})" for unique in shape.uniques)
        raise SchemaError(
            f"{shape.name}: ({', '.join(names)}) are not the fields of a UNIQUE",
            storage=shape.name,
            field=", ".join(names),
            expected=known or "a table with a UNIQUE",
            got=names,
            hint=f"It has {known}" if known else "It has none",
        )

    def documents(
        self, workspace: int, shape: TableShape, *, start: int = 0, limit: int | None = None
    ) -> Iterator[Value]:
        """Yield the records of a table that `is_listed`, by id from *start* on, inactive ones too."""
        self.check(workspace, shape.name)
        rows = self.read((layout.DOCS, workspace, shape.name), (start,), limit=limit)
        return self._listed(workspace, (row.clustering[0] for row in rows), shape)

    def children(self, workspace: int, parent: int, container: str | None = None) -> Iterator[Value]:
        """Yield the records nested in a record: by container and id, or of one container by id."""
        prefix: Columns = (parent,) if container is None else (parent, container)
        rows = self.read((layout.KIDS, workspace), prefix=prefix)
        return self._listed(workspace, (row.clustering[2] for row in rows), None)

    def document(self, workspace: int, value: Value) -> Value:
        """Return a record as a `tree`: with the records nested in it, and those nested in them."""
        shape: TableShape = self.schemas.of(value)
        if not shape.containers:
            return value
        nested: dict[str, list[Value]] = {name: [] for name in shape.containers}
        for child in self.children(workspace, value.sys_ID):  # type: ignore[attr-defined]
            nested.get(child.sys_Container, []).append(self.document(workspace, child))  # type: ignore[attr-defined]
        return shape.tree.Value(
            **fields_of(value), **{name: tuple(children) for name, children in nested.items()}
        )

    def _listed(self, workspace: int, ids: Iterator[Any], shape: TableShape | None) -> Iterator[Value]:
        while piece := [(workspace, record) for record in islice(ids, _PIECE)]:
            for value in self.records(piece, shape):
                if value is not None:
                    yield value

    # Views

    def view(self, key: Key) -> Value | None:
        """Return the values of a view under a whole *key*, None if there are none.

        Raises:
            WorkspaceError: the workspace of the key does not exist, or does not have the view.

        """
        shape = self.schemas.of(key)
        self.check(key.WSID, shape.name)
        row = self.get(shape.partition(key), shape.clustering(key))
        return None if row is None else shape.decode(row)

    def views(self, keys: Sequence[Key]) -> list[Value | None]:
        """Return the values under many whole keys, of any views, in their order."""
        shapes = [self.schemas.of(key) for key in keys]
        for key, shape in zip(keys, shapes, strict=True):
            self.check(key.WSID, shape.name)
        rows = self.get_many(
            [(shape.partition(key), shape.clustering(key)) for key, shape in zip(keys, shapes, strict=True)]
        )
        return [None if row is None else shape.decode(row) for row, shape in zip(rows, shapes, strict=True)]

    def read_view(
        self,
        prefix: Key,
        *,
        start: Columns = (),
        stop: Columns | None = None,
        limit: int | None = None,
        reverse: bool = False,
    ) -> Iterator[tuple[Key, Value]]:
        """Return an iterator over the rows of a view whose keys begin with *prefix*, in their order.

        It may be left at any row and holds nothing between rows.

        Args:
            prefix: the whole partition key, and clustering columns from the left.
            start: values of the clustering columns that *prefix* leaves out: the first row to see.
            stop: likewise, where to end, this row excluded; None for no end.
            limit: the greatest number of rows; None for all.
            reverse: from the end to the start, with the same bounds.

        Raises:
            WorkspaceError: the workspace of the key does not exist, or does not have the view.
            SchemaError: a field of the partition key is missing.

        """
        shape = self.schemas.of(prefix)
        self.check(prefix.WSID, shape.name)
        given = shape.given(prefix)
        rows = self.read(shape.partition(prefix), start, stop, prefix=given, limit=limit, reverse=reverse)
        return ((shape.key_of(prefix, row.clustering), shape.decode(row.value)) for row in rows)

    # Logs

    def event(self, workspace: int, offset: int) -> Event | None:
        """Return the event at an offset of the log of a workspace, None if it does not go so far."""
        return next(self.events(workspace, offset, 1), None) if offset > 0 else None

    def events(self, workspace: int, start: int = 1, limit: int | None = None) -> Iterator[Event]:
        """Yield up to *limit* events of the log of a workspace, from offset *start* on."""
        block, place = divmod(max(start, 1) - 1, BLOCK)
        rows = self.read((layout.WLOG, workspace), (block,))
        found = islice(chain.from_iterable(places(row.value) for row in rows), place, None)
        left = islice(found, limit)
        while piece := list(islice(left, _PIECE)):
            yield from self._events(piece)

    def plog(self, start: int = 1, limit: int | None = None) -> Iterator[Event]:
        """Yield up to *limit* events of the log of this partition, from offset *start* on."""
        for offset, event in islice(logged(self.read, self.data.number, start), limit):
            yield decode_event(self.schemas, offset, event)

    def projector_offset(self, projector: str) -> int:
        """Return the offset of the partition's log up to which a projector has come, 0 at first."""
        row = self.get((layout.PROJECTORS, self.data.number), (projector,))
        return 0 if row is None else decode(row)

    def outbox(self) -> Iterator[tuple[int, bytes]]:
        """Return the numbers and contents of what is still to be done, the oldest first."""
        rows = self.read((layout.OUTBOX, self.data.number))
        return ((row.clustering[0], row.value) for row in rows)  # type: ignore[misc]

    def _events(self, found: Sequence[tuple[int, int, int]]) -> Iterator[Event]:
        keys = list(dict.fromkeys((partition, offset - before) for partition, offset, before in found))
        rows = self.get_many([((layout.PLOG, partition), (first,)) for partition, first in keys])
        events = {key: split(key[1], row or b"") for key, row in zip(keys, rows, strict=True)}
        for partition, offset, before in found:
            event = events[partition, offset - before][before : before + 1]
            yield decode_event(self.schemas, offset, event[0] if event else b"")

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from statehold.events import _layout as layout
from statehold.events._errors import LogError
from statehold.events._reader import Reader
from statehold.events._shape import decode
from statehold.events._singletons import Singletons
from statehold.events._unit import Unit
from statehold.rows import Change, Columns, RowStore

if TYPE_CHECKING:
    from statehold.events._schemas import Schemas

#: How many workspaces are kept in mind.
_KEPT: Final = 10_000


class PartitionData:
    """The events, records and views of one partition of an app, for all its versions.

    Where its logs end, and which ids are taken, it learns from the store when it is first asked, and keeps
    in mind. So one unit at a time may append to a partition, from `begin` to `commit`. Units that only write
    views and offsets may be under way beside it, on other threads, and any number of readers.

    Attributes:
        store: the row store of the app; who opened it closes it.
        number: the number of the partition, from 0.
        kinds: the kinds of the workspaces that are known, by workspace.

    """

    def __init__(self, store: RowStore, number: int) -> None:
        self.store = store
        self.number = number
        self.kinds: dict[int, str] = {}
        self.singletons = Singletons(store)
        self._next: int | None = None
        self._marks: dict[int, tuple[int, int]] = {}

    def reader(self, schemas: Schemas) -> Reader:
        """Return what reads the partition as a version sees it; any number of calls may share it."""
        return Reader(self, schemas)

    def begin(self, schemas: Schemas) -> Unit:
        """Return a unit of work: to be committed, or forgotten, and then nothing has happened."""
        return Unit(self, schemas)

    def next_offset(self) -> int:
        """Return the offset in the log of the partition that the next event will have."""
        if self._next is None:
            self._next = self._last((layout.PLOG, self.number), 0) + 1
        return self._next

    def marks(self, workspace: int) -> tuple[int, int]:
        """Return the offset in the log of a workspace of its next event, and the id of its next record."""
        marks = self._marks.get(workspace)
        if marks is None:
            marks = (
                self._last((layout.WLOG, workspace), 0) + 1,
                max(self._last((layout.RECORDS, workspace), 0) + 1, layout.FIRST_ID),
            )
            self._keep(self._marks, workspace, marks)
        return marks

    def kind(self, workspace: int) -> str | None:
        """Return the qualified name of the kind of a workspace, None if the store has no such workspace."""
        kind = self.kinds.get(workspace)
        if kind is None:
            row = self.store.get((layout.RECORDS, workspace), (layout.DESCRIPTOR_ID,))
            if row is not None:
                kind = decode(row)["WSKind"]
                self._keep(self.kinds, workspace, kind)
        return kind

    def write(self, changes: Sequence[Change], next_offset: int, marks: dict[int, tuple[int, int]]) -> None:
        """Write what a unit has appended, and go on from there.

        After a failure the ends of the logs are read from the store again.

        Raises:
            LogError: the log has gone on since the unit began.

        """
        try:
            outcome = self.store.write(changes)
        except BaseException:
            self.forget()
            raise
        if not outcome:
            self.forget()
            raise LogError(
                f"the log of partition {self.number} has gone on without this unit",
                hint="one unit at a time may append to a partition, and one process write to a store",
            )
        self._next = next_offset
        for workspace, mark in marks.items():
            self._keep(self._marks, workspace, mark)

    def forget(self) -> None:
        """Forget where the logs end and which ids are taken: the store is asked again."""
        self._next = None
        self._marks = {}

    def _last(self, partition: Columns, none: int) -> int:
        for row in self.store.read(partition, limit=1, reverse=True):
            return row.clustering[0]  # type: ignore[return-value]
        return none

    @staticmethod
    def _keep(kept: dict[int, Any], workspace: int, value: object) -> None:
        if len(kept) >= _KEPT:
            kept.clear()
        kept[workspace] = value

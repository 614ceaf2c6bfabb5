from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from statehold.events import _layout as layout
from statehold.events._cache import Changed, RowCache
from statehold.events._errors import LogError
from statehold.events._indexing import take_over
from statehold.events._places import BLOCK, Mark, begun, count
from statehold.events._plog import split
from statehold.events._reader import Reader
from statehold.events._shape import decode
from statehold.events._singletons import Singletons
from statehold.events._unit import Unit
from statehold.rows import Change, Columns, Outcome, Row, RowStore

if TYPE_CHECKING:
    from statehold.events._schemas import Schemas

#: How many workspaces are kept in mind.
_KEPT: Final = 10_000


class PartitionData:
    """The events, records and views of one partition of an app, for all its versions.

    Where its logs end, and which ids are taken, it learns from the store when it is first asked, and keeps
    in mind. So one unit at a time may append to a partition, from `begin` to `commit`. Units that only write
    views and offsets may be under way beside it, on other threads, and any number of readers.

    With a cache, which all partitions of the store share, rows that were written or read a short while ago
    are not asked of the store.

    Attributes:
        store: the row store of the app; who opened it closes it.
        number: the number of the partition, from 0.
        get: returns the value of a row, None if it is not there, from the cache or the store.
        kinds: the kinds of the workspaces that are known, by workspace.

    """

    def __init__(self, store: RowStore, number: int, cache: RowCache | None = None) -> None:
        self.store = store
        self.number = number
        self.get: Callable[[Columns, Columns], bytes | None] = store.get if cache is None else cache.get
        self._cache = cache
        self.kinds: dict[int, str] = {}
        self.singletons = Singletons(store)
        self._next: int | None = None
        self._marks: dict[int, Mark] = {}
        self._indexed: Schemas | None = None

    def reader(self, schemas: Schemas) -> Reader:
        """Return what reads the partition as a version sees it; any number of calls may share it."""
        return Reader(self, schemas)

    def begin(self, schemas: Schemas) -> Unit:
        """Return a unit of work: to be committed, or forgotten, and then nothing has happened."""
        return Unit(self, schemas)

    def next_offset(self, schemas: Schemas) -> int:
        """Return the offset in the log of the partition that the next event will have.

        It is of the version of *schemas*: the uniques that this has and the one before had not are caught up.
        """
        if self._next is None:
            self._next = self.last_offset() + 1
        if self._indexed is not schemas:
            take_over(self, schemas, self._next - 1)
            self._indexed = schemas
            if self._cache is not None:
                # A key may be of other types in this version, and equal all the same: 1 and 1.0.
                self._cache.clear()
        return self._next

    def last_offset(self) -> int:
        """Return the offset of the last event in the log of the partition, 0 if there is none."""
        row = self._last((layout.PLOG, self.number))
        if row is None:
            return 0
        first: int = row.clustering[0]  # type: ignore[assignment]
        return first + len(split(first, row.value)) - 1

    def mark(self, workspace: int) -> Mark:
        """Return where a workspace goes on."""
        mark = self._marks.get(workspace)
        if mark is None:
            last: Any = self._last((layout.RECORDS, workspace))
            next_id = layout.FIRST_ID if last is None else max(last.clustering[0] + 1, layout.FIRST_ID)
            row = self._last((layout.WLOG, workspace))
            if row is None:
                mark = Mark(1, next_id, begun(self.number))
            else:
                full: int = row.clustering[0] * BLOCK  # type: ignore[assignment, operator]
                mark = Mark(full + count(row.value) + 1, next_id, row.value)
            self._keep(self._marks, workspace, mark)
        return mark

    def kind(self, workspace: int) -> str | None:
        """Return the qualified name of the kind of a workspace, None if the store has no such workspace."""
        kind = self.kinds.get(workspace)
        if kind is None:
            row = self.store.get((layout.RECORDS, workspace), (layout.DESCRIPTOR_ID,))
            if row is not None:
                kind = decode(row)["WSKind"]
                self._keep(self.kinds, workspace, kind)
        return kind

    def write(self, changes: Sequence[Change], changed: Changed) -> Outcome:
        """Write *changes*; *changed* has the rows as they then are."""
        return self.store.write(changes) if self._cache is None else self._cache.write(changes, changed)

    def append(
        self, changes: Sequence[Change], changed: Changed, next_offset: int, marks: dict[int, Mark]
    ) -> None:
        """Write what a unit has appended, and go on from there.

        After a failure the ends of the logs are read from the store again.

        Raises:
            LogError: the log has gone on since the unit began.

        """
        try:
            outcome = self.write(changes, changed)
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
        self._indexed = None

    def _last(self, partition: Columns) -> Row | None:
        return next(self.store.read(partition, limit=1, reverse=True), None)

    @staticmethod
    def _keep(kept: dict[int, Any], workspace: int, value: object) -> None:
        if len(kept) >= _KEPT:
            kept.clear()
        kept[workspace] = value

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol, TypeAlias

from statehold.rows._changes import Change, Outcome
from statehold.rows._keys import Columns

RowKey: TypeAlias = tuple[Columns, Columns]


class Row(NamedTuple):
    """One row of a partition."""

    clustering: Columns
    value: bytes


class RowStore(AbstractContextManager["RowStore"], Protocol):
    """Rows of one app: a partition key, clustering columns that order rows there, and a value of bytes.

    Any number of threads may use a store. Keys are tuples of None, bool, int, float, str and bytes; `()` is
    a key too. A row whose time to live is over is not there for any method.

    Every method raises `RowKeyError` for what is no key, `StoreClosedError` after `close`, and another
    `RowStoreError` for what the disk or the server does.
    """

    def hold(self) -> None:
        """Hold the store, as the only one, until it is closed; a second time does nothing.

        Who does not ask for it is not kept from reading and writing. A process that ends lets go. One that
        loses its hold without knowing, because its connection to a server broke, gets it back with the next
        `write` if nobody else had it meanwhile.

        Raises:
            StoreHeldError: another one holds it; also of each `write`, once another one has had it.

        """

    def get(self, partition: Columns, clustering: Columns = ()) -> bytes | None:
        """Return the value of a row, or None if it is not there."""

    def get_many(self, keys: Sequence[RowKey]) -> list[bytes | None]:
        """Return the values of many rows of any partitions, in the order asked, all of one moment."""

    def ttl(self, partition: Columns, clustering: Columns = ()) -> float | None:
        """Return the seconds that a row still has, `math.inf` if it stays, None if it is not there."""

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
        """Return an iterator over rows of a partition in the order of their clustering columns.

        It may be left at any row and holds nothing between rows: no lock, no connection, no snapshot. A row
        that is written while it is under way is seen if it lies ahead, or is not, and never twice.

        Args:
            partition: the partition key, whole.
            start: the first row to see; a shorter tuple stands before all that begin with it.
            stop: where to end, this row excluded; None for the end of the partition.
            prefix: only rows whose clustering columns begin so; *start* and *stop* then bound the columns
                after it.
            limit: the greatest number of rows; None for all.
            reverse: from the end to the start, with the same bounds.

        """

    def write(self, changes: Sequence[Change]) -> Outcome:
        """Write all *changes* or, if one condition fails, none; they are durable when this returns.

        Changes happen in their order: a later one sees the earlier ones. An outcome that is false tells
        which conditions failed.

        Raises:
            RowValueError: a value is not bytes or too large, or a time to live is not positive.

        """

    def sweep(self, *, limit: int = 1000) -> int:
        """Remove up to *limit* rows whose time to live is over, and return how many there were."""

    def close(self) -> None:
        """Wait for the calls in flight, then let go of everything; a second time does nothing."""


class RowDriver(AbstractContextManager["RowDriver"], Protocol):
    """Where stores live: memory, a folder, a server. A store's name is that of its app, `owner.app`.

    A store may be open several times; each has to be closed.
    """

    def create(self, name: str) -> RowStore:
        """Make a store and open it; raise `StoreExistsError` if there is one of this name."""

    def open(self, name: str) -> RowStore:
        """Open a store; raise `StoreMissingError` if there is none of this name."""

    def names(self) -> list[str]:
        """Return the names of all stores, sorted."""

    def remove(self, name: str) -> None:
        """Remove a store with all its rows.

        Raises:
            StoreMissingError: there is none of this name.
            StoreBusyError: it is open.
            StoreHeldError: another one holds it.

        """

    def close(self) -> None:
        """Close every store that is still open, and let go of everything; a second time does nothing."""

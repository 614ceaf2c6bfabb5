"""Records that are in no index file yet, by columns, as an index file has them.

There may be hundreds of thousands, and putting each from an object of its own into its columns took as long
as storing the record.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import TypeAlias

import attrs

from statehold_zdb.engine._blocks import TOMBSTONE, Block, Entry, Totals
from statehold_zdb.engine._position import SLOT_SHIFT

#: The fields of an `Entry`, and the position that its key had before; 0, where no record stands, for none.
_Row: TypeAlias = tuple[bytes, int, int, int, int, int]


@attrs.define(eq=False)
class Columns:
    """Records in the order in which they were written, each with the position that its key had before.

    Attributes:
        numbers: the number of each.

    """

    numbers: array[int] = attrs.field(factory=lambda: array("Q"), init=False)
    _keys: list[bytes] = attrs.field(factory=list, init=False)
    _positions: array[int] = attrs.field(factory=lambda: array("Q"), init=False)
    _sizes: array[int] = attrs.field(factory=lambda: array("I"), init=False)
    _stamps: array[int] = attrs.field(factory=lambda: array("I"), init=False)
    _befores: array[int] = attrs.field(factory=lambda: array("Q"), init=False)

    def __len__(self) -> int:
        return len(self._keys)

    def add(  # noqa: PLR0917 - on the path of every write
        self, key: bytes, position: int, size: int, stamp: int, number: int, before: int | None
    ) -> None:
        """Have one more record."""
        self._keys.append(key)
        self._positions.append(position)
        self._sizes.append(size)
        self._stamps.append(stamp)
        self.numbers.append(number)
        self._befores.append(before or 0)

    def add_run(
        self, keys: Sequence[bytes], positions: list[int], sizes: list[int], stamp: int, first: int
    ) -> None:
        """Have more records, numbered from *first* on, whose keys had no position."""
        count = len(keys)
        self._keys += keys
        self._positions.fromlist(positions)
        self._sizes.fromlist(sizes)
        self._stamps.extend(repeat(stamp, count))
        self.numbers.extend(range(first, first + count))
        self._befores.frombytes(bytes(8 * count))

    def pop(self) -> tuple[bytes, int | None]:
        """Forget the last record, and return its key and the position that this had before."""
        for column in (self._positions, self._sizes, self._stamps, self.numbers):
            column.pop()
        return self._keys.pop(), self._befores.pop() or None

    def first(self, count: int, start: int, totals: Totals) -> Block:
        """Return the first *count* records as a block, about the bytes from *start* on."""
        return Block(
            start,
            totals,
            self._keys[:count],
            self._positions[:count],
            self.numbers[:count],
            self._sizes[:count],
            self._stamps[:count],
        )

    def drop(self, count: int) -> None:
        """Forget the first *count* records."""
        del self._keys[:count]
        for column in (self._positions, self._sizes, self._stamps, self.numbers, self._befores):
            del column[:count]

    def of(self, slot: int) -> list[Entry]:
        """Return the records of one segment."""
        return [Entry(*row[:5]) for row in self.rows() if _slot(row) == slot]

    def without(self, slots: set[int]) -> Columns:
        """Return all records but those of some segments."""
        found = Columns()
        for row in self.rows():
            if _slot(row) not in slots:
                found.add(*row)
        return found

    def rows(self) -> Iterator[_Row]:
        """Yield them, one by one."""
        return zip(
            self._keys,
            self._positions,
            self._sizes,
            self._stamps,
            self.numbers,
            self._befores,
            strict=True,
        )


def _slot(row: _Row) -> int:
    return (row[1] & ~TOMBSTONE) >> SLOT_SHIFT

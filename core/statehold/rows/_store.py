from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Self

from statehold.rows._changes import Change, Outcome
from statehold.rows._keys import Columns, decode, encode
from statehold.rows._protocols import Row, RowKey
from statehold.rows._steps import ByteKey, Entry, Step, byte_key, steps
from statehold.sdk import Clock

#: How many rows one piece of a READ has: at first, at most, and in bytes of values.
_FIRST, _MOST, _BYTES = 32, 1024, 1 << 20
#: Sorts after every column.
_AFTER: Final = b"\xff"


class BaseStore(ABC):
    """What all drivers' stores have in common: keys to bytes, times, and reading piece by piece."""

    def __init__(self, *, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._closed: list[Callable[[], None]] = []
        self._is_held = False

    def hold(self) -> None:
        """Hold the store, as the only one, until it is closed; a second time does nothing."""
        self._check_open()
        if not self._is_held:
            self.on_close(self._hold())
            self._is_held = True

    def get(self, partition: Columns, clustering: Columns = ()) -> bytes | None:
        """Return the value of a row, or None if it is not there."""
        entry = self._get((encode(partition), encode(clustering)))
        if entry is None or (entry[1] is not None and entry[1] <= self._now()):
            return None
        return entry[0]

    def get_many(self, keys: Sequence[RowKey]) -> list[bytes | None]:
        """Return the values of many rows of any partitions, in the order asked, all of one moment."""
        found = self._get_many([byte_key(*key) for key in keys])
        now = self._now()
        return [
            None if entry is None or (entry[1] is not None and entry[1] <= now) else entry[0]
            for entry in found
        ]

    def ttl(self, partition: Columns, clustering: Columns = ()) -> float | None:
        """Return the seconds that a row still has, `math.inf` if it stays, None if it is not there."""
        entry = self._get(byte_key(partition, clustering))
        if entry is None:
            return None
        if entry[1] is None:
            return math.inf
        left = entry[1] - self._now()
        return left / 1_000_000 if left > 0 else None

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
        """Return an iterator over rows of a partition in the order of their clustering columns."""
        within = encode(prefix)
        low = within + encode(start)
        high = within + (_AFTER if stop is None else encode(stop))
        if limit is not None and limit < 0:
            raise ValueError(f"expected a limit of 0 or more, got {limit}")
        self._check_open()
        return self._rows(encode(partition), low, high, limit, reverse=reverse)

    def _rows(
        self, partition: bytes, low: bytes, high: bytes, limit: int | None, *, reverse: bool
    ) -> Iterator[Row]:
        left = math.inf if limit is None else limit
        count = _FIRST
        while left > 0 and low < high:
            asked = int(min(count, left))
            piece = self._piece(partition, low, high, asked, reverse=reverse)
            for clustering, value in piece:
                yield Row(decode(clustering), value)
            if len(piece) < asked:
                return
            left -= asked
            last = piece[-1][0]
            low, high = (low, last) if reverse else (last + b"\x00", high)
            size = sum(len(value) for _, value in piece) // asked + 1
            count = max(1, min(count * 4, _MOST, _BYTES // size))

    def write(self, changes: Sequence[Change]) -> Outcome:
        """Write all *changes* or, if one condition fails, none; they are durable when this returns."""
        batch = steps(changes)
        if not batch:
            self._check_open()
            return Outcome()
        return self._write(batch)

    def close(self) -> None:
        """Wait for the calls in flight, then let go of everything; a second time does nothing."""
        self._close()
        while self._closed:
            self._closed.pop()()

    def on_close(self, call: Callable[[], None]) -> None:
        """Call *call* once the store is closed."""
        self._closed.append(call)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _now(self) -> int:
        return int(self._clock.now() * 1_000_000)

    @abstractmethod
    def sweep(self, *, limit: int = 1000) -> int:
        """Remove up to *limit* rows whose time to live is over, and return how many there were."""

    @abstractmethod
    def _hold(self) -> Callable[[], None]:
        """Hold the store, and return what lets go of it; raise `StoreHeldError` if another one holds it."""

    @abstractmethod
    def _get(self, key: ByteKey) -> Entry | None:
        """Return a row, expired or not."""

    @abstractmethod
    def _get_many(self, keys: Sequence[ByteKey]) -> list[Entry | None]:
        """Return rows, expired or not, all of one moment."""

    @abstractmethod
    def _piece(
        self, partition: bytes, low: bytes, high: bytes, count: int, *, reverse: bool
    ) -> Sequence[tuple[bytes, bytes]]:
        """Return the first *count* rows from *low* to before *high* that are not expired, in order."""

    @abstractmethod
    def _write(self, batch: Sequence[Step]) -> Outcome:
        """Write a batch that is not empty."""

    @abstractmethod
    def _check_open(self) -> None:
        """Raise `StoreClosedError` after `close`."""

    @abstractmethod
    def _close(self) -> None:
        """Wait for the calls in flight and let go of everything."""

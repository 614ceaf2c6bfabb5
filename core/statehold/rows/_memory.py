from __future__ import annotations

import bisect
import threading
from collections.abc import Callable, Sequence
from itertools import islice

from statehold.rows._changes import Outcome
from statehold.rows._driver import BaseDriver
from statehold.rows._errors import StoreClosedError, StoreExistsError, StoreHeldError, StoreMissingError
from statehold.rows._steps import ByteKey, Entry, Step, decide
from statehold.rows._store import BaseStore
from statehold.rows._time import SystemClock
from statehold.sdk import Clock


class _Table:
    """The rows of one store, shared by all who have it open."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.hold = threading.Lock()
        self.partitions: dict[bytes, _Partition] = {}

    def entry(self, key: ByteKey) -> Entry | None:
        partition = self.partitions.get(key[0])
        return None if partition is None else partition.entries.get(key[1])

    def set(self, key: ByteKey, entry: Entry | None) -> None:
        partition = self.partitions.get(key[0])
        if entry is not None:
            if partition is None:
                partition = self.partitions[key[0]] = _Partition()
            if key[1] not in partition.entries:
                bisect.insort(partition.order, key[1])
            partition.entries[key[1]] = entry
        elif partition is not None and key[1] in partition.entries:
            del partition.entries[key[1]]
            del partition.order[bisect.bisect_left(partition.order, key[1])]
            if not partition.order:
                del self.partitions[key[0]]


class _Partition:
    def __init__(self) -> None:
        self.entries: dict[bytes, Entry] = {}
        self.order: list[bytes] = []


class MemoryStore(BaseStore):
    """A row store that lives as long as its driver."""

    def __init__(self, table: _Table, *, name: str, clock: Clock) -> None:
        super().__init__(name=name, clock=clock)
        self._table = table
        self._is_closed = False

    def sweep(self, *, limit: int = 1000) -> int:
        """Remove up to *limit* rows whose time to live is over, and return how many there were."""
        now = self._now()
        with self._table.lock:
            self._check_open()
            expired = (
                (name, clustering)
                for name, partition in self._table.partitions.items()
                for clustering, (_, expires) in partition.entries.items()
                if expires is not None and expires <= now
            )
            found = list(islice(expired, limit))
            for key in found:
                self._table.set(key, None)
        return len(found)

    def _hold(self) -> Callable[[], None]:
        if not self._table.hold.acquire(blocking=False):
            raise StoreHeldError(
                f"store {self._name!r} is held already, in this process", hint="close the other one first"
            )
        return self._table.hold.release

    def _get(self, key: ByteKey) -> Entry | None:
        with self._table.lock:
            self._check_open()
            return self._table.entry(key)

    def _get_many(self, keys: Sequence[ByteKey]) -> list[Entry | None]:
        with self._table.lock:
            self._check_open()
            return [self._table.entry(key) for key in keys]

    def _piece(
        self, partition: bytes, low: bytes, high: bytes, count: int, *, reverse: bool
    ) -> Sequence[tuple[bytes, bytes]]:
        now = self._now()
        with self._table.lock:
            self._check_open()
            rows = self._table.partitions.get(partition)
            if rows is None:
                return []
            first, last = bisect.bisect_left(rows.order, low), bisect.bisect_left(rows.order, high)
            places = range(last - 1, first - 1, -1) if reverse else range(first, last)
            found = ((rows.order[place], *rows.entries[rows.order[place]]) for place in places)
            alive = ((key, value) for key, value, expires in found if expires is None or expires > now)
            return list(islice(alive, count))

    def _write(self, batch: Sequence[Step]) -> Outcome:
        with self._table.lock:
            self._check_open()
            after, refused = decide(batch, self._table.entry, self._now())
            if not refused:
                for key, entry in after.items():
                    self._table.set(key, entry)
        return Outcome(refused)

    def _check_open(self) -> None:
        if self._is_closed:
            raise StoreClosedError(f"store {self._name!r} has been closed")

    def _close(self) -> None:
        with self._table.lock:
            self._is_closed = True


class MemoryDriver(BaseDriver[MemoryStore]):
    """Stores in memory: for tests, and for what may be lost.

    Args:
        clock: what times to live are measured by; without it, the machine's.

    """

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__()
        self._clock = clock or SystemClock()
        self._tables: dict[str, _Table] = {}

    def _make(self, name: str) -> None:
        if name in self._tables:
            raise StoreExistsError(f"store {name!r} exists already")
        self._tables[name] = _Table()

    def _open(self, name: str) -> MemoryStore:
        if name not in self._tables:
            raise StoreMissingError(f"there is no store {name!r} in memory", hint="create it first")
        return MemoryStore(self._tables[name], name=name, clock=self._clock)

    def _names(self) -> list[str]:
        return list(self._tables)

    def _remove(self, name: str) -> None:
        if self._tables.pop(name, None) is None:
            raise StoreMissingError(f"there is no store {name!r} in memory")

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import attrs
import msgspec

from statehold_qsfs.files._buffers import Bytes
from statehold_qsfs.files._layout import SnapshotRecord, block_key, generation_of, kept_key
from statehold_zdb.engine import Batch, Namespace, ZdbError, ZdbFullError, ZdbMissingError, ZdbReadError

T = TypeVar("T")


def refuse(code: int, what: str = "") -> OSError:
    """Return what to raise for *code*."""
    return OSError(code, os.strerror(code), what or None)


def io_error(error: ZdbError) -> OSError:
    """Return what to raise where 0-db refuses."""
    cause = error.__cause__
    full = isinstance(error, ZdbFullError) or (isinstance(cause, OSError) and cause.errno == errno.ENOSPC)
    return OSError(errno.ENOSPC if full else errno.EIO, error.message)


@attrs.define(eq=False)
class Records:
    """Reads the metadata: of now, or of a snapshot.

    Attributes:
        meta: where they are.
        view: the number of the snapshot that is looked at; 0 for now.
        later: of a view, the snapshots from that one on, the oldest first.
        flying: by key, what is on its way into the namespace; None for what is removed.

    """

    meta: Namespace
    view: int = 0
    later: Callable[[], list[SnapshotRecord]] = list
    flying: dict[bytes, bytes | None] = attrs.field(factory=dict)

    def load(self, key: bytes) -> bytes | None:
        """Return what stands under *key*, or None; OSError if it cannot be read."""
        if self.view:
            return self._load_kept(key)
        flying = self.flying
        if flying and key in flying:
            return flying[key]
        return self._get(key)

    def decoded(self, key: bytes, decode: Callable[[bytes], T]) -> T:
        """Return what stands under *key*, which must be there; OSError if it is not, or is not understood."""
        found = self.load(key)
        if found is None:
            raise OSError(errno.EIO, f"{self.meta.name}: there is no record {key.hex()}; see `check`")
        try:
            return decode(found)
        except msgspec.MsgspecError as error:
            raise OSError(
                errno.EIO, f"{self.meta.name}: the record {key.hex()} is not understood: {error}"
            ) from error

    def _get(self, key: bytes) -> bytes | None:
        try:
            return self.meta.get(key)
        except ZdbError as error:
            raise io_error(error) from error

    def _load_kept(self, key: bytes) -> bytes | None:
        """Return what stood under *key* at the snapshot, or None if nothing did."""
        found = self._first_kept(key)
        if found is None:
            found = self._get(key)
            if found is not None and generation_of(found) >= self.view:
                # It was replaced just now, with a copy of what stood there, or is newer than the snapshot.
                found = self._first_kept(key)
        return found if found is not None and generation_of(found) < self.view else None

    def _first_kept(self, key: bytes) -> bytes | None:
        """Return what the first snapshot keeps that keeps anything, from the one looked at on."""
        for snapshot in self.later():
            found = self._get(kept_key(key, snapshot.number))
            if found is not None:
                return found
        return None


def find_block(data: Namespace, number: int) -> memoryview | None:
    """Return a block, or None if it is gone; waits for its segment. OSError if it cannot be read."""
    key = block_key(number)
    try:
        try:
            found = data.find(key)
        except ZdbMissingError:
            found = data.get(key)
    except ZdbError as error:
        raise io_error(error) from error
    return None if found is None else memoryview(found)


def find_here(data: Namespace, number: int) -> memoryview | None:
    """Return a block that is on this disk and can be read, or None."""
    try:
        found = data.find(block_key(number))
    except ZdbReadError:
        return None
    return None if found is None else memoryview(found)


@attrs.define(eq=False)
class Staging:
    """Blocks that come into the namespace, or go, together.

    The engine writes what is staged also when others ask it to, and forgets it if that fails: so each part
    is asked in the end what has become of it.
    """

    data: Namespace
    _batches: list[Batch] = attrs.field(factory=list, init=False)

    def add(self, payload: Bytes) -> int:
        """Have a new block, and return its number."""
        key, batch = self.data.stage(b"", payload if isinstance(payload, bytes) else memoryview(payload))
        if key is None:
            raise ZdbError(f"{self.data.name}: a new block has no number")
        self._note(batch)
        return int.from_bytes(key, "little")

    def delete(self, numbers: Iterable[int]) -> None:
        """Have blocks no more, some of which may not be there."""
        for number in numbers:
            self._note(self.data.stage_delete(block_key(number))[1])

    def write(self) -> None:
        """Write it all; ZdbError if something of it could not be."""
        self.data.flush()
        for batch in self._batches:
            if batch.error is not None:
                raise batch.error
        self._batches.clear()

    def _note(self, batch: Batch) -> None:
        if not self._batches or self._batches[-1] is not batch:
            self._batches.append(batch)


def block_numbers(data: Namespace) -> Iterator[int]:
    """Yield the numbers of all blocks."""
    return (int.from_bytes(key, "little") for key in data.keys())  # noqa: SIM118 - a method of its own

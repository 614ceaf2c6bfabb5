from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Final, Generic, Protocol, Self, TypeAlias, TypeVar

from statehold_zstor.codec import _header
from statehold_zstor.codec._compression import needed
from statehold_zstor.codec._erasure import ErasureCode

#: What bytes are read from.
Buffer: TypeAlias = bytes | bytearray | memoryview

#: How many buffers of a kind are kept for the next block; more than one only if they have so few bytes.
KEPT: Final = 4
KEPT_BYTES: Final = 32 * 1024 * 1024


class Sized(Protocol):
    """Something with room for blocks of so many bytes."""

    room: int


S = TypeVar("S", bound=Sized)


class Pool(Generic[S]):
    """Buffers that are used again: fresh memory costs more than all the sums over what is written to it."""

    def __init__(self, make: Callable[[int], S], room: int) -> None:
        self._make = make
        self._room = room
        self._kept = max(1, min(KEPT, KEPT_BYTES // room))
        self._free: list[S] = []

    def take(self, size: int) -> S:
        """Return one with room for *size* bytes."""
        try:
            # Taken off in one step, so that no two threads have the same one.
            one = self._free.pop()
        except IndexError:
            return self._make(max(size, self._room))
        return one if one.room >= size else self._make(size)

    def give(self, one: S) -> None:
        """Take *one* back, which nobody reads any more."""
        if len(self._free) < self._kept:
            self._free.append(one)


class Lent(Generic[S]):
    """Views of a buffer that is used again once they are released.

    Whoever does not release them loses a little time, nothing else. After that they can no longer be read
    (ValueError), and what was sliced from them must not be.
    """

    def __init__(self, views: Sequence[memoryview], buffer: S, pool: Pool[S]) -> None:
        self._views = views
        self._buffer: S | None = buffer
        self._pool = pool

    def release(self) -> None:
        """Give the buffer back, unless somebody else is just reading from it."""
        buffer, self._buffer = self._buffer, None
        for view in self._views:
            try:
                view.release()
            except BufferError:  # by a write to a socket perhaps
                buffer = None
        if buffer is not None:
            self._pool.give(buffer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class Bytes:
    """A buffer of *room* bytes."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.view = memoryview(bytearray(room))


class Layout:
    """Where the n shards of a block lie in a workspace, for pieces of one size."""

    def __init__(self, code: ErasureCode, buffer: memoryview, address: Any, piece: int) -> None:
        step = _header.SIZE + piece
        starts = range(0, (code.k + code.m) * step, step)
        self.piece = piece
        self.shards = [buffer[start : start + step] for start in starts]
        self.pieces = [shard[_header.SIZE :] for shard in self.shards]
        self.summed = [shard[_header.CRC.size :] for shard in self.shards]
        self.addresses = [address + start + _header.SIZE for start in starts]
        self.data = code.pointers(self.addresses[: code.k])
        self.parity = code.pointers(self.addresses[code.k :])


class Workspace:
    """Room for the n shards of a block of up to *room* bytes."""

    def __init__(self, code: ErasureCode, room: int) -> None:
        self.room = room
        self._code = code
        buffer = bytearray((code.k + code.m) * (_header.SIZE + -(-room // code.k)))
        self._address = code.address(buffer)
        self._view = memoryview(buffer)
        self._layout: Layout | None = None

    def layout(self, piece: int) -> Layout:
        """Return where shards with pieces of *piece* bytes lie: those of the last block as a rule."""
        if self._layout is None or self._layout.piece != piece:
            self._layout = Layout(self._code, self._view, self._address, piece)
        return self._layout


class Pools:
    """The buffers of a codec: for shards, plain blocks, and what is between (compressed, recovered)."""

    def __init__(self, code: ErasureCode, block_size: int) -> None:
        self.shards = Pool(lambda room: Workspace(code, room), block_size)
        self.plain = Pool(Bytes, block_size)
        self.between = Pool(Bytes, needed(block_size))

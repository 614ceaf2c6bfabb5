"""What a backend has under the key of an object's metadata."""

from __future__ import annotations

from struct import Struct
from typing import Final
from zlib import crc32

import msgspec

from statehold_zstor.metadata._values import Version

_HEAD: Final = Struct("<4sI")
_MAGIC: Final = b"zsm1"


class Ballot(msgspec.Struct, frozen=True, order=True, array_like=True):
    """The number of an attempt to write; no two are equal.

    Attributes:
        number: higher than all that were seen.
        writer: 8 random bytes.

    """

    number: int
    writer: bytes


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """What one backend has of one writing.

    Attributes:
        version: which writing.
        key_id: says which key it was encrypted with, and nothing of it.
        minimal: how many pieces suffice, and
        count: how many there are.
        index: which of them it is.
        empty: whether it is of an object that was deleted, and of which nothing is left.
        shard: the piece.

    """

    version: Version
    key_id: bytes
    minimal: int
    count: int
    index: int
    empty: bool
    shard: bytes


class State(msgspec.Struct, frozen=True, array_like=True):
    """What a backend has promised and accepted.

    Attributes:
        promised: the highest attempt that was announced here; no lower one writes here any more.
        ballot: of the attempt that wrote what is accepted.
        accepted: the newest writing that reached this backend; None for none.
        former: the one before it, which is read as long as the newest has not reached enough others.
        damaged: whether what was accepted here could not be read when the attempt was announced: nobody may
            take it for nothing.

    """

    promised: Ballot
    ballot: Ballot | None = None
    accepted: Piece | None = None
    former: Piece | None = None
    damaged: bool = False

    def pack(self) -> bytes:
        """Return it as bytes."""
        data = msgspec.msgpack.encode(self)
        return _HEAD.pack(_MAGIC, crc32(data)) + data

    @classmethod
    def unpack(cls, data: bytes) -> State | None:
        """Return what `pack` made into *data*; None if they are damaged."""
        if len(data) < _HEAD.size:
            return None
        magic, crc = _HEAD.unpack_from(data)
        rest = memoryview(data)[_HEAD.size :]
        if magic != _MAGIC or crc32(rest) != crc:
            return None
        try:
            return _read(rest)
        except msgspec.MsgspecError:
            return None


#: Made here: two threads that were the first to read a type would bring msgspec, and the process, to an end.
_read: Final = msgspec.msgpack.Decoder(State).decode

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from statehold_zstor.codec._compression import Compression

MAX_BLOCK: Final = 64 * 1024 * 1024
MAGIC: Final = b"zst1"

# CRC | mark, compression, k, m | index | bytes sealed, bytes plain, position, last | stamp | tag
_LAYOUT: Final = Struct("<I4sBBBBIIQB3x16s16s")
SIZE: Final = _LAYOUT.size
CRC: Final = Struct("<I")
INDEX: Final = 11
#: CRC | what the headers of all shards of a block have in common | index | and the rest of that.
COMMON: Final = Struct("<I7sB52s")
#: Where the tag is, over all that is before it but CRC and index.
TAG: Final = 48

_SCHEMES: Final = (Compression.NONE, Compression.SNAPPY, Compression.ZSTD)


class Header(NamedTuple):
    """What stands before a piece.

    Attributes:
        crc: of everything after it, the piece included.
        magic: that this is a shard.
        scheme: how the block was compressed.
        k: how many shards are needed.
        m: how many may be lost.
        shard: which of the n it is.
        sealed: bytes of the block as it was encrypted.
        plain: bytes of the block as it was given.
        position: of the block.
        last: 1 if the object ends with it.
        stamp: of the edition.
        tag: of the block.

    """

    crc: int
    magic: bytes
    scheme: int
    k: int
    m: int
    shard: int
    sealed: int
    plain: int
    position: int
    last: int
    stamp: bytes
    tag: bytes

    @property
    def compression(self) -> Compression:
        """How the block was compressed."""
        return _SCHEMES[self.scheme]

    @property
    def piece(self) -> int:
        """How many bytes each piece has."""
        return -(-self.sealed // self.k)

    @property
    def truthful(self) -> bool:
        """Whether what it says can be: the lengths fit together, and to what a block may be."""
        if self.scheme >= len(_SCHEMES) or self.plain > MAX_BLOCK or self.last > 1:
            return False
        return self.sealed < self.plain if self.scheme else self.sealed == self.plain

    def pack(self) -> bytearray:
        """Return the bytes of the header."""
        return bytearray(_LAYOUT.pack(*self))


def scheme_of(compression: Compression) -> int:
    """Return what a header calls *compression*."""
    return _SCHEMES.index(compression)


def unpack(head: bytes) -> Header:
    """Return the header that *head*, `SIZE` bytes, is, whatever it says."""
    return Header._make(_LAYOUT.unpack(head))


def sealed_part(head: bytes | bytearray) -> bytes:
    """Return what of a header the tag is over: all but CRC, index and the tag itself."""
    return bytes(head[CRC.size : INDEX] + head[INDEX + 1 : TAG])


def nonce(position: int) -> bytes:
    """Return the nonce of a block: its position, which no other block under the same key has."""
    return position.to_bytes(12, "little")

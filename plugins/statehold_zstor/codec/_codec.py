from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Protocol

from statehold_zstor.codec._buffers import Buffer
from statehold_zstor.codec._compression import Compression
from statehold_zstor.codec._decoding import Decoder, Plain
from statehold_zstor.codec._encoding import Block, Encoder
from statehold_zstor.codec._keys import Edition, MasterKey

MIB: Final = 1024 * 1024


class Source(Protocol):
    """What an object is read from: an open file, for instance."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill *buffer* and return how many bytes there were; 0 at the end."""


class Codec:
    """Turns blocks into n = k + m shards, of which any k suffice, and back; for any number of threads.

    Args:
        k: how many shards are needed to read.
        m: how many may be lost; k + m is at most 255.
        key: from which those of objects are derived.
        compression: of blocks that become smaller by it.
        block_size: bytes of an object in a block, at most 64 MiB.

    Raises:
        CodecError: k, m or the size of a block is out of its range, or the libraries are not installed.

    """

    def __init__(
        self,
        *,
        k: int,
        m: int,
        key: MasterKey,
        compression: Compression = Compression.SNAPPY,
        block_size: int = MIB,
    ) -> None:
        self.k = k
        self.m = m
        self.compression = compression
        self.block_size = block_size
        self._key = key

    @property
    def n(self) -> int:
        """How many shards a block has."""
        return self.k + self.m

    def shard_size(self, plain: int) -> int:
        """Return how many bytes each shard of a block of *plain* bytes has at most."""
        raise NotImplementedError

    def encoder(self, edition: Edition) -> Encoder:
        """Return what encodes blocks of *edition*, one by one."""
        raise NotImplementedError

    def decoder(self, edition: Edition) -> Decoder:
        """Return what decodes blocks of *edition*, one by one."""
        raise NotImplementedError

    def encode(self, source: Source, edition: Edition) -> Iterator[Block]:
        """Yield the blocks of an object, in order, the last of which says so; an empty object has one.

        Every block but the last has `block_size` bytes, so that a byte's block is known from its offset.
        """
        raise NotImplementedError

    def decode(self, blocks: Iterable[Mapping[int, Buffer]], edition: Edition) -> Iterator[Plain]:
        """Yield the blocks of an object from the shards of each, in order.

        Raises:
            TruncatedError: *blocks* end before the object does, or do not end with it.
            CodecError: as `Decoder.decode`.

        """
        raise NotImplementedError

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Protocol

from statehold_zstor.codec import _header
from statehold_zstor.codec._buffers import Buffer, Pools
from statehold_zstor.codec._compression import Compression, check_libraries
from statehold_zstor.codec._decoding import Decoder, Plain
from statehold_zstor.codec._encoding import Block, Encoder
from statehold_zstor.codec._erasure import ErasureCode
from statehold_zstor.codec._errors import CodecError, TruncatedError
from statehold_zstor.codec._keys import Edition, MasterKey, derive

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
        if not 1 <= block_size <= _header.MAX_BLOCK:
            raise CodecError(f"block_size: expected 1 to {_header.MAX_BLOCK} bytes, got {block_size}")
        check_libraries()
        self.k = k
        self.m = m
        self.compression = compression
        self.block_size = block_size
        self._key = key
        self._code = ErasureCode(k, m)
        self._pools = Pools(self._code, block_size)

    @property
    def n(self) -> int:
        """How many shards a block has."""
        return self.k + self.m

    def shard_size(self, plain: int) -> int:
        """Return how many bytes each shard of a block of *plain* bytes has at most."""
        return _header.SIZE + -(-plain // self.k)

    def encoder(self, edition: Edition) -> Encoder:
        """Return what encodes blocks of *edition*, one by one."""
        return Encoder(
            code=self._code,
            key=derive(self._key, edition),
            compression=self.compression,
            block_size=self.block_size,
            pools=self._pools,
        )

    def decoder(self, edition: Edition) -> Decoder:
        """Return what decodes blocks of *edition*, one by one."""
        return Decoder(code=self._code, key=derive(self._key, edition), pools=self._pools)

    def encode(self, source: Source, edition: Edition) -> Iterator[Block]:
        """Yield the blocks of an object, in order, the last of which says so; an empty object has one.

        Every block but the last has `block_size` bytes, so that a byte's block is known from its offset.
        """
        encoder = self.encoder(edition)
        now, ahead = memoryview(bytearray(self.block_size)), memoryview(bytearray(self.block_size))
        size, position, last = _fill(source, now), 0, False
        while not last:
            # One block ahead: whether there is another one decides what is sealed with this one.
            following = _fill(source, ahead)
            last = not following
            yield encoder.encode(now[:size], position=position, last=last)
            now, ahead, size, position = ahead, now, following, position + 1

    def decode(self, blocks: Iterable[Mapping[int, Buffer]], edition: Edition) -> Iterator[Plain]:
        """Yield the blocks of an object from the shards of each, in order.

        Raises:
            TruncatedError: *blocks* end before the object does, or do not end with it.
            CodecError: as `Decoder.decode`.

        """
        decoder = self.decoder(edition)
        position, last = 0, False
        for shards in blocks:
            if last:
                raise TruncatedError(f"an object: expected its end after {position} blocks, got another one")
            plain = decoder.decode(shards, position=position)
            position, last = position + 1, plain.last
            yield plain
        if not last:
            raise TruncatedError(f"an object: expected more than {position} blocks, got no other one")


def _fill(source: Source, buffer: memoryview) -> int:
    """Read until *buffer* is full or *source* at its end; return how many bytes that were."""
    filled = 0
    while filled < len(buffer):
        got = source.readinto(buffer[filled:])
        if got is None:
            raise BlockingIOError("an object is read from a source that does not wait for its bytes")
        if not got:
            break
        filled += got
    return filled

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any

from statehold_zstor.codec import _header
from statehold_zstor.codec._buffers import Buffer, Layout, Lent, Pool, Pools, Workspace
from statehold_zstor.codec._compression import Compression, compress, needed
from statehold_zstor.codec._erasure import ErasureCode
from statehold_zstor.codec._errors import CodecError
from statehold_zstor.codec._keys import EditionKey


class Block(Lent[Workspace]):
    """One block of an object as its n shards, each of which goes to a place of its own.

    Attributes:
        position: of the block in its object, from 0.
        last: whether the object ends with it.
        shards: n of them, each with its header; equally long.

    """

    def __init__(
        self, header: _header.Header, layout: Layout, workspace: Workspace, pool: Pool[Workspace]
    ) -> None:
        self.position = header.position
        self.last = bool(header.last)
        self.shards: Sequence[memoryview] = [memoryview(shard) for shard in layout.shards]
        super().__init__(self.shards, workspace, pool)


class Encoder:
    """Encodes the blocks of one edition; any number of threads may."""

    def __init__(
        self, *, code: ErasureCode, key: EditionKey, compression: Compression, block_size: int, pools: Pools
    ) -> None:
        from cryptography.hazmat.primitives.ciphers.algorithms import AES  # noqa: PLC0415 - see `derive`

        self._code = code
        self._cipher = AES(key.data)
        self._stamp = key.stamp
        self._compression = compression
        self._block_size = block_size
        self._pools = pools
        # All positions before `_next` are used, and these after it: of a stream, none.
        self._next = 0
        self._later: set[int] = set()
        self._lock = Lock()

    def encode(self, plain: Buffer, *, position: int, last: bool) -> Block:
        """Return the shards of a block.

        Raises:
            CodecError: *plain* is larger than a block, or *position* was encoded before: its nonce is used.

        """
        data = memoryview(plain).cast("B")
        if len(data) > self._block_size:
            raise CodecError(f"block {position}: expected up to {self._block_size} bytes, got {len(data)}")
        self._use(position)
        between = self._pools.between.take(needed(len(data)))
        size = compress(self._compression, data, between.view)
        header = _header.Header(
            crc=0,
            magic=_header.MAGIC,
            scheme=_header.scheme_of(self._compression) if size else 0,
            k=self._code.k,
            m=self._code.m,
            shard=0,
            sealed=size or len(data),
            plain=len(data),
            position=position,
            last=last,
            stamp=self._stamp,
            tag=bytes(16),
        )
        workspace = self._pools.shards.take(header.sealed)
        layout = workspace.layout(header.piece)
        tag = seal(self._cipher, header, between.view[:size] if size else data, layout)
        self._pools.between.give(between)
        header = header._replace(tag=tag)
        finish(self._code, header, layout)
        return Block(header, layout, workspace, self._pools.shards)

    def _use(self, position: int) -> None:
        if not 0 <= position < 2**64:
            raise CodecError(f"a block's position: expected 0 to 2**64 - 1, got {position}")
        with self._lock:
            if position < self._next or position in self._later:
                raise CodecError(
                    f"block {position} was encoded before in this edition",
                    hint="Write a new edition of the object",
                )
            self._later.add(position)
            while self._next in self._later:
                self._later.remove(self._next)
                self._next += 1


def seal(cipher: Any, header: _header.Header, body: memoryview, layout: Layout) -> bytes:
    """Encrypt *body* into the first k pieces, and what they have left over is 0; return the tag."""
    from cryptography.hazmat.primitives.ciphers import Cipher  # noqa: PLC0415 - see `derive`
    from cryptography.hazmat.primitives.ciphers.modes import GCM  # noqa: PLC0415

    sealing = Cipher(cipher, GCM(_header.nonce(header.position))).encryptor()
    sealing.authenticate_additional_data(_header.sealed_part(header.pack()))
    size = layout.piece
    for index, piece in enumerate(layout.pieces[: header.k]):
        part = body[index * size : (index + 1) * size]
        sealing.update_into(part, piece)
        if len(part) < size:
            piece[len(part) :] = bytes(size - len(part))
    sealing.finalize()
    return sealing.tag


def finish(code: ErasureCode, header: _header.Header, layout: Layout) -> None:
    """Make the last m pieces of the first k, and all headers."""
    from isal.isal_zlib import crc32  # noqa: PLC0415 - of the extra

    code.encode(layout.piece, layout.data, layout.parity)
    head = header.pack()
    for index, shard in enumerate(layout.shards):
        head[_header.INDEX] = index
        shard[: _header.SIZE] = head
        _header.CRC.pack_into(shard, 0, crc32(layout.summed[index]))

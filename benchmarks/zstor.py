"""What the codec of zstor costs against the bare functions of the libraries that it stands on.

Both run on one thread and wait for nothing, so it is that thread's time that is measured.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import cramjam
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from isal.isal_zlib import crc32

from benchmarks._measure import Row, against
from statehold_zstor.codec import Codec, Edition, MasterKey
from statehold_zstor.codec._erasure import ErasureCode

K, M = 16, 4
BLOCK = 1024 * 1024
BLOCKS = 256


def rows() -> Iterator[Row]:
    """Yield the rows of this page."""
    codec = Codec(k=K, m=M, key=MasterKey.new())
    plain = os.urandom(BLOCK)
    bare = Bare(plain)
    yield _row("encode", _encoding(codec, plain), bare.encode)
    yield _row(f"decode, {M} lost", _decoding(codec, plain, lost=M), bare.decode)


def _row(what: str, measured: Callable[[], float], limit: Callable[[], float]) -> Row:
    return against(
        f"zstor codec: {what}, {K}+{M}, 1 MiB of random data",
        measured,
        limit,
        limit_name="snappy, AES-256-GCM, ISA-L and crc32 of each shard, bare",
        bar=0.8,
        unit="us",
        sense=">=",
        rounds=21,
        rate=True,
    )


def _encoding(codec: Codec, plain: bytes) -> Callable[[], float]:
    def encode() -> float:
        encoder = codec.encoder(Edition.new(b"benchmark", generation=1))
        start = time.thread_time()
        for position in range(BLOCKS):
            encoder.encode(plain, position=position, last=False).release()
        return (time.thread_time() - start) / BLOCKS

    return encode


def _decoding(codec: Codec, plain: bytes, *, lost: int) -> Callable[[], float]:
    edition = Edition.new(b"benchmark", generation=1)
    with codec.encoder(edition).encode(plain, position=0, last=True) as block:
        shards = {index: bytes(block.shards[index]) for index in range(lost, codec.n)}
    decoder = codec.decoder(edition)

    def decode() -> float:
        start = time.thread_time()
        for _ in range(BLOCKS):
            decoder.decode(shards, position=0).release()
        return (time.thread_time() - start) / BLOCKS

    return decode


class Bare:
    """The same work by the libraries' functions on buffers made before, with no header and no check."""

    def __init__(self, plain: bytes) -> None:
        self._code = ErasureCode(K, M)
        self._cipher = AESGCM(os.urandom(32))
        self._plain = plain
        self._packed = memoryview(bytearray(cramjam.snappy.compress_raw_max_len(plain)))
        self._body = cramjam.snappy.compress_raw_into(plain, self._packed)
        self._size = -(-(self._body + 16) // K)
        buffer = bytearray(self._size * (K + M))
        address = self._code.address(buffer)
        at = [address + index * self._size for index in range(K + M)]
        self._data, self._parity = self._code.pointers(at[:K]), self._code.pointers(at[K:])
        self._left, self._lost = self._code.pointers(at[M:]), self._code.pointers(at[:M])
        self._sealed = memoryview(buffer)[: self._body + 16]
        self._shards = [
            memoryview(buffer)[index * self._size : (index + 1) * self._size] for index in range(K + M)
        ]
        self._target = memoryview(bytearray(self._body))
        self._back = memoryview(bytearray(len(plain)))

    def encode(self) -> float:
        """Return the seconds that a block takes."""
        start = time.thread_time()
        for position in range(BLOCKS):
            body = cramjam.snappy.compress_raw_into(self._plain, self._packed)
            self._cipher.encrypt_into(
                position.to_bytes(12, "little"), self._packed[:body], None, self._sealed
            )
            self._code.encode(self._size, self._data, self._parity)
            for shard in self._shards:
                crc32(shard)
        return (time.thread_time() - start) / BLOCKS

    def decode(self) -> float:
        """Return the seconds that a block takes of which the first pieces are lost."""
        nonce = (BLOCKS - 1).to_bytes(12, "little")
        start = time.thread_time()
        for _ in range(BLOCKS):
            for shard in self._shards[M:]:
                crc32(shard)
            self._code.recover(self._size, tuple(range(M, K + M)), self._left, self._lost)
            body = self._cipher.decrypt_into(nonce, self._sealed, None, self._target)
            cramjam.snappy.decompress_raw_into(self._target[:body], self._back)
        return (time.thread_time() - start) / BLOCKS

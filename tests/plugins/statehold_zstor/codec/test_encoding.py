"""Blocks, and the buffers that their shards lie in."""

from __future__ import annotations

import os
from array import array
from concurrent.futures import ThreadPoolExecutor
from pickle import PickleBuffer

import pytest

from statehold_zstor.codec import Codec, CodecError, Compression, Edition, MasterKey
from statehold_zstor.codec._codec import MIB


@pytest.mark.parametrize("compression", [Compression.SNAPPY, Compression.ZSTD])
def test_a_block_is_compressed_where_that_makes_it_smaller(
    compression: Compression, key: MasterKey, edition: Edition
) -> None:
    codec = Codec(k=4, m=2, key=key, compression=compression)
    encoder = codec.encoder(edition)
    with (
        encoder.encode(b"text " * 1000, position=0, last=False) as text,
        encoder.encode(os.urandom(5000), position=1, last=False) as noise,
    ):
        assert len(text.shards[0]) < codec.shard_size(5000) // 3
        assert len(noise.shards[0]) == codec.shard_size(5000)


@pytest.mark.parametrize("compression", [Compression.SNAPPY, Compression.ZSTD])
@pytest.mark.parametrize("eighth", range(8))
def test_a_large_block_is_compressed_also_where_only_an_eighth_of_it_becomes_smaller(
    compression: Compression, eighth: int, key: MasterKey, edition: Edition
) -> None:
    codec = Codec(k=4, m=2, key=key, compression=compression)
    parts = [os.urandom(MIB // 8) for _ in range(8)]
    parts[eighth] = bytes(MIB // 8)
    plain = b"".join(parts)
    with codec.encoder(edition).encode(plain, position=0, last=True) as block:
        assert len(block.shards[0]) < codec.shard_size(MIB - MIB // 10)
        with codec.decoder(edition).decode(dict(enumerate(block.shards)), position=0) as read:
            assert read.data == plain


@pytest.mark.parametrize("compression", list(Compression))
@pytest.mark.parametrize("size", [MIB - 1, MIB])
def test_a_large_block_of_noise_is_kept_as_it_is(
    compression: Compression, size: int, key: MasterKey, edition: Edition
) -> None:
    codec = Codec(k=4, m=2, key=key, compression=compression)
    plain = os.urandom(size)
    with codec.encoder(edition).encode(plain, position=0, last=True) as block:
        assert len(block.shards[0]) == codec.shard_size(size)
        with codec.decoder(edition).decode(dict(list(enumerate(block.shards))[2:]), position=0) as read:
            assert read.data == plain


def test_a_block_is_not_compressed_where_nothing_was_said_of_it(key: MasterKey, edition: Edition) -> None:
    codec = Codec(k=4, m=2, key=key, compression=Compression.NONE)
    with codec.encoder(edition).encode(b"text " * 1000, position=0, last=True) as block:
        assert {len(shard) for shard in block.shards} == {codec.shard_size(5000)}


def test_what_was_written_with_one_compression_is_read_with_any(key: MasterKey, edition: Edition) -> None:
    for position, writing in enumerate(Compression):
        encoder = Codec(k=2, m=1, key=key, compression=writing).encoder(edition)
        with encoder.encode(b"text " * 1000, position=position, last=False) as block:
            for reading in Compression:
                decoder = Codec(k=2, m=1, key=key, compression=reading).decoder(edition)
                with decoder.decode(dict(enumerate(block.shards)), position=position) as read:
                    assert read.data == b"text " * 1000


def test_a_position_is_encoded_once_in_an_edition_in_whatever_order(key: MasterKey, edition: Edition) -> None:
    encoder = Codec(k=2, m=1, key=key).encoder(edition)
    positions = [5, 0, 1, 3, 2]
    for position in positions:
        encoder.encode(b"one", position=position, last=False)
    for position in positions:
        with pytest.raises(CodecError, match=f"block {position} was encoded before"):
            encoder.encode(b"another", position=position, last=False)
    encoder.encode(b"one", position=4, last=False)


def test_a_block_larger_than_agreed_is_an_error(key: MasterKey, edition: Edition) -> None:
    encoder = Codec(k=2, m=1, key=key, block_size=10).encoder(edition)
    with pytest.raises(CodecError, match="expected up to 10 bytes, got 11"):
        encoder.encode(bytes(11), position=0, last=False)


@pytest.mark.parametrize("position", [-1, 2**64])
def test_a_position_that_cannot_be_is_an_error(position: int, key: MasterKey, edition: Edition) -> None:
    with pytest.raises(CodecError, match="expected 0 to"):
        Codec(k=2, m=1, key=key).encoder(edition).encode(b"", position=position, last=False)


@pytest.mark.parametrize("size", [0, -1, 64 * MIB + 1])
def test_a_size_of_blocks_that_cannot_be_is_an_error(size: int, key: MasterKey) -> None:
    with pytest.raises(CodecError, match="block_size: expected"):
        Codec(k=2, m=1, key=key, block_size=size)


def test_the_largest_position_and_generation_can_be_written(key: MasterKey) -> None:
    edition = Edition.new(b"", generation=2**64 - 1)
    codec = Codec(k=2, m=1, key=key)
    with codec.encoder(edition).encode(b"end", position=2**64 - 1, last=True) as block:
        shards = dict(enumerate(block.shards))
        with codec.decoder(edition).decode(shards, position=2**64 - 1) as read:
            assert read.data == b"end"


def test_anything_that_has_bytes_is_a_block(key: MasterKey, edition: Edition) -> None:
    codec = Codec(k=2, m=1, key=key)
    for position, given in enumerate(
        [b"12345678", bytearray(b"12345678"), memoryview(array("Q", b"12345678"))]
    ):
        with codec.encoder(edition).encode(given, position=position, last=False) as block:
            shards = {index: bytearray(shard) for index, shard in enumerate(block.shards) if index}
        with codec.decoder(edition).decode(shards, position=position) as read:
            assert read.data == b"12345678"


def test_after_its_release_a_block_can_no_longer_be_read(key: MasterKey, edition: Edition) -> None:
    codec = Codec(k=2, m=1, key=key)
    block = codec.encoder(edition).encode(b"one", position=0, last=True)
    plain = codec.decoder(edition).decode(dict(enumerate(map(bytes, block.shards))), position=0)
    for done in (block, plain):
        done.release()
        done.release()
    for view in (*block.shards, plain.data):
        with pytest.raises(ValueError, match="released"):
            bytes(view)


def test_a_buffer_somebody_still_reads_is_not_written_again(key: MasterKey, edition: Edition) -> None:
    codec = Codec(k=1, m=0, key=key)
    encoder = codec.encoder(edition)
    block = encoder.encode(b"one", position=0, last=False)
    before = bytes(block.shards[0])
    # As a thread holds it that sends it just now.
    reading = PickleBuffer(block.shards[0])
    block.release()
    for position in range(1, 5):
        encoder.encode(b"two", position=position, last=False).release()
    assert bytes(reading) == before


def test_buffers_are_used_again(key: MasterKey, edition: Edition) -> None:
    codec = Codec(k=2, m=1, key=key)
    encoder = codec.encoder(edition)
    first = encoder.encode(b"one", position=0, last=False)
    used = first.shards[0].obj
    first.release()
    with encoder.encode(b"two", position=1, last=False) as second:
        assert second.shards[0].obj is used


def test_threads_share_a_codec_and_an_encoder(key: MasterKey, edition: Edition) -> None:
    codec = Codec(k=4, m=2, key=key, block_size=4096)
    encoder, decoder = codec.encoder(edition), codec.decoder(edition)
    plains = [os.urandom(position) for position in range(0, 4000, 40)]

    def there_and_back(position: int) -> bool:
        for turn in range(3):
            with encoder.encode(plains[position], position=3 * position + turn, last=False) as block:
                shards = {index: bytes(block.shards[index]) for index in (0, 2, 4, 5)}
            with (
                decoder.decode(shards, position=3 * position + turn) as read,
                decoder.repair(shards, position=3 * position + turn) as again,
            ):
                if read.data != plains[position] or bytes(again.shards[5]) != shards[5]:
                    return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(there_and_back, range(len(plains))))


def test_blocks_larger_than_agreed_now_are_still_read_and_repaired(key: MasterKey, edition: Edition) -> None:
    plain = os.urandom(1000)
    with (
        Codec(k=2, m=1, key=key, block_size=1000)
        .encoder(edition)
        .encode(plain, position=0, last=True) as block
    ):
        shards = dict(enumerate(map(bytes, block.shards)))
    small = Codec(k=2, m=1, key=key, block_size=10)
    # A buffer of the small size lies ready, which must not be taken.
    with small.encoder(edition).encode(b"small", position=0, last=True) as block:
        small.decoder(edition).decode(dict(enumerate(block.shards)), position=0).release()
    with (
        small.decoder(edition).decode({0: shards[0], 2: shards[2]}, position=0) as read,
        small.decoder(edition).repair({0: shards[0], 2: shards[2]}, position=0) as again,
    ):
        assert read.data == plain
        assert bytes(again.shards[1]) == shards[1]


@pytest.mark.parametrize(("block_size", "kept"), [(1, 4), (MIB, 4), (16 * MIB, 2), (64 * MIB, 1)])
def test_fewer_buffers_are_kept_the_larger_they_are(block_size: int, kept: int, key: MasterKey) -> None:
    codec = Codec(k=2, m=1, key=key, block_size=block_size)
    encoder = codec.encoder(Edition.new(b"an object", generation=1))
    blocks = [encoder.encode(b"x", position=position, last=False) for position in range(6)]
    used = [block.shards[0].obj for block in blocks]
    for block in blocks:
        block.release()
    again = [encoder.encode(b"x", position=position, last=False) for position in range(6, 12)]
    assert len([block for block in again if any(block.shards[0].obj is one for one in used)]) == kept

"""Shards that somebody else made: moved, of another object, with lies in headers, with a CRC made right."""

from __future__ import annotations

import random
from collections.abc import Callable

import attrs
import pytest
from isal.isal_zlib import crc32

from statehold_zstor.codec import (
    Codec,
    CodecError,
    Compression,
    CorruptShardError,
    Edition,
    ForgedBlockError,
    MasterKey,
    TooFewShardsError,
)
from statehold_zstor.codec._header import SIZE, Header, unpack

K, M = 3, 2
TEXT = b"text " * 200


@pytest.fixture
def codec(key: MasterKey) -> Codec:
    return Codec(k=K, m=M, key=key, block_size=1000)


def encoded(codec: Codec, edition: Edition, plain: bytes = TEXT, position: int = 0) -> dict[int, bytes]:
    with codec.encoder(edition).encode(plain, position=position, last=True) as block:
        return dict(enumerate(map(bytes, block.shards)))


def summed(shard: bytes) -> bytes:
    """Return *shard* with a CRC that is right."""
    return crc32(shard[4:]).to_bytes(4, "little") + shard[4:]


def lying(shard: bytes, **lies: object) -> bytes:
    """Return *shard* with *lies* in its header, and a CRC that is right."""
    header: Header = unpack(shard[:SIZE])._replace(**lies)
    return summed(bytes(header.pack()) + shard[SIZE:])


def turned(shard: bytes) -> bytes:
    """Return *shard* with a piece of other bytes, and a CRC that is right."""
    return summed(shard[:SIZE] + bytes(byte ^ 0x55 for byte in shard[SIZE:]))


def test_with_a_wrong_key_nothing_is_read_and_the_error_says_so(codec: Codec, edition: Edition) -> None:
    shards = encoded(codec, edition)
    other = Codec(k=K, m=M, key=MasterKey.new(), block_size=1000)
    with pytest.raises(TooFewShardsError, match="another object, edition or master key"):
        other.decoder(edition).decode(shards, position=0)


@pytest.mark.parametrize("change", [{"name": b"another"}, {"generation": 8}, {"salt": bytes(16)}])
def test_a_block_of_another_object_or_edition_is_refused(
    change: dict[str, object], codec: Codec, edition: Edition
) -> None:
    shards = encoded(codec, edition)
    with pytest.raises(TooFewShardsError, match="another object, edition or master key"):
        codec.decoder(attrs.evolve(edition, **change)).decode(shards, position=0)


def test_a_block_moved_to_another_position_is_refused(codec: Codec, edition: Edition) -> None:
    shards = encoded(codec, edition, position=3)
    with pytest.raises(TooFewShardsError, match="position: expected 4, got 3"):
        codec.decoder(edition).decode(shards, position=4)
    moved = {index: lying(shard, position=4) for index, shard in shards.items()}
    with pytest.raises(ForgedBlockError):
        codec.decoder(edition).decode(moved, position=4)


def test_shards_of_an_older_edition_are_not_mixed_with_those_of_a_newer(
    codec: Codec, edition: Edition
) -> None:
    newer = Edition.new(edition.name, generation=8)
    shards = encoded(codec, newer, b"new") | {0: encoded(codec, edition, b"old")[0]}
    with codec.decoder(newer).decode(shards, position=0) as read:
        assert read.data == b"new"
        assert read.bad == {0: "it is of another object, edition or master key"}


def test_shards_that_changed_places_are_refused(codec: Codec, edition: Edition) -> None:
    shards = encoded(codec, edition)
    shards[0], shards[4] = shards[4], shards[0]
    with codec.decoder(edition).decode(shards, position=0) as read:
        assert read.data == TEXT
        assert read.bad == {0: "index: expected 0, got 4", 4: "index: expected 4, got 0"}


@pytest.mark.parametrize(("k", "m"), [(K, M + 1), (K + 1, M), (M, K)])
def test_shards_of_another_code_are_refused(
    k: int, m: int, codec: Codec, key: MasterKey, edition: Edition
) -> None:
    shards = encoded(Codec(k=k, m=m, key=key), edition)
    with pytest.raises(TooFewShardsError, match=r"pieces (needed|added): expected"):
        codec.decoder(edition).decode(shards, position=0)


LIES: list[dict[str, object]] = [
    {"magic": b"zst2"},
    {"scheme": 3},
    {"scheme": 255},
    {"last": 2},
    {"sealed": 0},
    {"sealed": 2**32 - 1},
    {"plain": 2**32 - 1},
    {"plain": 64 * 1024 * 1024 + 1},
    {"plain": 0},
    {"k": 0},
    {"m": 255},
]


@pytest.mark.parametrize("lies", LIES, ids=str)
def test_a_header_that_lies_is_found_before_anything_is_done_with_it(
    lies: dict[str, object], codec: Codec, edition: Edition
) -> None:
    shards = encoded(codec, edition)
    decoder = codec.decoder(edition)
    with pytest.raises(CorruptShardError):
        decoder.check(lying(shards[0], **lies), index=0, position=0)
    with decoder.decode(shards | {0: lying(shards[0], **lies)}, position=0) as read:
        assert read.data == TEXT
        assert list(read.bad) == [0]
    with pytest.raises(TooFewShardsError):
        decoder.decode({index: lying(shard, **lies) for index, shard in shards.items()}, position=0)


@pytest.mark.parametrize(
    "lies", [{"plain": 999}, {"plain": 5000}, {"last": 0}, {"scheme": 2}, {"tag": bytes(16)}], ids=str
)
def test_a_lie_that_could_be_true_is_found_by_the_tag(
    lies: dict[str, object], codec: Codec, edition: Edition
) -> None:
    shards = encoded(codec, edition)
    decoder = codec.decoder(edition)
    with decoder.decode(shards | {0: lying(shards[0], **lies)}, position=0) as read:
        assert (read.data, read.last) == (TEXT, True)
        assert list(read.bad) == [0]
    with pytest.raises(ForgedBlockError):
        decoder.decode({index: lying(shard, **lies) for index, shard in shards.items()}, position=0)


@pytest.mark.parametrize("hit", [(0,), (4,), (0, 1), (2, 3), (3, 4)])
@pytest.mark.parametrize("forge", [turned, lambda shard: lying(shard, plain=999)])
def test_shards_forged_with_a_right_crc_are_found_by_the_tag_and_named(
    hit: tuple[int, ...], forge: Callable[[bytes], bytes], codec: Codec, edition: Edition
) -> None:
    shards = encoded(codec, edition)
    whole = dict(shards)
    for index in hit:
        shards[index] = forge(shards[index])
    decoder = codec.decoder(edition)
    with decoder.decode(shards, position=0) as read, decoder.repair(shards, position=0) as block:
        assert read.data == TEXT
        assert set(read.bad) <= set(hit)
        assert dict(enumerate(map(bytes, block.shards))) == whole
    # One that nobody needed to look at is told as soon as another one is wrong.
    if min(hit) < K:
        assert set(read.bad) == set(hit)


def test_a_majority_of_headers_that_lie_does_not_win(key: MasterKey, edition: Edition) -> None:
    codec = Codec(k=2, m=4, key=key)
    shards = encoded(codec, edition)
    forged = {index: lying(shards[index], plain=999) for index in range(4)}
    with codec.decoder(edition).decode(shards | forged, position=0) as read:
        assert read.data == TEXT
        assert set(read.bad) == set(range(4))


def test_of_an_empty_block_only_the_shard_that_lies_is_named(codec: Codec, edition: Edition) -> None:
    shards = encoded(codec, edition, b"")
    shards[0] = lying(shards[0], last=0)
    with codec.decoder(edition).decode(shards, position=0) as plain:
        assert plain.last
        assert set(plain.bad) == {0}


def test_too_many_forged_shards_are_an_error_and_give_no_byte(codec: Codec, edition: Edition) -> None:
    shards = {
        index: turned(shard) if index > 1 else shard for index, shard in encoded(codec, edition).items()
    }
    with pytest.raises(ForgedBlockError, match="5 shards look sound, but no 3 make what was written"):
        codec.decoder(edition).decode(shards, position=0)
    with pytest.raises(ForgedBlockError):
        codec.decoder(edition).repair(shards, position=0)


def test_forged_shards_of_many_are_given_up_after_so_many_tries(
    key: MasterKey, edition: Edition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("statehold_zstor.codec._decoding.TRIES", 20)
    codec = Codec(k=30, m=30, key=key)
    shards = {index: turned(shard) for index, shard in encoded(codec, edition, b"x").items()}
    with pytest.raises(ForgedBlockError, match="60 shards look sound"):
        codec.decoder(edition).decode(shards, position=0)


def test_shards_with_different_headers_too_few_of_each_are_an_error(codec: Codec, edition: Edition) -> None:
    shards = encoded(codec, edition)
    del shards[0]
    shards[1], shards[2] = lying(shards[1], plain=999), lying(shards[2], plain=999)
    with pytest.raises(TooFewShardsError, match="expected 3 sound shards, got 2"):
        codec.decoder(edition).decode(shards, position=0)


@pytest.mark.parametrize("compression", [Compression.SNAPPY, Compression.ZSTD])
def test_a_block_whose_sealed_bytes_do_not_decompress_to_its_length_is_an_error(
    compression: Compression, key: MasterKey, edition: Edition, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if a version with a fault had written it: sealed with the right key, so no forgery.
    codec = Codec(k=K, m=M, key=key, compression=compression)

    def faulty(_: Compression, data: memoryview, target: memoryview) -> int:
        target[:10] = random.Random(5).randbytes(10)
        return 10

    monkeypatch.setattr("statehold_zstor.codec._encoding.compress", faulty)
    shards = encoded(codec, edition)
    with pytest.raises(CodecError, match="decompress"):
        codec.decoder(edition).decode(shards, position=0)


def test_no_shards_at_all_are_too_few(codec: Codec, edition: Edition) -> None:
    with pytest.raises(TooFewShardsError, match="expected 3 sound shards, got 0"):
        codec.decoder(edition).decode({}, position=0)


def test_noise_is_no_shard(codec: Codec, edition: Edition) -> None:
    decoder = codec.decoder(edition)
    chance = random.Random(6)
    for size in [0, 1, 3, 4, SIZE - 1, SIZE, SIZE + 1, 200]:
        with pytest.raises(CorruptShardError):
            decoder.check(chance.randbytes(size), index=0, position=0)
        with pytest.raises(CorruptShardError):
            decoder.check(bytes(size), index=0, position=0)


def test_a_sound_shard_passes_the_check(codec: Codec, edition: Edition) -> None:
    decoder = codec.decoder(edition)
    for index, shard in encoded(codec, edition).items():
        decoder.check(shard, index=index, position=0)


@pytest.mark.parametrize("seeds", [range(300), pytest.param(range(300, 20_000), marks=pytest.mark.soak)])
def test_whatever_is_done_to_shards_no_wrong_byte_is_read(
    seeds: range, codec: Codec, edition: Edition
) -> None:
    decoder = codec.decoder(edition)
    plains = [TEXT, random.Random(1).randbytes(1000), b"x", b""]
    writings = [encoded(codec, edition, plain, position) for position, plain in enumerate(plains)]
    for seed in seeds:
        chance = random.Random(seed)
        position = chance.randrange(len(plains))
        shards = dict(writings[position])
        for index in chance.sample(range(K + M), chance.randint(1, K + M)):
            other = bytearray(chance.choice(writings)[chance.randrange(K + M)])
            shard = other if chance.random() < 0.2 else bytearray(shards[index])
            for _ in range(chance.randint(0, 3)):
                where = chance.randrange(SIZE) if chance.random() < 0.7 else chance.randrange(len(shard))
                shard[where] = chance.randrange(256)
            shards[index] = summed(bytes(shard)) if chance.random() < 0.8 else bytes(shard)
        try:
            with decoder.decode(shards, position=position) as read:
                assert (read.data, read.last) == (plains[position], True)
        except CodecError:
            continue

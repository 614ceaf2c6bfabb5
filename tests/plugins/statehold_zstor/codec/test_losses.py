"""Shards lost, cut off or with a bit turned: any m of them do no harm, one more is an error."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statehold_zstor.codec import Codec, Compression, Edition, MasterKey, TooFewShardsError

SIZE = 500


def lost(shards: dict[int, bytes], index: int, _: random.Random) -> None:
    del shards[index]


def cut_off(shards: dict[int, bytes], index: int, chance: random.Random) -> None:
    shards[index] = shards[index][: chance.randrange(len(shards[index]))]


def turned(shards: dict[int, bytes], index: int, chance: random.Random) -> None:
    bit = chance.randrange(8 * len(shards[index]))
    shard = bytearray(shards[index])
    shard[bit // 8] ^= 1 << bit % 8
    shards[index] = bytes(shard)


HARMS: list[Callable[[dict[int, bytes], int, random.Random], None]] = [lost, cut_off, turned]


def encoded(codec: Codec, edition: Edition, plain: bytes) -> dict[int, bytes]:
    with codec.encoder(edition).encode(plain, position=0, last=True) as block:
        return dict(enumerate(map(bytes, block.shards)))


@pytest.mark.parametrize(("k", "m"), [(1, 0), (1, 3), (2, 2), (3, 2), (4, 3)])
@pytest.mark.parametrize("plain", [b"", b"\0", random.Random(1).randbytes(SIZE), b"text " * 100])
def test_every_harm_to_any_m_shards_is_worked_around_and_named(
    k: int, m: int, plain: bytes, key: MasterKey, edition: Edition
) -> None:
    codec = Codec(k=k, m=m, key=key, block_size=SIZE)
    decoder = codec.decoder(edition)
    whole = encoded(codec, edition, plain)
    chance = random.Random(2)
    for count in range(m + 1):
        for hit in combinations(range(codec.n), count):
            for harms in product(HARMS, repeat=count):
                shards = dict(whole)
                for index, harm in zip(hit, harms, strict=True):
                    harm(shards, index, chance)
                with decoder.decode(shards, position=0) as read:
                    assert (bytes(read.data), read.last) == (plain, True)
                    assert set(read.bad) == set(hit) & set(shards)


@pytest.mark.parametrize(("k", "m"), [(1, 0), (1, 3), (2, 2), (3, 2), (4, 3)])
def test_harm_to_m_and_one_shards_is_an_error_that_names_them(
    k: int, m: int, key: MasterKey, edition: Edition
) -> None:
    codec = Codec(k=k, m=m, key=key, block_size=SIZE)
    decoder = codec.decoder(edition)
    whole = encoded(codec, edition, random.Random(1).randbytes(SIZE))
    chance = random.Random(3)
    for hit in combinations(range(codec.n), m + 1):
        for harms in product(HARMS, repeat=m + 1):
            shards = dict(whole)
            for index, harm in zip(hit, harms, strict=True):
                harm(shards, index, chance)
            with pytest.raises(TooFewShardsError, match=f"expected {k} sound shards, got {k - 1}") as caught:
                decoder.decode(shards, position=0)
            assert set(caught.value.bad) == set(hit) & set(shards)
            assert (caught.value.sound, caught.value.needed, caught.value.position) == (k - 1, k, 0)


@pytest.mark.parametrize(
    ("k", "m", "patterns"),
    [(16, 4, 10_000), (50, 20, 300), pytest.param(50, 20, 10_000, marks=pytest.mark.soak)],
)
def test_random_harm_to_any_m_of_many_shards_is_worked_around(
    k: int, m: int, patterns: int, key: MasterKey, edition: Edition
) -> None:
    codec = Codec(k=k, m=m, key=key)
    decoder = codec.decoder(edition)
    plain = random.Random(4).randbytes(5000)
    whole = encoded(codec, edition, plain)
    for turn in range(patterns):
        chance = random.Random(turn)
        shards = dict(whole)
        for index in (hit := chance.sample(range(k + m), m)):
            chance.choice(HARMS)(shards, index, chance)
        with decoder.decode(shards, position=0) as read:
            assert read.data == plain
            assert set(read.bad) == set(hit) & set(shards)
        one_more = chance.choice([index for index in range(k + m) if index not in hit])
        chance.choice(HARMS)(shards, one_more, chance)
        with pytest.raises(TooFewShardsError):
            decoder.decode(shards, position=0)


@pytest.mark.parametrize("compression", list(Compression))
@pytest.mark.parametrize("plain", [b"", b"\0", random.Random(1).randbytes(SIZE), b"text " * 100])
def test_shards_that_are_repaired_equal_those_that_were_written(
    compression: Compression, plain: bytes, key: MasterKey, edition: Edition
) -> None:
    codec = Codec(k=4, m=3, key=key, compression=compression, block_size=SIZE)
    decoder = codec.decoder(edition)
    whole = encoded(codec, edition, plain)
    for left in combinations(range(7), 4):
        with decoder.repair({index: whole[index] for index in left}, position=0) as block:
            assert dict(enumerate(map(bytes, block.shards))) == whole
            assert (block.position, block.last) == (0, True)


def test_repair_with_too_few_shards_is_an_error(key: MasterKey, edition: Edition) -> None:
    codec = Codec(k=3, m=2, key=key)
    whole = encoded(codec, edition, b"plain")
    with pytest.raises(TooFewShardsError, match="expected 3 sound shards, got 2"):
        codec.decoder(edition).repair({0: whole[0], 4: whole[4]}, position=0)


@given(st.data())
def test_what_was_written_is_read_from_any_k_shards(data: st.DataObject) -> None:
    k = data.draw(st.integers(1, 40))
    m = data.draw(st.integers(0, 20))
    plain = data.draw(st.binary(max_size=300)) * data.draw(st.integers(1, 5))
    codec = Codec(
        k=k,
        m=m,
        key=MasterKey(bytes(32)),
        compression=data.draw(st.sampled_from(Compression)),
        block_size=max(len(plain), 1),
    )
    edition = Edition.new(b"drawn", generation=data.draw(st.integers(0, 2**64 - 1)))
    whole = encoded(codec, edition, plain)
    left = data.draw(st.lists(st.sampled_from(range(k + m)), min_size=k, max_size=k, unique=True))
    with codec.decoder(edition).decode({index: whole[index] for index in left}, position=0) as read:
        assert read.data == plain
        assert not read.bad

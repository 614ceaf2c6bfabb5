"""Shards that are lost or damaged: which are survived, and what becomes of the rest."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from zstor_worlds import BLOCK, Place, Shelf

from statehold_zstor.objects import DamagedError, Zstor

K, N = 3, 5
DATA = random.Random(1).randbytes(2 * BLOCK + 77)


def deleted(shelf: Shelf, key: str) -> None:
    del shelf.values[key]


def cut_off(shelf: Shelf, key: str) -> None:
    shelf.values[key] = shelf.values[key][: len(shelf.values[key]) // 2]


def emptied(shelf: Shelf, key: str) -> None:
    shelf.values[key] = b""


def flipped(shelf: Shelf, key: str) -> None:
    value = bytearray(shelf.values[key])
    value[len(key) * 7 % len(value)] ^= 1 << len(value) % 8
    shelf.values[key] = bytes(value)


HARM = (deleted, cut_off, emptied, flipped)


@pytest.fixture(scope="module")
def stored() -> tuple[Place, dict[str, dict[str, bytes]]]:
    place = Place()
    with place.zstor(k=K, n=N, groups=(N,)) as zstor:
        zstor.store("object", DATA)
    return place, {url: dict(shelf.values) for url, shelf in place.shelves.items()}


def fresh(stored: tuple[Place, dict[str, dict[str, bytes]]]) -> Place:
    """Return shelves as they were after the object had been stored."""
    return Place({url: Shelf(url, dict(values)) for url, values in stored[1].items()})


def shelf_of(place: Place, zstor: Zstor, shard: int) -> Shelf:
    info = zstor.check("object")
    assert info is not None
    return place.shelf(info.backends[shard])


def harm(place: Place, zstor: Zstor, shards: tuple[int, ...], how: Callable[[Shelf, str], None]) -> None:
    for shard in shards:
        shelf = shelf_of(place, zstor, shard)
        for key in shelf.pieces(shard):
            how(shelf, key)


PATTERNS = [shards for count in range(1, N - K + 1) for shards in itertools.combinations(range(N), count)]


@pytest.mark.parametrize("how", HARM, ids=lambda how: how.__name__)
def test_every_pattern_of_as_many_shards_as_may_be_lost_is_read_named_and_repaired(stored, how) -> None:
    """Whatever became of them: deleted, cut off, empty, or one bit flipped."""
    for shards in PATTERNS:
        place = fresh(stored)
        with place.zstor(k=K, n=N, groups=(N,)) as zstor:
            harm(place, zstor, shards, how)
            verdict = zstor.verify("object")
            assert tuple(bad.shard for bad in verdict.bad) == shards
            assert {bad.backend for bad in verdict.bad} == {shelf_of(place, zstor, s).name for s in shards}
            assert all(bad.blocks == 3 and bad.reason for bad in verdict.bad)
            assert verdict.readable
            assert not verdict.whole
            assert zstor.read("object") == DATA
            zstor.settle()
            assert set(zstor.rebuild("object").repaired) <= set(shards)
            assert zstor.verify("object").whole
            assert zstor.read("object") == DATA
        assert {url: shelf.values for url, shelf in place.shelves.items() if "data-" in url} == {
            url: values for url, values in stored[1].items() if "data-" in url
        }


@pytest.mark.parametrize("how", HARM, ids=lambda how: how.__name__)
def test_one_more_is_an_error_that_names_them_and_no_file_is_written(stored, how, tmp_path: Path) -> None:
    """Nor is a file that was there touched."""
    for shards in itertools.combinations(range(N), N - K + 1):
        place = fresh(stored)
        before = tmp_path / "before"
        before.write_bytes(b"before")
        with place.zstor(k=K, n=N, groups=(N,)) as zstor:
            harm(place, zstor, shards, how)
            for target in (before, tmp_path / "new"):
                with pytest.raises(DamagedError, match="block 0 has 2 sound shards, 3 are needed") as caught:
                    zstor.retrieve("object", target)
            assert set(caught.value.lost) == set(shards)
            assert all(shelf_of(place, zstor, shard).name in caught.value.message for shard in shards)
            with pytest.raises(DamagedError):
                zstor.read("object", 10, 10)
            with pytest.raises(DamagedError):
                zstor.rebuild("object")
            assert not zstor.verify("object").readable
        assert [path.name for path in tmp_path.iterdir()] == ["before"]
        assert before.read_bytes() == b"before"


def test_damage_is_worked_around_block_by_block(stored) -> None:
    """Each block may have lost other shards."""
    place = fresh(stored)
    draw = random.Random(5)
    with place.zstor(k=K, n=N, groups=(N,)) as zstor:
        for block in range(3):
            for shard in draw.sample(range(N), N - K):
                shelf = shelf_of(place, zstor, shard)
                key = next(key for key in shelf.pieces(shard) if key.endswith(f"/{block:x}"))
                draw.choice(HARM)(shelf, key)
        assert zstor.read("object") == DATA
        zstor.rebuild("object")
        assert zstor.verify("object").whole


def test_what_a_read_finds_damaged_is_repaired_behind_it(stored, caplog: pytest.LogCaptureFixture) -> None:
    """And told, with the object, the block, the shard and the backend."""
    place = fresh(stored)
    with place.zstor(k=K, n=N, groups=(N,)) as zstor:
        harm(place, zstor, (1,), flipped)
        assert zstor.read("object", 0, 10) == DATA[:10]
        zstor.settle()
        name = shelf_of(place, zstor, 1).name
        assert f"'object': block 0, shard 1 on {name}: its CRC is wrong" in caplog.text
        assert f"'object': block 0, shard 1 on {name}: repaired" in caplog.text
        assert [bad.blocks for bad in zstor.verify("object").bad] == [2], "the blocks that nobody read"


def test_shards_of_another_object_or_block_are_not_taken(stored) -> None:
    """They are sound, but not what was asked for."""
    place = fresh(stored)
    with place.zstor(k=K, n=N, groups=(N,)) as zstor:
        zstor.store("other", DATA[::-1])
        for shard, shelf in enumerate(shelf_of(place, zstor, shard) for shard in (0, 1)):
            mine = shelf.pieces(shard)[:3]
            keys = sorted(shelf.data())
            moved = {key: shelf.values[keys[(keys.index(key) + 1) % len(keys)]] for key in mine}
            shelf.values.update(moved)
        verdict = zstor.verify("object")
        assert {bad.shard for bad in verdict.bad} <= {0, 1}
        assert verdict.bad
        assert zstor.read("object") == DATA


@pytest.mark.soak
def test_random_patterns_for_many_shards() -> None:
    """16 of 20, as it is meant to be used."""
    _random_patterns(10_000)


def test_some_random_patterns_for_many_shards() -> None:
    """A few of them in every run."""
    _random_patterns(20)


def _random_patterns(count: int) -> None:
    draw = random.Random(7)
    place = Place()
    with place.zstor(k=16, n=20, groups=(20,), block=16 * 1024) as zstor:
        data = draw.randbytes(40_000)
        zstor.store("object", data)
        kept = {shelf.name: dict(shelf.values) for shelf in place.datas()}
        for _ in range(count):
            harm(place, zstor, tuple(draw.sample(range(20), 4)), draw.choice(HARM))
            offset = draw.randrange(40_000)
            assert zstor.read("object", offset, 20_000) == data[offset : offset + 20_000]
            zstor.settle()
            for shelf in place.datas():
                shelf.values = dict(kept[shelf.name])

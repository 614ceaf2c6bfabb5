from __future__ import annotations

import random

from statehold_zdb.engine._keys import SequentialKeys


def key(number: int) -> bytes:
    return number.to_bytes(8, "little")


def test_keys_that_count_up_are_found_as_a_dict_finds_them() -> None:
    chance = random.Random(1)
    keys, expected = SequentialKeys(), {}
    for _ in range(20_000):
        number = chance.randrange(3000)
        if chance.random() < 0.6:
            expected[key(number)] = position = chance.randrange(1, 1 << 60)
            keys.put(key(number), position)
        else:
            expected.pop(key(number), None)
            keys.drop(key(number))
        assert keys.get(key(number)) == expected.get(key(number))
    assert dict(keys.items()) == expected
    assert len(keys) == len(expected)
    assert keys.get(b"short") is None


def test_keys_that_were_deleted_take_no_memory() -> None:
    keys = SequentialKeys()
    for number in range(100_000):
        keys.put(key(number), number + 1)
        if number >= 10:
            keys.drop(key(number - 10))
    assert sum(page is not None for page in keys._pages) <= 2
    assert [position for _, position in keys.items()] == list(range(99_991, 100_001))

from __future__ import annotations

import random

import pytest

from statehold_zos.model import Raid
from statehold_zos.planning import budget, usable

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("raid", "sizes", "expected"),
    [
        (Raid.SINGLE, [3], 3),
        (Raid.SINGLE, [3, 5], 8),
        (Raid.RAID0, [3, 3], 6),
        (Raid.RAID0, [3, 5], 8),
        (Raid.RAID0, [3, 5, 5], 13),
        (Raid.RAID1, [4, 4], 4),
        (Raid.RAID1, [2, 4], 2),
        (Raid.RAID1, [2, 2, 4], 4),
        (Raid.RAID1, [2, 3, 4], 4.5),
        (Raid.RAID10, [4, 4, 4, 4], 8),
        (Raid.RAID10, [1, 1, 1, 8], 2),
        (Raid.RAID10, [2, 2, 3, 4], 5),
    ],
)
def test_disks_of_unlike_sizes_hold_what_their_level_lets_them(
    raid: Raid, sizes: list[int], expected: float
) -> None:
    assert usable(raid, [size * MIB for size in sizes]) == expected * MIB


@pytest.mark.parametrize("raid", Raid)
def test_too_few_disks_hold_nothing(raid: Raid) -> None:
    assert usable(raid, [MIB] * (raid.least - 1)) == 0
    assert usable(raid, [MIB] * raid.least) > 0


def test_filling_two_disks_at_a_time_ends_where_it_was_foretold() -> None:
    chance = random.Random(3)
    for _ in range(200):
        blocks = [chance.randint(1, 20) for _ in range(chance.randint(2, 6))]
        left, held = sorted(blocks), 0
        while left[-2]:  # a block, and its copy on another disk: on the two with the most room
            left[-1] -= 1
            left[-2] -= 1
            left.sort()
            held += 1
        assert held == int(usable(Raid.RAID1, [block * MIB for block in blocks]) / MIB)


@pytest.mark.parametrize(
    ("size", "factor", "expected"),
    [(100, 1.0, 100), (100, 1.5, 150), (100, 0.8, 80), (2**60 + 1, 1.0, 2**60 + 1), (3, 0.5, 1)],
)
def test_a_budget_is_the_size_times_the_factor_to_the_last_byte(
    size: int, factor: float, expected: int
) -> None:
    assert budget(size, factor) == expected


@pytest.mark.parametrize("factor", [0.0, -1.0, float("inf"), float("nan")])
def test_a_factor_that_is_no_number_above_0_is_refused(factor: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        budget(100, factor)

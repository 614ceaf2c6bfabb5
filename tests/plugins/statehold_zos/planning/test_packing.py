from __future__ import annotations

import random
import statistics
from itertools import product

import pytest
from zos_packing import demands_for, most, taken

from statehold_zos.model import Placement

ORDINARY = 200
SOAK = 100_000


def _parts(count: int, placement: Placement, *, largest: float) -> list[float]:
    """Return which part of the most that fits was taken, of so many random loads.

    Args:
        count: how many loads.
        placement: the policy.
        largest: how much of the smallest pool a demand is at most.

    """
    chance = random.Random(7)
    shapes = [tuple(chance.randint(12, 24) for _ in range(chance.randint(2, 3))) for _ in range(12)]
    parts = []
    for _ in range(count):
        pools = chance.choice(shapes)
        demands = demands_for(chance, pools, max(1, int(min(pools) * largest)), load=chance.uniform(0.5, 2))
        parts.append(taken(pools, demands, placement) / most(pools, demands))
    return parts


def _least_of_small(count: int, placement: Placement) -> float:
    """Return the least part of what the pools hold, or of what was asked for, when demands are small."""
    chance = random.Random(11)
    least = 1.0
    for _ in range(count):
        pools = [chance.randint(500, 5000) for _ in range(chance.randint(1, 8))]
        demands = demands_for(chance, pools, min(pools) // 10, load=chance.uniform(0.5, 1.5))
        bound = min(sum(pools), sum(demands))
        least = min(least, taken(pools, demands, placement) / bound)
    return least


def test_the_most_that_fits_is_what_trying_every_placement_finds() -> None:
    for pools in ((1, 3), (4, 4), (3, 5)):
        for demands in product(range(1, 5), repeat=4):
            best = 0
            for places in product(range(3), repeat=4):
                filled = [
                    sum(d for d, place in zip(demands, places, strict=True) if place == p) for p in (0, 1)
                ]
                if filled[0] <= pools[0] and filled[1] <= pools[1]:
                    best = max(best, sum(filled))
            assert most(pools, demands) == best


def test_best_fit_takes_on_average_nine_tenths_of_what_an_optimal_packing_takes() -> None:
    assert statistics.fmean(_parts(ORDINARY, Placement.BEST_FIT, largest=1.0)) >= 0.9
    assert statistics.fmean(_parts(ORDINARY, Placement.BEST_FIT, largest=0.25)) >= 0.98


@pytest.mark.parametrize("placement", Placement)
def test_no_policy_takes_less_than_nine_tenths_where_demands_are_a_tenth_of_a_pool(
    placement: Placement,
) -> None:
    assert _least_of_small(ORDINARY // 10, placement) >= 0.9


@pytest.mark.soak
def test_best_fit_takes_nine_tenths_on_average_of_100_000_loads_of_any_size() -> None:
    parts = _parts(SOAK, Placement.BEST_FIT, largest=1.0)
    print(_told(parts))
    assert statistics.fmean(parts) >= 0.9


@pytest.mark.soak
def test_best_fit_takes_nine_tenths_nearly_always_of_100_000_loads_of_a_quarter() -> None:
    parts = _parts(SOAK, Placement.BEST_FIT, largest=0.25)
    print(_told(parts))
    assert statistics.fmean(parts) >= 0.98
    assert sum(part < 0.9 for part in parts) <= len(parts) // 100


@pytest.mark.soak
@pytest.mark.parametrize("placement", Placement)
def test_no_policy_takes_less_than_nine_tenths_of_100_000_loads_of_a_tenth(placement: Placement) -> None:
    assert _least_of_small(SOAK // len(Placement), placement) >= 0.9


def _told(parts: list[float]) -> str:
    ordered = sorted(parts)
    return (
        f"mean {statistics.fmean(parts):.4f}, least {ordered[0]:.3f}, one in a hundred"
        f" {ordered[len(parts) // 100]:.3f}, below 0.9: {sum(part < 0.9 for part in parts)}"
    )

"""Sequences of reservations at random, and the most that any packing of them could have taken."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import lru_cache

from statehold_zos.model import DiskType, Placement
from statehold_zos.planning import Demand, MemoryShelf, Room, choose


def taken(pools: Sequence[int], demands: Sequence[int], placement: Placement) -> int:
    """Return how many bytes the planner takes of demands that come one after another."""
    shelf = MemoryShelf(Room(f"pool-{i}", DiskType.SSD, size) for i, size in enumerate(pools))
    total = 0
    for demand in demands:
        pool = choose(shelf, Demand(type=DiskType.SSD, room=demand, placement=placement))
        if pool is not None:
            room = shelf[pool]
            shelf.put(Room(pool, room.type, room.free - demand, room.claims + 1))
            total += demand
    return total


def most(pools: tuple[int, ...], demands: Sequence[int]) -> int:
    """Return how many bytes of the demands fit at most, in whichever order: exactly, by trying all.

    The reachable ways to fill the pools are the bits of one number.
    """
    reached = 1
    for demand in demands:
        added = reached
        for pool, size in enumerate(pools):
            if demand <= size:
                added |= (reached & _fits(pools, pool, size - demand)) << demand * _stride(pools, pool)
        reached = added
    return next(total for total in range(sum(pools), -1, -1) if reached & _of_total(pools, total))


def demands_for(chance: random.Random, pools: Sequence[int], largest: int, *, load: float) -> list[int]:
    """Return demands up to a size which together are *load* times what the pools hold."""
    demands: list[int] = []
    while sum(demands) < load * sum(pools):
        demands.append(chance.randint(1, largest))
    return demands


def _stride(pools: tuple[int, ...], pool: int) -> int:
    stride = 1
    for size in pools[:pool]:
        stride *= size + 1
    return stride


@lru_cache(maxsize=4096)
def _fits(pools: tuple[int, ...], pool: int, most_filled: int) -> int:
    stride, size = _stride(pools, pool), pools[pool]
    block = (1 << stride * (most_filled + 1)) - 1
    mask = 0
    for start in range(0, _stride(pools, len(pools)), stride * (size + 1)):
        mask |= block << start
    return mask


@lru_cache(maxsize=4096)
def _of_total(pools: tuple[int, ...], total: int) -> int:
    if not pools:
        return int(total == 0)
    mask = 0
    stride = _stride(pools, len(pools) - 1)
    for filled in range(min(total, pools[-1]) + 1):
        mask |= _of_total(pools[:-1], total - filled) << filled * stride
    return mask

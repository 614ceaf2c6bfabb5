from __future__ import annotations

import random
from collections.abc import Iterator

import attrs
import pytest

from statehold_zos.model import DiskType, Placement
from statehold_zos.planning import Demand, MemoryShelf, Room, budget, choose

ORDINARY = 300
SOAK = 100_000


@attrs.define
class Pool:
    """A pool as plainly as can be: what is looked up is searched."""

    type: DiskType
    budget: int
    ready: bool = True
    rooms: dict[int, int] = attrs.field(factory=dict)

    @property
    def free(self) -> int:
        return self.budget - sum(self.rooms.values())


class Sequence:
    """Reservations, releases and changes of size at random, each held against a search of all pools."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.pools: dict[str, Pool] = {}
        self.shelf = MemoryShelf()
        self.refused = self.made = 0
        for number in range(self.chance.randint(1, 6)):
            size = self.chance.choice((100, self.chance.randint(20, 400)))
            factor = self.chance.choice((1.0, 1.0, 1.5, 0.8))
            self.pools[f"pool-{number}"] = Pool(self.chance.choice(tuple(DiskType)), budget(size, factor))
            self._show(f"pool-{number}")

    def run(self) -> None:
        for number in range(self.chance.randint(10, 50)):
            step = self.chance.random()
            if step < 0.6:
                self.reserve(number)
            elif step < 0.8:
                self.release()
            elif step < 0.95:
                self.resize()
            else:
                self.take_out_or_back()
            for pool in self.pools.values():
                assert pool.free >= 0, "over-committed"

    def reserve(self, number: int) -> None:
        placement = self.chance.choice(tuple(Placement))
        demand = Demand(
            type=self.chance.choice(tuple(DiskType)),
            room=self.chance.randint(1, self.chance.choice((10, 60, 200))),
            placement=placement,
            avoid={self.chance.choice(tuple(self.pools))} if self.chance.random() < 0.1 else (),
        )
        types = tuple(DiskType) if placement is Placement.SSD_FIRST else (demand.type,)
        fits = {
            name: pool
            for name, pool in self.pools.items()
            if pool.ready and pool.type in types and pool.free >= demand.room and name not in demand.avoid
        }
        chosen = choose(self.shelf, demand)
        if chosen is None:
            assert not fits, f"refused {demand} while {fits} have room"
            self.refused += 1
            return
        assert chosen in fits, "over-committed"
        assert _rank(fits[chosen], placement) == min(_rank(pool, placement) for pool in fits.values())
        self.pools[chosen].rooms[number] = demand.room
        self._show(chosen)
        self.made += 1

    def release(self) -> None:
        for name, pool, number in self._one():
            del pool.rooms[number]
            self._show(name)

    def resize(self) -> None:
        for name, pool, number in self._one():
            pool.rooms[number] = self.chance.randint(1, pool.rooms[number] + pool.free)
            self._show(name)

    def take_out_or_back(self) -> None:
        name = self.chance.choice(tuple(self.pools))
        self.pools[name].ready = not self.pools[name].ready
        self._show(name)

    def _one(self) -> Iterator[tuple[str, Pool, int]]:
        held = [(name, pool, number) for name, pool in self.pools.items() for number in pool.rooms]
        if held:
            yield self.chance.choice(held)

    def _show(self, name: str) -> None:
        pool = self.pools[name]
        if pool.ready:
            self.shelf.put(Room(name, pool.type, pool.free, len(pool.rooms)))
        else:
            self.shelf.remove(name)


def _rank(pool: Pool, placement: Placement) -> tuple[int, ...]:
    return {
        Placement.BEST_FIT: (pool.free,),
        Placement.WORST_FIT: (-pool.free,),
        Placement.SPREAD: (len(pool.rooms), -pool.free),
        Placement.SSD_FIRST: (pool.type is DiskType.HDD, pool.free),
    }[placement]


def _sequences(count: int) -> None:
    refused = made = 0
    for seed in range(count):
        sequence = Sequence(seed)
        sequence.run()
        refused += sequence.refused
        made += sequence.made
    assert refused > count, "so many that refusals are looked at, too"
    assert made > count


def test_no_sequence_over_commits_a_pool_or_is_refused_while_one_has_room() -> None:
    _sequences(ORDINARY)


@pytest.mark.soak
def test_no_sequence_of_100_000_over_commits_a_pool_or_is_refused_while_one_has_room() -> None:
    _sequences(SOAK)

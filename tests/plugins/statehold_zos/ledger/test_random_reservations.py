from __future__ import annotations

import random
from pathlib import Path

import pytest
from zos_claims import space

from statehold_zos.ledger import Claim, Ledger
from statehold_zos.model import DiskType, NoSpaceError, Placement, PoolState

ORDINARY = 8
SOAK = 1_000


class Book:
    """What a ledger should say, as plainly as can be."""

    def __init__(self, ledger: Ledger, chance: random.Random) -> None:
        self.ledger, self.chance = ledger, chance
        self.claims: dict[str, Claim] = {}
        self.states = dict.fromkeys((f"pool-{n}" for n in range(chance.randint(1, 5))), PoolState.READY)
        self.budgets = {pool: chance.randint(20, 300) for pool in self.states}
        self.types = {pool: chance.choice(tuple(DiskType)) for pool in self.states}
        for pool, size in self.budgets.items():
            ledger.pools.put(pool, type=self.types[pool], size=size)

    def free(self, pool: str) -> int:
        return self.budgets[pool] - sum(claim.room for claim in self._in(pool))

    def step(self) -> None:
        act = self.chance.random()
        if act < 0.6:
            self.reserve()
        elif act < 0.95 and self.claims:
            claim = self.chance.choice(tuple(self.claims.values()))
            if act < 0.8:
                self.ledger.claims.forget(claim.id)
                del self.claims[claim.id]
            else:
                self.resize(claim)
        else:
            pool = self.chance.choice(tuple(self.states))
            self.states[pool] = self.chance.choice((PoolState.READY, PoolState.DEGRADED))
            self.ledger.pools.set_state(pool, self.states[pool])

    def reserve(self) -> None:
        placement, disk_type = self.chance.choice(tuple(Placement)), self.chance.choice(tuple(DiskType))
        size = self.chance.randint(1, self.chance.choice((10, 60, 200)))
        types = tuple(DiskType) if placement is Placement.SSD_FIRST else (disk_type,)
        ready = [p for p, state in self.states.items() if state is PoolState.READY and self.types[p] in types]
        ranks = {pool: self._rank(pool, placement) for pool in ready if self.free(pool) >= size}
        try:
            claim = self.ledger.claims.reserve(space(size, type=disk_type, placement=placement))
        except NoSpaceError:
            assert not ranks, "refused while there is room"
            return
        assert ranks[claim.pool] == min(ranks.values())
        self.claims[claim.id] = self.ledger.claims.settle(claim.id)

    def resize(self, claim: Claim) -> None:
        size = self.chance.randint(1, 200)
        fits = size <= claim.room or (
            self.states[claim.pool] is PoolState.READY and size - claim.room <= self.free(claim.pool)
        )
        try:
            self.claims[claim.id] = self.ledger.claims.resize(claim.id, size)
        except NoSpaceError:
            assert not fits
        else:
            assert fits

    def agree(self) -> None:
        assert self.ledger.check() == []
        assert {claim.id: claim for claim in self.ledger.claims.all()} == self.claims
        rows = {row.id: (row.free, row.claims) for row in self.ledger.pools.all()}
        assert rows == {pool: (self.free(pool), len(self._in(pool))) for pool in self.states}
        assert all(free >= 0 for free, _ in rows.values()), "over-committed"

    def close(self) -> None:
        for claim in self.claims:
            self.ledger.claims.forget(claim)
        for pool in self.states:
            self.ledger.pools.remove(pool)

    def _in(self, pool: str) -> list[Claim]:
        return [claim for claim in self.claims.values() if claim.pool == pool]

    def _rank(self, pool: str, placement: Placement) -> tuple[int, ...]:
        free = self.free(pool)
        return {
            Placement.BEST_FIT: (free,),
            Placement.WORST_FIT: (-free,),
            Placement.SPREAD: (len(self._in(pool)), -free),
            Placement.SSD_FIRST: (self.types[pool] is DiskType.HDD, free),
        }[placement]


def _sequences(folder: Path, count: int) -> None:
    with Ledger(folder) as ledger:
        for seed in range(count):
            book = Book(ledger, random.Random(seed))
            for _ in range(30):
                book.step()
            book.agree()
            book.close()


def test_the_ledger_says_what_a_plain_book_says(tmp_path: Path) -> None:
    _sequences(tmp_path, ORDINARY)


@pytest.mark.soak
def test_the_ledger_says_what_a_plain_book_says_in_very_many_sequences(tmp_path: Path) -> None:
    _sequences(tmp_path, SOAK)

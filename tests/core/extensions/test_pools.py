"""Pools of engines: so many at once, made when needed, each with one user, and a bounded wait."""

from __future__ import annotations

import threading
import time

import pytest

from statehold.extensions import NoEngineError, Pool, Pools
from statehold.sdk import Scope

PATIENT = 30.0


def make_pool(size: int, *, patience: float = PATIENT) -> tuple[Pool[int], list[int]]:
    made: list[int] = []

    def make() -> int:
        made.append(len(made))
        return made[-1]

    def busy() -> NoEngineError:
        return NoEngineError("busy", partition=0, kind=Scope.QUERIES)

    return Pool(make, size, patience=patience, busy=busy), made


def test_an_engine_is_made_when_it_is_first_needed_and_used_again():
    pool, made = make_pool(3)
    assert not made
    for _ in range(5):
        pool.give(pool.take())
    assert made == [0]
    assert pool.in_use == 0


def test_each_engine_has_one_user_at_a_time():
    pool, made = make_pool(3)
    assert sorted(pool.take() for _ in range(3)) == made == [0, 1, 2]
    assert pool.in_use == 3


def test_the_last_one_used_is_the_first_to_be_used_again():
    pool, _ = make_pool(2)
    first, second = pool.take(), pool.take()
    pool.give(first)
    pool.give(second)
    assert pool.take() == second


def test_a_pool_of_none_refuses_at_once_and_says_what_to_raise():
    pools = Pools(
        lambda *_: 1, what="engines of a.b 1", partitions=1, sizes={Scope.JOBS: 0}, patience=PATIENT
    )
    before = time.monotonic()
    with pytest.raises(NoEngineError, match=r"EnginePoolSize has none for JOBS.*\[commands, queries"):
        pools[0, Scope.JOBS].take()
    assert time.monotonic() - before < PATIENT


def test_when_all_are_busy_the_wait_ends_with_an_error_and_nothing_is_lost():
    pool, made = make_pool(1, patience=0.01)
    taken = pool.take()
    with pytest.raises(NoEngineError):
        pool.take()
    assert pool.waiting == 0
    pool.give(taken)
    assert pool.take() == taken
    assert made == [0]


def test_who_waits_gets_the_engine_that_is_given_back():
    pool, made = make_pool(1)
    taken = pool.take()
    got: list[int] = []
    thread = threading.Thread(target=lambda: got.append(pool.take()))
    thread.start()
    while not pool.waiting:
        pass
    pool.give(taken)
    thread.join(PATIENT)
    assert got == made == [0]


def test_a_broken_engine_is_replaced_also_for_one_who_waits():
    pool, made = make_pool(1)
    pool.take()
    got: list[int] = []
    thread = threading.Thread(target=lambda: got.append(pool.take()))
    thread.start()
    while not pool.waiting:
        pass
    pool.drop()
    thread.join(PATIENT)
    assert got == [1]
    assert made == [0, 1]


def test_an_engine_that_cannot_be_made_takes_no_place():
    fails = [True, False]

    def make() -> str:
        if fails.pop(0):
            raise OSError("no memory")
        return "engine"

    pool = Pool(make, 1, patience=PATIENT, busy=lambda: NoEngineError("", partition=0, kind=Scope.JOBS))
    with pytest.raises(OSError, match="no memory"):
        pool.take()
    assert pool.take() == "engine"


def test_threads_that_come_and_go_never_share_an_engine():
    pool, made = make_pool(3)
    users: dict[int, int] = {}
    shared = []

    def work() -> None:
        for _ in range(2000):
            engine = pool.take()
            if users.setdefault(engine, threading.get_ident()) != threading.get_ident():
                shared.append(engine)
            users.pop(engine, None)
            pool.give(engine)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENT)
    assert not shared
    assert len(made) <= 3
    assert pool.in_use == pool.waiting == 0


def test_there_is_a_pool_per_partition_and_kind_and_the_error_says_which():
    pools: Pools[tuple[int, Scope]] = Pools(
        lambda partition, kind: (partition, kind),
        what="PYTHON engines of acme.bills 1",
        partitions=2,
        sizes={Scope.COMMANDS: 1, Scope.QUERIES: 2},
        patience=0.01,
    )
    assert pools[1, Scope.QUERIES].take() == (1, Scope.QUERIES)
    pools[0, Scope.COMMANDS].take()
    with pytest.raises(NoEngineError) as caught:
        pools[0, Scope.COMMANDS].take()
    assert (caught.value.partition, caught.value.kind) == (0, Scope.COMMANDS)
    assert str(caught.value) == (
        "PYTHON engines of acme.bills 1: all 1 for COMMANDS in partition 0 were busy for 0.01 s. "
        "Try again later, or raise EnginePoolSize in descriptor.json"
    )
    assert {place: pool.in_use for place, pool in pools.items() if pool.in_use} == {
        (0, Scope.COMMANDS): 1,
        (1, Scope.QUERIES): 1,
    }


def test_closing_hands_over_what_is_idle():
    pools: Pools[int] = Pools(
        lambda partition, _: partition, what="", partitions=2, sizes={Scope.JOBS: 1}, patience=1
    )
    for partition in (0, 1):
        pool = pools[partition, Scope.JOBS]
        pool.give(pool.take())
    assert sorted(pools.close()) == [0, 1]
    assert pools.close() == []

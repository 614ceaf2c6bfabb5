"""The cache: rows as they were last committed, whoever reads and writes at the same time."""

from __future__ import annotations

import random
import threading

import pytest

from statehold.events import PartitionData, RowCache
from statehold.events import _cache as cache_module
from statehold.rows import Delete, MemoryDriver, Put, PutIfAbsent, StoreUnavailableError

RECORD = ("rec", 1)


class Counting:
    """A store that counts what it is asked for, and may be held or fail."""

    def __init__(self, store):
        self.store = store
        self.gets = 0
        self.before_write = self.after_write = self.after_get = lambda: None

    def get(self, partition, clustering):
        self.gets += 1
        value = self.store.get(partition, clustering)
        self.after_get()
        return value

    def write(self, changes):
        self.before_write()
        outcome = self.store.write(changes)
        self.after_write()
        return outcome


@pytest.fixture
def counting():
    with MemoryDriver() as driver:
        yield Counting(driver.create("example.shop"))


@pytest.fixture
def cache(counting):
    return RowCache(counting)


def put(cache, number, value, partition=RECORD):
    change = Delete(partition, (number,)) if value is None else Put(partition, (number,), value)
    return cache.write([change], {partition: {(number,): value}})


@pytest.mark.parametrize("partition", [("rec", 1), ("view", "V", 1, 2020)])
def test_what_was_written_or_read_is_not_asked_of_the_store(cache, counting, partition):
    put(cache, 1, b"new", partition)
    assert [cache.get(partition, (1,)) for _ in range(3)] == [b"new"] * 3
    assert counting.gets == 0
    counting.store.write([Put(partition, (2,), b"old")])
    assert [cache.get(partition, (2,)) for _ in range(3)] == [b"old"] * 3
    assert counting.gets == 1


def test_other_rows_are_always_asked_of_the_store(cache, counting):
    for partition in (("plog", 0), ("uniq", 1, "T", "A"), ("outbox", 0), ("meta",)):
        put(cache, 1, b"value", partition)
        assert [cache.get(partition, (1,)) for _ in range(2)] == [b"value"] * 2
    assert counting.gets == 8


def test_a_row_that_is_removed_is_gone(cache):
    put(cache, 1, b"value")
    put(cache, 1, None)
    assert cache.get(RECORD, (1,)) is None
    put(cache, 1, b"again")
    assert cache.get(RECORD, (1,)) == b"again"


def test_a_write_that_is_refused_changes_nothing(cache):
    put(cache, 1, b"value")
    assert not cache.write([PutIfAbsent(RECORD, (1,), b"other")], {RECORD: {(1,): b"other"}})
    assert cache.get(RECORD, (1,)) == b"value"


@pytest.mark.parametrize("moment", ["before_write", "after_write"])
def test_after_a_write_of_which_nothing_is_known_the_store_is_asked(cache, counting, moment):
    put(cache, 1, b"value")

    def fail():
        raise StoreUnavailableError("gone", unknown=True)

    setattr(counting, moment, fail)
    with pytest.raises(StoreUnavailableError):
        put(cache, 1, b"other")
    assert cache.get(RECORD, (1,)) == (b"value" if moment == "before_write" else b"other")


def test_a_read_that_fails_leaves_nothing_behind(cache, counting):
    counting.store.write([Put(RECORD, (1,), b"value")])

    def fail():
        raise StoreUnavailableError("gone")

    counting.after_get = fail
    with pytest.raises(StoreUnavailableError):
        cache.get(RECORD, (1,))
    counting.after_get = lambda: None
    assert [cache.get(RECORD, (1,)) for _ in range(2)] == [b"value"] * 2
    assert counting.gets == 2


def test_while_a_row_is_written_it_is_read_from_the_store(cache, counting):
    put(cache, 1, b"old")
    seen = []
    counting.before_write = lambda: seen.append(cache.get(RECORD, (1,)))
    counting.after_write = lambda: seen.append(cache.get(RECORD, (1,)))
    put(cache, 1, b"new")
    assert seen == [b"old", b"new"]
    assert cache.get(RECORD, (1,)) == b"new"


def test_what_was_read_before_a_write_is_not_kept_after_it(cache, counting):
    counting.store.write([Put(RECORD, (1,), b"old")])

    def write():
        counting.after_get = lambda: None
        put(cache, 1, b"new")

    counting.after_get = write
    assert cache.get(RECORD, (1,)) == b"old"
    assert cache.get(RECORD, (1,)) == b"new"


@pytest.mark.parametrize("readers", [False, True])
def test_of_two_who_write_a_row_at_the_same_time_none_is_kept(cache, counting, readers):
    """The first write is overtaken by a second one before it comes to the store."""

    def overtake():
        counting.before_write = lambda: None
        put(cache, 1, b"second")
        if readers:
            assert cache.get(RECORD, (1,)) == b"second"

    counting.before_write = overtake
    put(cache, 1, b"first")
    assert cache.get(RECORD, (1,)) == counting.store.get(RECORD, (1,)) == b"first"


def test_long_values_are_not_kept_and_there_are_not_too_many(cache, counting, monkeypatch):
    put(cache, 1, b"x" * 2001)
    assert cache.get(RECORD, (1,)) == b"x" * 2001
    assert counting.gets == 1
    monkeypatch.setattr(cache_module, "_MOST", 80)
    for number in range(500):
        put(cache, number, b"value")
        cache.get(RECORD, (1000 + number,))
        assert len(cache._rows) <= 80
    assert cache.get(RECORD, (499,)) == b"value"
    assert cache.get(RECORD, (0,)) == b"value"


def test_threads_that_read_and_write_see_no_row_go_back(cache):
    """Each row counts up, by one thread; views by two, which then are read as they are in the end."""
    finished = threading.Event()
    problems = []

    def write(seed):
        order = random.Random(seed)
        for count in range(1, 400):
            changed = {("rec", seed): {(n,): b"%d" % count for n in range(3)}}
            shared = {("view", "V", 0, 0): {(order.randrange(4),): b"%d" % (count * 2 + seed)}}
            batch = [Put(p, c, v) for p, rows in (changed | shared).items() for c, v in rows.items()]
            cache.write(batch, changed | shared)
            if any(cache.get(("rec", seed), (n,)) != b"%d" % count for n in range(3)):
                problems.append((seed, count))

    def read():
        last = {}
        while not finished.is_set():
            for key in [(seed, n) for seed in range(2) for n in range(3)]:
                value = int(cache.get(("rec", key[0]), (key[1],)) or 0)
                if value < last.get(key, 0):
                    problems.append((key, value, last[key]))
                last[key] = value
            for n in range(4):
                cache.get(("view", "V", 0, 0), (n,))

    readers = [threading.Thread(target=read) for _ in range(2)]
    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(2)]
    for thread in readers + writers:
        thread.start()
    for thread in writers:
        thread.join()
    finished.set()
    for thread in readers:
        thread.join()
    assert problems == []
    for n in range(4):
        key = ("view", "V", 0, 0), (n,)
        assert cache.get(*key) == cache._store.get(*key)


def test_a_version_that_takes_over_starts_with_no_rows(store, shop, ws):
    cache = RowCache(store)
    data = PartitionData(store, 0, cache)
    put(cache, 1, b"of the version before", ("view", "V", 1, 1))
    data.next_offset(shop)
    assert not cache._rows

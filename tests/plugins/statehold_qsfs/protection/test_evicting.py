"""The disk here has what is used; the rest is in the store, and comes back when it is read."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest
from qsfs_machines import SEGMENT, Machine, payload, until
from qsfs_stores import LIMIT, MemoryStore

from statehold_qsfs.protection import ProtectionError, restore
from statehold_qsfs.protection._publisher import Publisher
from statehold_zdb.engine import Part, ZdbMissingError

ROOM = 4 * SEGMENT


def local(machine: Machine, name: str = "default") -> set[int]:
    return {int(path.name[1:]) for path in Path(machine.engine.data / name).glob("d*")}


def test_data_take_no_more_than_they_may_and_all_are_read(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store, limit=ROOM) as one:
        one.fill(800)
        until(lambda: one.protection.figures().local_bytes <= ROOM)
        figures = one.protection.figures()
        assert figures.evicted >= 6
        assert figures.evictions >= figures.evicted
        assert all(one.names.get(b"%d" % i) == payload(i) for i in range(0, 800, 7))
        until(lambda: one.protection.figures().local_bytes <= ROOM)


def test_what_is_used_stays_and_what_is_not_goes_first(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        one.fill(300)
        one.settle()
        eviction = one.protection._eviction
        eviction.run()
        one.names.get(b"1")
        eviction.run()
        eviction.limit = one.protection.figures().local_bytes - SEGMENT
        eviction.run()
        assert 0 in local(one)
        assert 1 not in local(one)


def test_nothing_goes_that_the_store_does_not_have_with_all_its_redundancy(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        one.fill(300)
        one.settle()
        before = local(one)
        store.bad = set(store.objects)
        eviction = one.protection._eviction
        eviction.retry = 0.0
        eviction.limit = ROOM // 2
        until(lambda: "lacks redundancy" in one.protection.figures().problem)
        assert local(one) == before
        store.bad = set()
        until(lambda: one.protection.figures().local_bytes <= ROOM // 2)


def test_nothing_goes_that_waits_to_be_sent_however_little_room_there_is(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store, limit=ROOM) as one:
        store.down = True
        one.fill(800)
        until(lambda: one.protection.figures().failures >= 2)
        assert one.protection.figures().local_bytes > ROOM
        assert not one.protection.figures().evicted
        store.down = False
        until(lambda: one.protection.figures().local_bytes <= ROOM)


def test_a_segment_that_cannot_be_read_keeps_no_other_from_going(tmp_path, monkeypatch):
    seal = Publisher.seal

    def refuse(self: Publisher, namespace: str, part: Part, *more: object) -> None:
        if not part.number:
            raise OSError(errno.EIO, "a bad disk")
        seal(self, namespace, part, *more)

    monkeypatch.setattr(Publisher, "seal", refuse)
    with Machine(tmp_path / "one", MemoryStore(), limit=ROOM) as one:
        one.fill(10)
        one.protection.barrier(LIMIT)
        one.fill(800, start=10)
        until(lambda: one.protection.figures().local_bytes <= ROOM)
        until(lambda: "a bad disk" in one.protection.figures().problem)
        assert 0 in local(one)


def test_namespaces_that_are_to_stay_go_last(tmp_path):
    store = MemoryStore()
    options = {"limit": ROOM, "evict_last": frozenset({"default"})}
    with Machine(tmp_path / "one", store, **options) as one:
        data = one.engine.create("data")
        one.fill(100)
        for i in range(600):
            data.set(b"%d" % i, payload(i))
        until(lambda: one.protection.figures().local_bytes <= ROOM)
        assert {0, 1} <= local(one)
        assert 0 not in local(one, "data")


def test_a_slow_store_holds_up_who_needs_it_and_nobody_else(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        one.fill(300)
        one.settle()
        assert one.names.evict(0)
        hold, asked = threading.Event(), threading.Event()

        def wait(what, _):
            if what == "read":
                asked.set()
                assert hold.wait(LIMIT)

        store.before = wait
        found = []
        slow = threading.Thread(target=lambda: found.append(one.names.get(b"1")))
        slow.start()
        assert asked.wait(LIMIT)
        assert one.names.get(b"299") == payload(299)
        one.names.set(b"new", b"1")
        assert one.names.get(b"new") == b"1"
        hold.set()
        slow.join(LIMIT)
        assert found == [payload(1)]


def test_many_who_read_the_same_bring_it_once(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        one.fill(100)
        one.settle()
        assert one.names.evict(0)
        hold = threading.Event()
        store.before = lambda what, _: what != "read" or hold.wait(LIMIT)
        store.reads.clear()
        readers = [threading.Thread(target=one.names.get, args=(b"%d" % i,)) for i in range(20)]
        for reader in readers:
            reader.start()
        hold.set()
        for reader in readers:
            reader.join(LIMIT)
        assert len(store.reads) == 1


def test_a_read_of_what_cannot_be_brought_says_so_and_works_again_later(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        one.fill(100)
        one.settle()
        assert one.names.evict(0)
        store.down = True
        with pytest.raises(ZdbMissingError, match="backends are down"):
            one.names.get(b"1")
        store.down = False
        assert one.names.get(b"1") == payload(1)


def test_a_segment_of_which_much_is_read_comes_back_if_there_is_room(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        big = one.engine.create("big")
        for i in range(12):
            big.set(b"%d" % i, payload(i, 500_000))
        big.set(b"huge", payload(9, 8_000_000))
        big.jump()
        one.settle()
        last = max(part.number for part in one.engine.cut()["big"].parts if part.closed)
        assert big.evict(last)
        assert big.get(b"huge") == payload(9, 8_000_000)
        until(lambda: last in local(one, "big"))
        store.reads.clear()
        assert big.get(b"huge") == payload(9, 8_000_000)
        assert not store.reads


def test_what_was_evicted_is_compacted_and_goes_from_the_store(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        one.fill(300)
        one.settle()
        for number in sorted(local(one))[:-1]:
            assert one.names.evict(number)
        size = store.size
        for i in range(300):
            if i % 10:
                one.names.delete(b"%d" % i)
        one.names.compact()
        one.settle()
        one.protection._publisher.write_base()
        assert store.size < size / 2
        before = one.contents()
        assert len(before["default"]) == 30
    restore(store, tmp_path / "two")
    with Machine(tmp_path / "two", store) as two:
        assert two.contents() == before


def test_a_disk_that_others_fill_has_fewer_data_than_they_may_take(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store, limit=100 * SEGMENT) as one:
        one.fill(300)
        one.settle()
        before = local(one)
        one.protection._eviction.free = lambda: SEGMENT
        until(lambda: len(local(one)) < len(before))
        assert one.names.get(b"1") == payload(1)


def test_what_is_read_again_and_again_takes_the_place_of_what_is_not(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store, limit=8 * SEGMENT) as one:
        one.fill(800)
        until(lambda: 0 not in local(one) and one.protection.figures().local_bytes <= 8 * SEGMENT)
        one.settle()
        one.protection.plugin.wanted.add(("default", 0))  # as after many reads of a larger one
        until(lambda: 0 in local(one))
        until(lambda: one.protection.figures().local_bytes <= 8 * SEGMENT)


def test_what_was_evicted_is_not_brought_back_by_sending_other_things(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        one.fill(300)
        one.settle()
        for number in sorted(local(one))[:-1]:
            assert one.names.evict(number)
        for i in range(1000, 1010):
            one.names.set(b"%d" % i, b"1")
            one.protection.barrier(LIMIT)
        assert one.protection.figures().brought_bytes == 0
    with Machine(tmp_path / "one", store) as one:
        one.protection.barrier(LIMIT)
        assert one.protection.figures().brought_bytes == 0
        assert one.protection.figures().evicted >= 4


def test_an_empty_store_is_not_taken_for_the_one_that_has_what_was_evicted(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        one.fill(300)
        one.settle()
        assert one.names.evict(0)
    with pytest.raises(ProtectionError, match="the store has nothing"):
        Machine(tmp_path / "one", MemoryStore())
    with Machine(tmp_path / "one", store) as one:
        assert one.names.get(b"1") == payload(1)
        one.names.set(b"1", b"1")
        one.protection.barrier(LIMIT)


def test_a_store_that_is_new_gets_everything_of_a_machine_that_has_it_all(tmp_path):
    new = MemoryStore()
    with Machine(tmp_path / "one", MemoryStore()) as one:
        one.fill(300)
        one.settle()
        before = one.contents()
    with Machine(tmp_path / "one", new) as one:
        one.settle()
    restore(new, tmp_path / "two")
    with Machine(tmp_path / "two", new) as two:
        assert two.contents() == before

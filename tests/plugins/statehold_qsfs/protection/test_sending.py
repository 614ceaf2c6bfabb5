"""What is written gets into the store, whatever happens to the store or to the process meanwhile."""

from __future__ import annotations

import threading

import pytest
from qsfs_machines import Machine, payload, until
from qsfs_stores import LIMIT, MemoryStore

from statehold_qsfs.protection import BarrierError, StoreError, restore


def restored(store: MemoryStore, folder) -> dict[str, dict[bytes, bytes | None]]:
    restore(store, folder)
    with Machine(folder, store) as machine:
        return machine.contents()


def test_a_store_that_is_down_is_asked_ever_less_and_gets_everything_when_it_is_back(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        store.down = True
        one.fill(300)
        until(lambda: one.protection.figures().failures >= 3)
        figures = one.protection.figures()
        assert figures.problem == "the backends are down"
        assert figures.pending_bytes > 2_000_000
        assert figures.pending_segments >= 4
        assert figures.oldest_seconds > 0
        tries, failures = store.tries, one.protection.figures().failures
        assert tries <= 10 * (failures + 2)  # between two of which it waits, longer each time
        store.down = False
        one.protection.barrier(LIMIT)
        figures = one.protection.figures()
        assert (figures.pending_bytes, figures.oldest_seconds) == (0, 0.0)
        until(lambda: not one.protection.figures().problem)
        before = one.contents()
    assert restored(store, tmp_path / "two") == before


def test_what_was_waiting_when_the_process_ended_is_sent_after_the_next_start(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        store.down = True
        one.fill(300)
    store.down = False
    with Machine(tmp_path / "one", store) as one:
        before = one.contents()
        until(lambda: not one.protection.figures().pending_bytes)
    assert restored(store, tmp_path / "two") == before


def test_what_was_sent_before_the_process_ended_is_not_sent_again(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store, window=600.0) as one:
        one.fill(1000)
        large = []

        def fail(what, name):
            if what == "put" and len(large) > 9 and "log" not in name:
                raise StoreError("the backends are down")

        def count(what, name):
            if what == "put" and len(store.objects[name][1]) > 400_000:
                large.append(name)

        store.before, store.after = fail, count
        give_up = threading.Event()
        draining = threading.Thread(target=one.protection.drain, args=(lambda _: None, give_up))
        draining.start()
        until(lambda: one.protection.figures().problem == "the backends are down")
        give_up.set()
        draining.join(LIMIT)
    store.before = lambda *_: None
    sent = len(large)
    assert sent > 9
    with Machine(tmp_path / "one", store) as one:
        one.protection.barrier(LIMIT)
        segments = len(one.engine.cut()["default"].parts)
        assert len(large) <= segments + 1
        before = one.contents()
    assert restored(store, tmp_path / "two") == before


def test_a_flood_is_sent_few_at_a_time_and_with_little_memory(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store, window=600.0) as one:
        one.fill(2000)
        one.protection.barrier(LIMIT)
    assert 1 <= store.most_at_once <= 5


def test_more_than_a_hundred_segments_wait_without_harm(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store, window=600.0) as one:
        store.down = True
        for i in range(130):
            one.names.set(b"%d" % i, b"%d" % i)
            one.names.jump()
        assert one.protection.figures().pending_segments > 100
        store.down = False
        one.protection.barrier(LIMIT)
        before = one.contents()
    assert restored(store, tmp_path / "two") == before


def test_a_barrier_tells_why_it_could_not_be_reached_and_nothing_is_lost_here(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        store.down = True
        one.names.set(b"a", b"1")
        until(lambda: one.protection.figures().problem)
        with pytest.raises(BarrierError, match="backends are down"):
            one.protection.barrier(0.2)
        assert one.names.get(b"a") == b"1"


def test_many_who_wait_at_a_barrier_share_one_cut(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store, window=600.0) as one:
        one.protection.barrier(LIMIT)
        hold, held = threading.Event(), threading.Event()

        def wait(what, name):
            if what == "put" and "log" in name:
                held.set()
                assert hold.wait(LIMIT)

        store.before = wait
        store.puts.clear()
        one.names.set(b"first", b"1")
        waiting = [threading.Thread(target=one.protection.barrier, args=(LIMIT,))]
        waiting[0].start()
        assert held.wait(LIMIT)
        for i in range(16):
            one.names.set(b"%d" % i, b"1")
            waiting.append(threading.Thread(target=one.protection.barrier, args=(LIMIT,)))
            waiting[-1].start()
        until(lambda: one.protection._asked)
        hold.set()
        for thread in waiting:
            thread.join(LIMIT)
        logs = [name for name in store.puts if "log" in name]
        assert len(logs) == 2


def test_a_cut_is_in_the_store_as_a_whole_or_not_at_all(tmp_path):
    """Two namespaces are written one after the other; no restore ever has the second without the first."""
    store = MemoryStore()
    copies = []

    def copy(what, name):
        if what == "put":
            with store.lock:
                copies.append(dict(store.objects))

    with Machine(tmp_path / "one", store, window=1.0) as one:
        data, meta = one.engine.create("data"), one.engine.create("meta")
        store.after = copy
        for i in range(40):
            data.set(b"%d" % i, payload(i, 60_000))
            meta.set(b"%d" % i, b"is there")
            if i % 4 == 0:
                one.protection.barrier(LIMIT)
            if i % 10 == 5:
                data.compact()
                data.delete(b"%d" % (i - 2))
                meta.delete(b"%d" % (i - 2))
    step = max(1, len(copies) // 12)
    for number, objects in enumerate(copies[::step]):
        fresh = MemoryStore()
        fresh.objects = objects
        found = restored(fresh, tmp_path / f"copy{number}")
        if "meta" in found:
            for key in found["meta"]:
                assert found["data"][key] == payload(int(key), 60_000)


def test_what_nobody_needs_any_more_goes_from_the_store_too(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store, compact_at=0.3, compact_every=0.2) as one:
        for start in range(0, 1200, 60):
            one.fill(100)
            if start % 240 == 0:
                one.protection.barrier(LIMIT)
        one.names.compact()
        one.settle()
        live = one.names.figures().live_bytes
    with Machine(tmp_path / "one", store) as one:  # a start writes a base, which lets go of what was before
        until(lambda: store.size < live * 2.5)
        one.settle()
        before = one.contents()
    assert restored(store, tmp_path / "two") == before


def test_changes_do_not_pile_up(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        for i in range(300):
            one.names.set(b"%d" % (i % 7), b"%d" % i)
            one.protection.barrier(LIMIT)
        until(lambda: len(store.objects) < 170)
        before = one.contents()
    assert restored(store, tmp_path / "two") == before


def test_what_was_stored_in_vain_is_swept_away(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        one.fill(50)
        one.protection.barrier(LIMIT)
    head = next(name for name in store.objects if name.endswith("/base")).split("/")[1]
    store.put(f"qsfs/{head}/0000ffff", b"of a change that was never written")
    with Machine(tmp_path / "one", store):
        until(lambda: f"qsfs/{head}/0000ffff" not in store.objects)
    with Machine(tmp_path / "one", store) as one:
        assert one.names.get(b"49") == payload(49)


def test_a_clean_end_waits_for_all_and_says_what_still_waits(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store, window=600.0) as one:
        store.down = True
        one.fill(200)
        seen = []

        def progress(figures):
            seen.append(figures.pending_bytes)
            if len(seen) == 3:
                store.down = False

        assert one.protection.drain(progress).pending_bytes == 0
        assert seen[0] > 1_000_000
        before = one.contents()
    assert restored(store, tmp_path / "two") == before


def test_who_is_impatient_is_told_what_still_waits_and_it_is_sent_at_the_next_start(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store, window=600.0) as one:
        store.down = True
        one.fill(200)
        give_up = threading.Event()
        left = one.protection.drain(lambda _: give_up.set(), give_up)
        assert left.pending_bytes > 1_000_000
        before = one.contents()
    store.down = False
    with Machine(tmp_path / "one", store) as one:
        assert one.protection.drain().pending_bytes == 0
    assert restored(store, tmp_path / "two") == before


def test_an_end_waits_for_what_is_under_way_and_for_nothing_that_has_not_begun(tmp_path):
    store = MemoryStore()
    one = Machine(tmp_path / "one", store, window=600.0)
    one.fill(1000)
    hold = threading.Event()
    store.before = lambda what, _: what != "put" or hold.wait(LIMIT)
    waiting = threading.Thread(target=one.protection.drain)
    waiting.start()
    until(lambda: store.at_once >= 3)
    ending = threading.Thread(target=one.close)
    ending.start()
    until(one.protection._ended.is_set)
    hold.set()
    ending.join(LIMIT)
    waiting.join(LIMIT)
    assert not ending.is_alive()
    assert len(store.puts) < 10
    with Machine(tmp_path / "one", store) as one:
        assert one.protection.drain().pending_bytes == 0

"""One machine at a time writes to a store: the one that came last."""

from __future__ import annotations

import threading

import pytest
from qsfs_machines import Machine, until
from qsfs_stores import LIMIT, MemoryStore

from statehold_qsfs.protection import FencedError, restore


def test_of_two_machines_restored_at_once_the_older_one_is_fenced(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "zero", store) as zero:
        zero.fill(100)
        zero.protection.barrier()
    restore(store, tmp_path / "one")
    with Machine(tmp_path / "one", store) as one:
        one.names.set(b"one", b"acknowledged")
        one.protection.barrier(LIMIT)
        restore(store, tmp_path / "two")
        with Machine(tmp_path / "two", store) as two:
            assert two.names.get(b"one") == b"acknowledged"
            one.names.set(b"one", b"too late")
            with pytest.raises(FencedError, match="has taken over"):
                one.protection.barrier(LIMIT)
            assert one.fenced.wait(LIMIT)
            assert one.protection.figures().fenced
            two.names.set(b"two", b"1")
            two.protection.barrier(LIMIT)
            before = two.contents()
    with pytest.raises(FencedError, match="has taken over"):
        Machine(tmp_path / "one", store)
    restore(store, tmp_path / "three")
    with Machine(tmp_path / "three", store) as three:
        assert three.contents() == before


def test_a_machine_that_nobody_waits_for_is_fenced_as_well(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        one.protection.barrier()
        restore(store, tmp_path / "two")
        one.names.set(b"a", b"1")
        assert one.fenced.wait(LIMIT)
        with pytest.raises(FencedError):
            one.protection.barrier(LIMIT)
        assert one.names.get(b"a") == b"1"


@pytest.mark.parametrize("step", range(6))
def test_whatever_was_acknowledged_while_another_took_over_is_among_what_that_one_has(tmp_path, step):
    """The restore stops after each of its steps, the older machine writes, and the restore goes on."""
    store = MemoryStore()
    with Machine(tmp_path / "one", store, window=600.0) as one:
        one.fill(10)
        one.protection.barrier(LIMIT)
        seen: list[str] = []
        paused, go_on = threading.Event(), threading.Event()
        restoring = threading.Thread(target=restore, args=(store, tmp_path / "two"))

        def pause(what, name):
            if threading.current_thread() is restoring:
                if len(seen) == step:
                    paused.set()
                    assert go_on.wait(LIMIT)
                seen.append(f"{what} {name}")

        store.before = pause
        restoring.start()
        assert paused.wait(LIMIT)
        one.names.set(b"late", b"1")
        acknowledged = True
        try:
            one.protection.barrier(LIMIT)
        except FencedError:
            acknowledged = False
        go_on.set()
        restoring.join(LIMIT)
    with Machine(tmp_path / "two", store) as two:
        if acknowledged:
            assert two.names.get(b"late") == b"1"
        two.protection.barrier(LIMIT)


def test_many_who_restore_at_once_leave_one_that_writes(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "zero", store) as zero:
        zero.fill(20)
        zero.protection.barrier()
        before = zero.contents()
    machines: list[Machine] = []
    lock = threading.Lock()

    def come(number):
        try:
            restore(store, tmp_path / f"{number}")
            machine = Machine(tmp_path / f"{number}", store)
        except FencedError:
            return
        with lock:
            machines.append(machine)

    threads = [threading.Thread(target=come, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    written = []
    for number, machine in enumerate(machines):
        assert machine.contents() == before
        machine.names.set(b"who", b"%d" % number)
        try:
            machine.protection.barrier(LIMIT)
            written.append(number)
        except FencedError:
            pass
        finally:
            machine.close()
    assert len(written) == 1
    restore(store, tmp_path / "last")
    with Machine(tmp_path / "last", store) as last:
        assert last.names.get(b"who") == b"%d" % written[0]


def test_who_is_fenced_deletes_nothing(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        one.fill(100)
        one.settle()
        restore(store, tmp_path / "two")
        store.deletes.clear()
        one.names.delete(b"1")
        one.names.compact()
        assert one.fenced.wait(LIMIT)
        assert not store.deletes
        with Machine(tmp_path / "two", store) as two:
            assert len(two.contents()["default"]) == 100
            until(lambda: not two.protection.figures().pending_bytes)


def test_a_restore_that_another_one_overtakes_is_told_so(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "zero", store) as zero:
        zero.fill(100)
        zero.settle()
    overtaken = threading.Lock()

    def overtake(what, name):
        if what == "read" and tmp_path.joinpath("one", "data").exists() and overtaken.acquire(blocking=False):
            restore(store, tmp_path / "two")
            with Machine(tmp_path / "two", store) as two:
                two.fill(100, start=1000)
                two.settle()
                two.names.compact()
                two.protection.barrier(LIMIT)
                two.protection._publisher.write_base()
                store.delete(name)

    store.before = overtake
    with pytest.raises(FencedError, match="has taken over"):
        restore(store, tmp_path / "one")
    assert overtaken.locked()

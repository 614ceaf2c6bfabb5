"""A machine that is lost comes back, from the store alone, as it was at its last barrier or later."""

from __future__ import annotations

import shutil

import pytest
from qsfs_machines import Machine, payload, until
from qsfs_stores import LIMIT, MemoryStore

from statehold_qsfs.protection import (
    DivergedError,
    ProtectionError,
    StoreError,
    StoreMissingError,
    restore,
)


def test_a_machine_that_is_lost_after_a_barrier_comes_back_as_it_was(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        one.fill(300)
        one.engine.create("other").set(b"key", b"value")
        one.engine.configure("other", maxsize=5000)
        one.names.delete(b"7")
        one.names.set(b"8", b"new")
        one.protection.barrier()
        before = one.contents()
    shutil.rmtree(tmp_path / "one")
    restored = restore(store, tmp_path / "two")
    assert (restored.namespaces, restored.epoch) == (2, 2)
    with Machine(tmp_path / "two", store) as two:
        assert two.contents() == before
        assert two.engine["other"].settings.maxsize == 5000
        two.names.set(b"further", b"1")
        two.protection.barrier()


def test_every_barrier_alone_is_enough_however_small_what_was_written(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        for i in range(120):
            one.names.set(b"%d" % i, b"%d" % i * 100)
            one.protection.barrier()
        copy = dict(store.objects)
        before = one.contents()
        parts = one.engine.cut()["default"].parts
        assert len(one.protection.kept("default", parts[0].number).extents) < 60
    store.objects = copy
    restore(store, tmp_path / "two")
    with Machine(tmp_path / "two", store) as two:
        assert two.contents() == before


def test_without_a_barrier_what_was_written_is_in_the_store_within_the_window(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        one.names.set(b"a", b"1")
        until(lambda: one.protection.figures().pending_bytes == 0)
        before = dict(store.objects)
    store.objects = before
    restore(store, tmp_path / "two")
    with Machine(tmp_path / "two", store) as two:
        assert two.names.get(b"a") == b"1"


def test_a_restore_brings_no_closed_segment_but_a_read_brings_the_megabyte_that_it_needs(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        one.fill(300)
        one.settle()
        one.protection.barrier()
    restored = restore(store, tmp_path / "two")
    assert restored.evicted >= 4
    assert restored.brought_bytes < store.size / 4
    with Machine(tmp_path / "two", store) as two:
        store.reads.clear()
        assert two.names.get(b"3") == payload(3)
        assert len(store.reads) == 1
        assert two.names.get(b"4") == payload(4)
        assert len(store.reads) == 1


def test_a_restore_brings_everything_if_it_is_to(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        one.fill(300)
        one.settle()
        before = one.contents()
        one.protection.barrier()
    seen = []
    restored = restore(store, tmp_path / "two", everything=True, progress=lambda *each: seen.append(each))
    assert not restored.evicted
    assert seen[-1] == (restored.segments, restored.segments)
    with Machine(tmp_path / "two", store) as two:
        store.reads.clear()
        assert two.contents() == before
        assert not store.reads


def test_a_restore_that_was_cut_short_is_noticed_and_done_anew(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        one.fill(100)
        one.protection.barrier()
        before = one.contents()
    left = [6]

    def fail(what, _):
        left[0] -= what == "read"
        if left[0] < 0:
            raise StoreError("the backends are down")

    store.before = fail
    with pytest.raises(StoreError):
        restore(store, tmp_path / "two")
    store.before = lambda *_: None
    with pytest.raises(ProtectionError, match="not restored to the end"):
        Machine(tmp_path / "two", store)
    restore(store, tmp_path / "two")
    with Machine(tmp_path / "two", store) as two:
        assert two.contents() == before
    (tmp_path / "three").mkdir()
    (tmp_path / "three" / ".restoring-1").touch()  # killed before it had begun
    assert restore(store, tmp_path / "three").segments


def test_who_takes_over_and_dies_at_once_takes_nothing_with_it(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        one.fill(10)
        one.protection.barrier()
        before = one.contents()

    def fail(what, name):
        if what == "put" and name.endswith("/base"):
            raise StoreError("it has died")

    for i in range(3):
        store.before = fail
        with pytest.raises(StoreError):
            restore(store, tmp_path / f"dies{i}")
    store.before = lambda *_: None
    restore(store, tmp_path / "two")
    with Machine(tmp_path / "two", store) as two:
        assert two.contents() == before


def test_nothing_is_restored_over_something_or_from_nothing(tmp_path):
    store = MemoryStore()
    with pytest.raises(ProtectionError, match="right key"):
        restore(store, tmp_path / "one")
    with Machine(tmp_path / "one", store) as one:
        one.protection.barrier()
    with pytest.raises(ProtectionError, match="not empty"):
        restore(store, tmp_path / "one")


def test_an_empty_folder_does_not_take_the_place_of_what_the_store_has(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        one.names.set(b"a", b"1")
        one.protection.barrier()
    with pytest.raises(ProtectionError, match="Restore it into this folder"):
        Machine(tmp_path / "two", store)


def test_two_filesystems_share_a_store_by_prefixes(tmp_path):
    store = MemoryStore()
    with (
        Machine(tmp_path / "one", store, prefix="a") as one,
        Machine(tmp_path / "two", store, prefix="b") as two,
    ):
        one.names.set(b"k", b"one")
        two.names.set(b"k", b"two")
        one.protection.barrier()
        two.protection.barrier()
    restore(store, tmp_path / "three", prefix="b")
    with Machine(tmp_path / "three", store, prefix="b") as three:
        assert three.names.get(b"k") == b"two"


def test_files_that_are_lost_of_the_folder_come_back_by_themselves(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        one.fill(200)
        one.settle()
        one.names.set(b"last", b"1")
        one.protection.barrier()
        before = one.contents()
    shutil.rmtree(tmp_path / "one" / "data" / "default")
    shutil.rmtree(tmp_path / "one" / "index" / "default")
    with Machine(tmp_path / "one", store) as one:
        assert one.contents() == before
        one.protection.barrier()
    for left in (tmp_path / "one" / "data" / "default").glob("d*"):
        left.unlink()
    with Machine(tmp_path / "one", store) as one:
        assert one.contents() == before


def test_what_a_compaction_has_removed_does_not_come_back(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        one.names.set(b"gone", b"1" * 1000)
        one.names.jump()
        one.settle()
        store.down = True
        one.names.delete(b"gone")
        one.names.compact()
        one.names.compact()
        assert not (tmp_path / "one" / "index" / "default" / "i0").exists()
    store.down = False
    with Machine(tmp_path / "one", store) as one:
        assert one.contents() == {"default": {}}
        one.protection.barrier()
    restore(store, tmp_path / "two")
    with Machine(tmp_path / "two", store) as two:
        assert two.contents() == {"default": {}}


def test_a_disk_that_has_lost_what_it_had_written_is_noticed(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        one.fill(10)
        one.protection.barrier()
    path = tmp_path / "one" / "data" / "default" / "d0"
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 8100)
    with pytest.raises(DivergedError, match="d0"):
        Machine(tmp_path / "one", store)


@pytest.mark.parametrize("later", [20, 400])
def test_a_disk_that_was_set_back_to_an_earlier_state_is_noticed(tmp_path, later):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        one.fill(100)
        one.settle()
    shutil.copytree(tmp_path / "one", tmp_path / "then")
    with Machine(tmp_path / "one", store) as one:
        one.fill(later, start=1000)
        one.settle()
    shutil.rmtree(tmp_path / "one")
    (tmp_path / "then").rename(tmp_path / "one")
    with pytest.raises(DivergedError, match="empty folder"):
        Machine(tmp_path / "one", store)


def test_an_error_that_nobody_has_foreseen_is_told_and_sending_goes_on(tmp_path, caplog):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:

        def fail(what, _):
            raise ZeroDivisionError(what)

        store.before = fail
        one.names.set(b"a", b"1")
        until(lambda: one.protection.figures().problem)
        store.before = lambda *_: None
        one.protection.barrier(LIMIT)
        until(lambda: not one.protection.figures().problem)
    assert "an error of the protection itself" in caplog.text


def test_a_segment_with_a_damaged_end_is_restored_with_all_that_is_whole(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        one.fill(100)
        one.names.jump()
    with (tmp_path / "one" / "data" / "default" / "d0").open("ab") as file:
        file.write(b"no record" * 100)
    (tmp_path / "one" / "index" / "default" / "i0").unlink()
    with Machine(tmp_path / "one", store) as one:
        one.settle()
        before = one.contents()
        assert len(before["default"]) == 100
    restore(store, tmp_path / "two")
    for _ in range(2):
        with Machine(tmp_path / "two", store) as two:
            assert two.contents() == before
            two.protection.barrier(LIMIT)


def test_damage_in_the_store_is_told_and_no_wrong_byte_comes(tmp_path):
    store = MemoryStore()
    with Machine(tmp_path / "one", store) as one:
        one.fill(20, size=20_000)
        one.protection.barrier(LIMIT)
    piece = next(name for name, (_, data) in store.objects.items() if len(data) > 300_000)
    generation, data = store.objects[piece]
    store.objects[piece] = generation, data[:1000] + b"\0" + data[1001:]
    with pytest.raises(ProtectionError, match="not what was stored"):
        restore(store, tmp_path / "two")
    del store.objects[piece]
    with pytest.raises(StoreMissingError):
        restore(store, tmp_path / "two")

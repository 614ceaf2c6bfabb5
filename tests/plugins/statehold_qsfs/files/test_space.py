from __future__ import annotations

import os
import random
import time

import pytest
from qsfs_stores_of_files import Store, dump, read, write

from statehold_qsfs.files import BLOCK, FileSystem

MIB = 2**20


def data_bytes(store: Store) -> int:
    assert store.engine is not None
    return sum(store.engine[name].figures().data_bytes for name in ("qsfs-data", "qsfs-meta"))


@pytest.mark.parametrize("synced", [False, True])
def test_random_small_rewrites_write_at_most_four_times_what_they_have(store: Store, synced: bool) -> None:
    files = store.open()
    size, count = 4 * MIB, 200 if synced else 1000
    handle = files.create("/file", os.O_RDWR, 0o600)
    for offset in range(0, size, MIB):
        files.write(handle, bytes(MIB), offset)
    files.fsync(handle)
    before = data_bytes(store)
    chance = random.Random(1)
    expected = bytearray(size)
    for _ in range(count):
        offset, data = chance.randrange(size // 4096) * 4096, chance.randbytes(4096)
        files.write(handle, data, offset)
        expected[offset : offset + 4096] = data
        if synced:
            files.fsync(handle)
    files.fsync(handle)
    assert (data_bytes(store) - before) / (count * 4096) < 4
    assert files.read(handle, size, 0) == expected
    files = store.reopen()
    assert read(files, "/file") == expected
    assert not files.check(deep=True).problems


def test_a_log_that_is_synced_line_by_line_costs_a_small_multiple_of_its_lines(store: Store) -> None:
    files = store.open()
    handle = files.create("/log", os.O_RDWR, 0o600)
    files.write(handle, bytes(10_000), 0)
    files.fsync(handle)
    assert store.engine is not None
    before = store.engine["qsfs-data"].figures().data_bytes
    size = 10_000
    for _ in range(200):
        files.write(handle, b"x" * 300, size)
        size += 300
        files.fsync(handle)
    written = store.engine["qsfs-data"].figures().data_bytes - before
    assert written < 10 * 200 * 300
    assert files.read(handle, size, 0) == bytes(10_000) + b"x" * 200 * 300
    assert not files.check(deep=True).problems


def test_the_space_of_what_was_deleted_comes_back(store: Store, files: FileSystem) -> None:
    for i in range(8):
        write(files, f"/{i}", random.Random(i).randbytes(2 * MIB))
    files.sync()
    full = data_bytes(store)
    assert full > 16 * MIB
    for i in range(0, 8, 2):
        files.unlink(f"/{i}")
    assert files.compact() > 7 * MIB
    assert data_bytes(store) < full - 7 * MIB
    for i in range(1, 8, 2):
        assert read(files, f"/{i}") == random.Random(i).randbytes(2 * MIB)
        files.truncate(f"/{i}", 0)
    files.compact()
    assert data_bytes(store) < MIB
    assert files.statistics().used == 0


def test_the_space_of_what_was_overwritten_comes_back(store: Store, files: FileSystem) -> None:
    handle = files.create("/file", os.O_RDWR, 0o600)
    for i in range(20):
        files.write(handle, bytes([i]) * MIB, 0)
        files.fsync(handle)
    files.compact()
    assert data_bytes(store) < 2 * MIB
    assert files.read(handle, MIB, 0) == bytes([19]) * MIB


def test_blocks_that_were_written_and_never_committed_are_deleted_at_the_next_start(store: Store) -> None:
    files = store.open(dirty_limit=MIB)
    write(files, "/kept", b"k" * BLOCK)
    files.sync()
    write(files, "/lost", b"l" * 10 * MIB)
    assert store.engine is not None
    end = time.monotonic() + 60
    while len(store.engine["qsfs-data"]) <= 40:  # brought there in the background
        assert time.monotonic() < end
        time.sleep(0.005)
    files = store.crash()
    assert [path for path in dump(files) if path != "/"] == ["/kept"]
    report = files.check(deep=True)
    assert (report.blocks, report.unused_blocks, report.problems) == (1, 0, [])


def test_blocks_that_were_to_be_deleted_at_a_crash_are_deleted_at_the_next_start(store: Store) -> None:
    files = store.open()
    for i in range(5):
        write(files, f"/{i}", b"x" * 3 * BLOCK)
    files.sync()
    commits = files._parts.commits
    commits._end.set()  # nobody deletes any more
    commits._wake.set()
    commits._thread.join()
    for i in range(5):
        files.unlink(f"/{i}")
    files.sync()
    assert len(commits.deletable) == 15
    files = store.crash()
    report = files.check(deep=True)
    assert (report.blocks, report.unused_blocks, report.problems) == (0, 0, [])


def test_any_number_of_blocks_is_deleted_after_a_crash(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("statehold_qsfs.files._commit._RUNS", 4)  # so that a few are too much for one record
    files = store.open()
    handle = files.create("/a", os.O_RDWR, 0o600)
    for i in range(100):
        files.write(handle, b"x" * 5000, i * BLOCK)
    files.sync()
    commits = files._parts.commits
    commits._end.set()  # nobody deletes any more
    commits._wake.set()
    commits._thread.join()
    for i in range(0, 100, 2):
        files.allocate(handle, 3, i * BLOCK, BLOCK)
    files.sync()
    assert len(commits.deletable) == 50
    files = store.crash()
    report = files.check(deep=True)
    assert (report.blocks, report.unused_blocks, report.problems) == (50, 0, [])
    files.compact()
    files.mkdir("/d", 0o755)
    files.sync()
    assert store.engine is not None
    assert len(store.engine["qsfs-data"]) == 50
    assert not any(key[:1] == b"F" for key in store.engine["qsfs-meta"].keys())  # noqa: SIM118


def test_much_is_deleted_while_others_write(store: Store, files: FileSystem) -> None:
    handle = files.create("/large", os.O_RDWR, 0o600)
    for i in range(3000):
        files.write(handle, b"x" * 5000, i * BLOCK)
    files.sync()
    files.unlink("/large")
    files.release(handle)
    write(files, "/new", b"n" * BLOCK)
    files.sync()
    files = store.reopen()
    report = files.check(deep=True)
    assert (report.blocks, report.unused_blocks, report.problems) == (1, 0, [])

from __future__ import annotations

import errno
import os
import random
import shutil
import threading
import time
from pathlib import Path

import pytest
from qsfs_disks import PowerLoss, Refusing
from qsfs_stores_of_files import SEGMENT, Store, dump, read, write

from statehold_qsfs.files import BLOCK, FileSystem, FileSystemOptions, QsfsError

LONG = 60.0


def wait_for(condition: object) -> None:
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end, "waited for too long"
        time.sleep(0.005)


def test_what_was_synced_survives_a_crash_and_what_came_later_does_not(store: Store) -> None:
    files = store.open()
    write(files, "/a", b"a" * 10_000)
    files.sync()
    before = dump(files)
    write(files, "/a", b"b" * 10_000)
    write(files, "/b", b"b")
    files = store.crash()
    assert dump(files) == before


def test_fsync_makes_a_file_durable_with_its_name(store: Store) -> None:
    files = store.open()
    files.mkdir("/d", 0o755)
    handle = files.create("/d/file", os.O_RDWR, 0o600)
    files.write(handle, b"x" * 3 * 2**20, 0)
    files.fsync(handle)
    assert read(store.crash(), "/d/file") == b"x" * 3 * 2**20


def test_fsync_of_a_directory_makes_its_names_durable(store: Store) -> None:
    files = store.open()
    write(files, "/a", b"")
    folder = files.opendir("/")
    files.fsync(folder)
    files.rename("/a", "/b")
    files.fsync(folder)
    assert [entry.name for entry in store.crash().list("/")] == ["b"]


def test_a_file_that_is_replaced_is_the_old_one_or_the_new_one(store: Store) -> None:
    files = store.open()
    write(files, "/config", b"old" * 50_000)
    files.sync()
    write(files, "/config.new", b"new" * 60_000)
    handle = files.open("/config.new", os.O_RDWR)
    files.fsync(handle)
    files.rename("/config.new", "/config")
    files = store.crash()
    assert read(files, "/config") == b"old" * 50_000
    files.rename("/config.new", "/config")
    files.sync()
    assert read(store.crash(), "/config") == b"new" * 60_000


def test_changes_become_durable_by_themselves_within_seconds(store: Store) -> None:
    files = store.open(flush_every=0.05)
    for i in range(200):
        write(files, f"/{i}", b"here")
    wait_for(lambda: files.statistics().commits and not files.statistics().dirty_seconds)
    files = store.crash()
    assert len(files.list("/")) == 200
    assert read(files, "/199") == b"here"


def test_by_default_a_crash_takes_at_most_ten_seconds() -> None:
    assert FileSystemOptions().flush_every <= 5  # as the test above, with time to write


def test_fsync_of_what_is_durable_already_does_nothing(store: Store) -> None:
    files = store.open()
    write(files, "/a", b"a")
    handle = files.open("/a", os.O_RDWR)
    files.fsync(handle)
    write(files, "/b", b"b")
    before = files.statistics().commits
    files.fsync(handle)
    assert files.statistics().commits == before
    files.sync()
    files.sync()
    assert files.statistics().commits == before + 1


class Counting:
    """A lock that counts who came."""

    def __init__(self) -> None:
        self.came = 0
        self.counting, self.lock = threading.Lock(), threading.Lock()

    def __enter__(self) -> None:
        with self.counting:
            self.came += 1
        self.lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.lock.release()


def test_one_commit_does_for_all_who_wait(tmp_path: Path) -> None:
    disk = PowerLoss()
    store = Store(tmp_path / "store", disk=disk)
    files = store.open()
    handles = [files.create(f"/{i}", os.O_RDWR, 0o600) for i in range(8)]
    files._parts.commits._committing = waiting = Counting()
    disk.entered, disk.go = threading.Event(), threading.Event()
    threads = [threading.Thread(target=files.fsync, args=(handle,)) for handle in handles]
    threads[0].start()
    assert disk.entered.wait(LONG)  # the first commit has begun; what comes now waits for the next one
    for handle in handles:
        files.write(handle, b"x", 0)
    for thread in threads[1:]:
        thread.start()
    wait_for(lambda: waiting.came == len(threads))
    disk.go.set()
    for thread in threads:
        thread.join(LONG)
    assert not any(thread.is_alive() for thread in threads)
    assert files.statistics().commits <= 2
    assert all(read(files, f"/{i}") == b"x" for i in range(8))
    store.close()


def test_a_barrier_is_waited_for_by_who_syncs_and_by_nobody_else(store: Store) -> None:
    passed: list[int] = []
    fail = [False]

    def barrier() -> None:
        if fail[0]:
            raise OSError(errno.EIO, "no quorum")
        passed.append(1)

    files = store.open(barrier=barrier)
    write(files, "/a", b"a")
    assert passed == []
    files.sync()
    assert passed == [1]
    files.sync()
    assert passed == [1]
    write(files, "/a", b"b")
    fail[0] = True
    with pytest.raises(OSError, match="no quorum"):
        files.sync()
    fail[0] = False
    files.sync()  # what did not pass then has to pass now
    assert passed == [1, 1]


def test_a_barrier_is_waited_for_also_by_who_syncs_what_was_written_before_the_start(store: Store) -> None:
    """It is on this disk since then, which says nothing of what the barrier stands for."""
    files = store.open()
    write(files, "/a", b"a")
    files.sync()
    passed: list[int] = []
    files = store.reopen(barrier=lambda: passed.append(1))
    handle = files.open("/a", os.O_RDWR)
    files.fsync(handle)
    assert passed == [1]
    files.fsync(handle)
    assert passed == [1]


def test_who_waits_at_a_barrier_keeps_nobody_from_what_is_durable_here(store: Store) -> None:
    entered, go = threading.Semaphore(0), threading.Event()

    def barrier() -> None:
        entered.release()
        assert go.wait(LONG)

    files = store.open(barrier=barrier, flush_every=0.05)
    handles = [files.create(f"/{i}", os.O_RDWR, 0o600) for i in range(2)]
    threads = [threading.Thread(target=files.fsync, args=(handle,)) for handle in handles]
    try:
        threads[0].start()
        assert entered.acquire(timeout=LONG)
        write(files, "/0", b"later")
        wait_for(lambda: not files.statistics().dirty_seconds)
        write(files, "/1", b"further")
        threads[1].start()
        assert entered.acquire(timeout=LONG)  # its own time begins now, and not after that of the first
    finally:
        go.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join(LONG)


@pytest.mark.parametrize("seed", range(2))
def test_a_loss_of_power_leaves_no_metadata_without_their_data(tmp_path: Path, seed: int) -> None:
    lose_power(tmp_path, seed, rounds=3)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10, 30))
def test_many_losses_of_power_leave_no_metadata_without_their_data(tmp_path: Path, seed: int) -> None:
    lose_power(tmp_path, seed, rounds=40)


def lose_power(tmp_path: Path, seed: int, rounds: int) -> None:
    """Write while commits go on; lose what is not synced of the data, or of both."""
    disk = PowerLoss()
    chance = random.Random(seed)
    store = Store(tmp_path / "store", disk=disk, segment=SEGMENT)
    files = store.open(flush_every=0.02, dirty_limit=2**20)
    synced: dict[str, bytes] = {}
    for i in range(rounds):
        for _ in range(20):
            name = f"/{chance.randrange(8)}"
            data = chance.randbytes(chance.choice([10, 5000, BLOCK, 2 * BLOCK + 1]))
            if chance.random() < 0.2 and name in synced:
                del synced[name]
                files.unlink(name)
                continue
            handle = files.create("/new", os.O_RDWR, 0o600)
            files.write(handle, data, 0)
            files.fsync(handle)
            files.release(handle)
            files.rename("/new", name)
            files.sync()
            synced[name] = data
        write(files, "/rest", chance.randbytes(100_000))
        copy = tmp_path / f"copy{i}"
        disk.lose(tmp_path / "store", copy, keep=chance.choice(["meta", ""]))
        after = Store(copy)
        found = after.open()
        report = found.check(deep=True)
        assert report.sound, report
        for name, data in synced.items():
            assert read(found, name) == data
        after.close()
    store.close()


def test_what_the_disk_refuses_is_told_and_stays_in_memory(tmp_path: Path) -> None:
    disk = Refusing()
    store = Store(tmp_path / "store", disk=disk)
    files = store.open()
    write(files, "/small", b"small")
    write(files, "/large", b"l" * 3 * BLOCK)
    for refused in ("qsfs-data", "qsfs-meta"):
        disk.writes = refused
        with pytest.raises(OSError, check=lambda error: error.errno == errno.ENOSPC):
            files.sync()
        assert "No space" in files.statistics().failed
        assert read(files, "/large") == b"l" * 3 * BLOCK
        assert read(files, "/small") == b"small"
        write(files, "/large", b"m" * 10, BLOCK)
        files.rename("/small", "/smaller")
        disk.writes = ""
        files.sync()
        assert files.statistics().failed == ""
        files.rename("/smaller", "/small")
        write(files, "/large", b"l" * 10, BLOCK)
        disk.writes = ""
    files.sync()
    before = dump(files)
    files = store.crash()
    assert dump(files) == before
    report = files.check(deep=True)
    assert (report.problems, report.unused_blocks) == ([], 0)
    store.close()


def test_blocks_that_the_engine_could_not_write_for_somebody_else_stay_in_memory(tmp_path: Path) -> None:
    disk = Refusing()
    store = Store(tmp_path / "store", disk=disk)
    files = store.open()
    write(files, "/a", b"a" * BLOCK)
    write(files, "/b", b"b" * BLOCK)
    parts, engine = files._parts, store.engine
    assert engine is not None
    nodes = list(parts.volume.buffered.values())

    def between() -> object:
        yield nodes[0], nodes[0].buffers
        disk.writes = "qsfs-data"
        engine["qsfs-data"].sync()  # as the engine does from time to time: it is not told what was refused
        disk.writes = ""
        yield nodes[1], nodes[1].buffers

    with parts.lock, pytest.raises(OSError, match="space"):
        parts.commits.flushing._flush(between())
    assert read(files, "/a") == b"a" * BLOCK
    files.sync()
    report = files.check(deep=True)
    assert (report.problems, report.blocks) == ([], 2)
    assert read(store.crash(), "/b") == b"b" * BLOCK
    store.close()


@pytest.mark.parametrize("namespace", ["qsfs-data", "qsfs-meta"])
def test_after_a_sync_that_failed_nobody_is_told_that_anything_is_durable(
    tmp_path: Path, namespace: str
) -> None:
    disk = Refusing()
    store = Store(tmp_path / "store", disk=disk)
    files = store.open()
    write(files, "/a", b"a" * BLOCK)
    files.sync()
    write(files, "/a", b"b" * BLOCK)
    disk.syncs = namespace
    for _ in range(2):
        with pytest.raises(OSError, check=lambda error: error.errno == errno.EIO):
            files.sync()
        disk.syncs = ""  # what the kernel has dropped no second sync brings back
    assert read(files, "/a") == b"b" * BLOCK
    assert store.engine is not None
    store.engine.reload(namespace)
    files.sync()
    assert read(store.crash(), "/a") == b"b" * BLOCK
    store.close()


def test_a_full_disk_is_told_to_who_writes(store: Store, files: FileSystem) -> None:
    files._parts.volume.room = BLOCK
    handle = files.create("/a", os.O_RDWR, 0o600)
    files.write(handle, b"x" * BLOCK, 0)
    with pytest.raises(OSError, check=lambda error: error.errno == errno.ENOSPC):
        files.write(handle, b"x" * BLOCK, BLOCK)
    files.truncate("/a", 0)  # and room can always be made


def is_refused(folder: Path, copy: Path) -> bool:
    """Whether it cannot be opened to read only, since a commit is to be finished first."""
    shutil.copytree(folder, copy)
    store = Store(copy, segment=SEGMENT)
    try:
        store.open(read_only=True)
    except QsfsError as error:
        return "middle of a large commit" in error.message
    finally:
        store.close()
    return False


def test_a_commit_of_any_size_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    disk = Refusing()
    store = Store(tmp_path / "store", disk=disk, segment=SEGMENT)
    files = store.open(dirty_limit=2**30)
    write(files, "/before", b"")
    files.sync()
    before = dump(files)
    files._parts.volume._most_changes = files._parts.volume._most_bytes = 1 << 40  # nobody commits but us
    for i in range(400):
        write(files, f"/{i}", bytes([i % 256]) * 4000)
    written: list[int] = []
    original = disk.write

    def write_some(fd: int, parts: object, size: int, at: int) -> None:
        if "qsfs-meta" in disk.path(fd):
            written.append(size)
            if len(written) > stop:
                raise OSError(errno.ENOSPC, "no space")
        original(fd, parts, size, at)

    disk.write = write_some  # type: ignore[method-assign]
    unfinished = 0
    for stop in range(1, 100):
        written.clear()
        try:
            files.sync()
        except OSError:
            pass  # the disk is full at one write after the other
        else:
            break
        copy = tmp_path / f"copy{stop}"
        shutil.copytree(tmp_path / "store", copy)
        after = Store(copy, segment=SEGMENT)
        found = after.open()
        assert not found.check(deep=True).problems
        if len(found.list("/")) == 1:
            assert dump(found) == before
        else:
            assert len(found.list("/")) == 401
        after.close()
        unfinished += is_refused(tmp_path / "store", tmp_path / f"other{stop}")
    assert unfinished
    assert stop > 5  # a commit of so much is many writes
    assert len(store.crash().list("/")) == 401
    store.close()

"""When a write counts as done, and what happens when the disk refuses it."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from zdb_engines import SEGMENT, FailingDisk, contents, opened

from statehold_zdb.engine import Durability, Engine, EngineOptions, Namespace, ZdbError, ZdbWriteError

LIMIT = 60


@pytest.mark.parametrize("partly", [0, 1, 70, 1000])
@pytest.mark.parametrize("durability", ["every", "group", "relaxed"])
def test_a_full_disk_refuses_a_write_and_nothing_has_happened(
    tmp_path: Path, durability: str, partly: int
) -> None:
    """Whatever part of it was written; reads go on, and so do writes when there is room again."""
    disk = FailingDisk()
    disk.partly = partly
    with opened(tmp_path, durability=Durability.parse(durability), disk=disk) as engine:
        namespace = engine["default"]
        namespace.set(b"a", b"1")
        namespace.set(b"b", b"2")
        disk.write_error = errno.ENOSPC
        for key, payload in ((b"a", b"other"), (b"new", b"x" * 2000)):
            with pytest.raises(ZdbWriteError, match="No space left on device"):
                namespace.set(key, payload)
        with pytest.raises(ZdbWriteError):
            namespace.delete(b"b")
        with pytest.raises(ZdbWriteError):
            namespace.write([(b"a", b"z"), (b"b", None)])
        assert contents(namespace) == {b"a": b"1", b"b": b"2"}
        assert namespace.figures().live_bytes == 2
        disk.write_error = None
        assert namespace.set(b"a", b"other") == b"a"
        assert namespace.delete(b"b")
    with opened(tmp_path) as engine:
        assert contents(engine["default"]) == {b"a": b"other"}


@pytest.mark.parametrize("durability", ["every", "group"])
def test_after_a_sync_that_failed_nothing_is_written_until_a_reload(tmp_path: Path, durability: str) -> None:
    """No later sync can make up for it, so none pretends to."""
    disk = FailingDisk()
    with opened(tmp_path, durability=Durability.parse(durability), disk=disk) as engine:
        namespace = engine["default"]
        namespace.set(b"a", b"1")
        disk.sync_error = errno.EIO
        with pytest.raises(ZdbWriteError, match="a sync failed"):
            namespace.set(b"b", b"2")
        disk.sync_error = None
        for _ in range(2):
            with pytest.raises(ZdbWriteError, match="nothing is written any more"):
                namespace.set(b"c", b"3")
            with pytest.raises(ZdbWriteError):
                namespace.sync()
        assert namespace.get(b"a") == b"1"
        assert "a sync failed" in namespace.figures().broken
        assert namespace.failed
        engine.reload("default")
        assert namespace.set(b"c", b"3") == b"c"
        assert namespace.get(b"a") == b"1"


def test_what_a_failed_sync_was_about_is_written_again_at_the_reload(tmp_path: Path) -> None:
    """The kernel takes it for written: who writes the same again would be told that it survives."""
    disk = FailingDisk()
    with opened(tmp_path, durability=Durability.parse("every"), disk=disk, segment_size=SEGMENT) as engine:
        namespace = engine["default"]
        namespace.set(b"a", b"1")
        disk.sync_error = errno.EIO
        with pytest.raises(ZdbWriteError):
            namespace.set(b"b", b"2" * 1000)
        disk.sync_error = None
        again: list[tuple[str, bytes]] = []
        write = disk.write

        def watched(fd: int, parts: Sequence[bytes | memoryview], size: int, at: int) -> None:
            again.append((Path(f"/proc/self/fd/{fd}").readlink().name, b"".join(parts)))
            write(fd, parts, size, at)

        disk.write = watched  # type: ignore[method-assign]
        engine.reload("default")
        assert any(name == "d0" and b"2" * 1000 in data for name, data in again)
        assert namespace.set(b"b", b"2" * 1000) is None
        assert namespace.get(b"a") == b"1"


@pytest.mark.parametrize("durability", ["every", "relaxed:3600"])
@pytest.mark.parametrize("full", [False, True])
def test_a_write_during_which_the_durability_becomes_another_one_is_written(
    tmp_path: Path, durability: str, full: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or refused, but not forgotten."""
    disk = FailingDisk()
    with opened(tmp_path, durability=Durability.parse("group"), disk=disk) as engine:
        namespace = engine.create("n")
        flush_alone = Namespace._flush_alone

        def changing(self: Namespace) -> None:
            flush_alone(self)
            engine.configure("n", durability=durability)
            disk.write_error = errno.ENOSPC if full else None

        monkeypatch.setattr(Namespace, "_flush_alone", changing)
        if full:
            with pytest.raises(ZdbWriteError):
                namespace.set(b"k", b"v")
        else:
            assert namespace.set(b"k", b"v") == b"k"
        assert not namespace.staged
        disk.write_error = None


def test_a_frozen_namespace_is_kept_without_its_segments_being_closed(tmp_path: Path) -> None:
    """Nor does that fail once a second."""
    with opened(tmp_path, durability=Durability.parse("relaxed"), rotate=0.001) as engine:
        namespace = engine.create("n")
        engine.configure("n", freeze=True)
        namespace.keep()
        engine.configure("n", freeze=False)
        namespace.set(b"a", b"1")
        engine.configure("n", freeze=True)
        namespace.keep()


def test_a_relaxed_namespace_tells_of_a_sync_that_failed_at_the_next_write(tmp_path: Path) -> None:
    """The write that it was about had been acknowledged; that is what relaxed means."""
    disk = FailingDisk()
    with opened(tmp_path, durability=Durability.parse("relaxed:3600"), disk=disk) as engine:
        namespace = engine["default"]
        namespace.set(b"a", b"1")
        assert namespace.unsynced[0] == 1
        disk.sync_error = errno.EIO
        with pytest.raises(ZdbWriteError):
            namespace.sync()
        with pytest.raises(ZdbWriteError, match="nothing is written any more"):
            namespace.set(b"b", b"2")
        disk.sync_error = None
        engine.reload("default")


def test_every_write_has_a_sync_of_its_own(tmp_path: Path) -> None:
    """Also those of one moment."""
    disk = FailingDisk()
    with opened(tmp_path, durability=Durability.parse("every"), disk=disk) as engine:
        before = disk.syncs
        for i in range(10):
            engine["default"].set(b"k%d" % i, b"v")
        assert disk.syncs - before >= 10
        assert engine["default"].unsynced == (0, 0.0)


def test_a_group_shares_a_sync(tmp_path: Path) -> None:
    """While one sync runs all others gather; the next one is for all of them."""
    disk = FailingDisk()
    with opened(tmp_path, durability=Durability.parse("group"), disk=disk) as engine:
        namespace = engine["default"]
        namespace.set(b"first", b"v")
        disk.slow = threading.Event()
        before = disk.syncs
        threads = [threading.Thread(target=namespace.set, args=(b"k%d" % i, b"v")) for i in range(40)]
        for thread in threads:
            thread.start()
        arrived = threading.Event()
        for _ in range(LIMIT * 100):
            if len(namespace) == 41:
                arrived.set()
                break
            threading.Event().wait(0.01)
        assert arrived.is_set()
        disk.slow.set()
        for thread in threads:
            thread.join(LIMIT)
        assert disk.syncs - before <= 5
        assert namespace.unsynced == (0, 0.0)
        disk.slow = None


INTERRUPTED = """
import os, signal, sys, threading, time
from pathlib import Path
from statehold_zdb.engine import Disk, Engine, EngineOptions

class Slow(Disk):
    go = threading.Event()
    go.set()
    def sync(self, fd):
        self.go.wait()

disk = Slow()
folder = Path(sys.argv[1])
with Engine(folder / "data", folder / "index", options=EngineOptions(disk=disk)) as engine:
    namespace = engine["default"]
    waiting = lambda: len(namespace._syncing._waiting)
    for turn in range(3):
        disk.go.clear()
        keys = [b"%d-%d" % (turn, i) for i in range(6)]
        threads = [threading.Thread(target=namespace.set, args=(key, b"v")) for key in keys]
        for thread in threads[:3]:
            thread.start()
        def interrupt():
            while waiting() < 3:
                time.sleep(0.01)
            for thread in threads[3:]:
                thread.start()
            while waiting() < 6:
                time.sleep(0.01)
            if turn == 1:
                disk.go.set()
            os.kill(os.getpid(), signal.SIGINT)
        interrupting = threading.Thread(target=interrupt)
        while waiting() < 2:
            time.sleep(0.01)
        interrupting.start()
        try:
            namespace.set(b"main", b"%d" % turn)
            interrupting.join()
        except KeyboardInterrupt:
            print("interrupted")
        disk.go.set()
        for thread in [*threads, interrupting]:
            thread.join()
print("ended")
"""


def test_who_is_interrupted_while_waiting_for_a_sync_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Neither those who wait for the same sync, nor those of the next."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=LIMIT * 2,
        check=False,
    )
    assert done.stdout.endswith("ended\n"), done.stderr
    assert "interrupted" in done.stdout


def test_a_group_that_cannot_be_written_fails_for_all_who_wait(tmp_path: Path) -> None:
    """Each of them hears of it, and none of their keys is there."""
    disk = FailingDisk()
    with opened(tmp_path, durability=Durability.parse("group"), disk=disk) as engine:
        namespace = engine["default"]
        namespace.set(b"first", b"v")
        disk.write_error = errno.ENOSPC
        failed: list[bytes] = []

        def write(key: bytes) -> None:
            try:
                namespace.set(key, b"v")
            except ZdbWriteError:
                failed.append(key)

        threads = [threading.Thread(target=write, args=(b"k%d" % i,)) for i in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT)
        assert len(failed) == 16
        assert contents(namespace) == {b"first": b"v"}
        disk.write_error = None
        assert namespace.set(b"k1", b"v") == b"k1"


def test_a_relaxed_namespace_syncs_by_itself(tmp_path: Path) -> None:
    """Within its interval, whether or not anybody writes."""
    with opened(tmp_path, durability=Durability.parse("relaxed:0.05")) as engine:
        namespace = engine["default"]
        namespace.set(b"a", b"1")
        for _ in range(LIMIT * 100):
            if namespace.unsynced == (0, 0.0):
                break
            threading.Event().wait(0.01)
        assert namespace.unsynced == (0, 0.0)


@pytest.mark.parametrize("durability", ["every", "group"])
def test_what_an_engine_that_was_killed_has_not_synced_is_synced_before_it_counts(
    tmp_path: Path, durability: str
) -> None:
    """Each segment of it: who writes the same again is told that it survives."""
    synced: list[str] = []
    with opened(tmp_path / "a", durability=Durability.parse("relaxed:3600"), segment_size=SEGMENT) as engine:
        for i in range(3):
            engine["default"].set(b"k%d" % i, bytes(SEGMENT // 2))
        folder = shutil.copytree(tmp_path / "a", tmp_path / "b")
    disk = FailingDisk()
    disk.during = lambda path: synced.append(Path(path).name)
    with opened(folder, durability=Durability.parse(durability), disk=disk) as engine:
        assert synced == ["d0", "d1", "d2"]
        assert engine["default"].set(b"k2", bytes(SEGMENT // 2)) is None
        assert engine["default"].unsynced == (0, 0.0)


def test_what_cannot_be_synced_at_a_start_is_not_taken_for_what_survives(tmp_path: Path) -> None:
    """The start says so; to be read it can be opened."""
    with opened(tmp_path / "a", durability=Durability.parse("relaxed:3600")) as engine:
        engine["default"].set(b"k", b"v")
        folder = shutil.copytree(tmp_path / "a", tmp_path / "b")
    disk = FailingDisk()
    disk.sync_error = errno.EIO
    with pytest.raises(ZdbWriteError, match="cannot sync"):
        opened(folder, disk=disk)
    with opened(folder, disk=disk, read_only=True) as engine:
        assert contents(engine["default"]) == {b"k": b"v"}


@pytest.mark.parametrize("text", ["", "never", "relaxed:x", "relaxed:0", "group:", "relaxed:1e9"])
def test_a_durability_that_is_none_is_refused(text: str) -> None:
    """With what it can be."""
    if text == "group:":
        assert str(Durability.parse(text)) == "group"
        return
    with pytest.raises(ZdbError, match="expected"):
        Durability.parse(text)


def test_an_index_that_cannot_be_written_costs_a_longer_start_and_no_key(tmp_path: Path) -> None:
    """The data are what counts."""
    disk = FailingDisk()
    engine = opened(tmp_path, durability=Durability.parse("relaxed"), disk=disk)
    namespace = engine["default"]
    for i in range(100):
        namespace.set(b"k%d" % i, b"v")
    namespace.sync()
    disk.write_error = errno.ENOSPC
    namespace.write_index(all_synced=True)
    assert namespace.write_errors == 1
    disk.write_error = None
    namespace.abandon("it was killed")
    engine.close()
    with opened(tmp_path) as engine:
        assert len(engine["default"]) == 100


def test_an_engine_that_only_reads_writes_nothing(tmp_path: Path) -> None:
    """Not a byte, not a lock, not a cut; several may read at once."""
    with opened(tmp_path, durability=Durability.parse("relaxed"), segment_size=SEGMENT) as engine:
        namespace = engine["default"]
        for i in range(50):
            namespace.set(b"k%d" % i, b"v" * i)
        namespace.jump()
        namespace.set(b"last", b"v")
        namespace.abandon("it was killed")
    last = tmp_path / "data" / "default" / "d1"
    with last.open("ab") as file:
        file.write(b"torn")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for path in tmp_path.rglob("*"):
        path.chmod(0o500 if path.is_dir() else 0o400)
    options = EngineOptions(read_only=True)
    try:
        with (
            Engine(tmp_path / "data", tmp_path / "index", options=options) as one,
            Engine(tmp_path / "data", tmp_path / "index", options=options) as two,
        ):
            for engine in (one, two):
                namespace = engine["default"]
                assert contents(namespace) == {**{b"k%d" % i: b"v" * i for i in range(50)}, b"last": b"v"}
                for refused in (
                    lambda: namespace.set(b"a", b"1"),  # noqa: B023
                    lambda: namespace.delete(b"k1"),  # noqa: B023
                    lambda: engine.create("x"),  # noqa: B023
                    namespace.compact,
                ):
                    with pytest.raises(ZdbError, match="opened to read only"):
                        refused()
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    finally:
        for path in [tmp_path, *tmp_path.rglob("*")]:
            path.chmod(0o700)

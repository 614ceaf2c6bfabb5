"""Hooks in process, segments that are elsewhere, and compaction, while reads and writes go on."""

from __future__ import annotations

import errno
import random
import shutil
import threading
from pathlib import Path

import pytest
from zdb_engines import SEGMENT, FailingDisk, contents, data_file, index_file, opened, scanned

from statehold_zdb.engine import (
    Durability,
    Namespace,
    ZdbError,
    ZdbMissingError,
    ZdbNameError,
    ZdbWriteError,
    hookimpl,
)
from statehold_zdb.engine._compaction import Compaction

RELAXED = Durability.parse("relaxed")
LIMIT = 60


class Listener:
    """Hears of everything, and brings segments back from a store."""

    def __init__(self, store: Path | None = None) -> None:
        self.heard: list[tuple[object, ...]] = []
        self.store = store
        self.hold: threading.Event | None = None
        self.asked = threading.Event()
        self.copied = threading.Event()

    @hookimpl
    def zdb_namespaces_init(self, index, data):
        self.heard.append(("init",))

    @hookimpl
    def zdb_ready(self):
        self.heard.append(("ready",))

    @hookimpl
    def zdb_jump_index(self, namespace, old, new, dirty):
        self.heard.append(("jump-index", namespace, Path(old).name, Path(new).name, list(dirty)))
        return True

    @hookimpl
    def zdb_jump_data(self, namespace, old, new):
        self.heard.append(("jump-data", namespace, Path(old).name, Path(new).name))
        if self.store is not None:
            shutil.copy(old, self.store)
            self.copied.set()

    @hookimpl
    def zdb_missing_data(self, namespace, path):
        self.heard.append(("missing", namespace, Path(path).name))
        self.asked.set()
        if self.hold is not None:
            assert self.hold.wait(LIMIT)
        if self.store is None or not (self.store / Path(path).name).exists():
            return False
        Path(shutil.copy(self.store / Path(path).name, f"{path}.part")).rename(path)
        return True

    @hookimpl
    def zdb_namespace_created(self, namespace):
        self.heard.append(("created", namespace))

    @hookimpl
    def zdb_namespace_updated(self, namespace):
        self.heard.append(("updated", namespace))

    @hookimpl
    def zdb_namespace_deleted(self, namespace):
        self.heard.append(("deleted", namespace))

    @hookimpl
    def zdb_namespace_reloaded(self, namespace):
        self.heard.append(("reloaded", namespace))

    @hookimpl
    def zdb_close(self):
        self.heard.append(("close",))

    @hookimpl
    def zdb_namespace_closing(self, namespace, index, data, dirty):
        self.heard.append(("closing", namespace, Path(index).name, Path(data).name))


def test_every_event_is_told_in_its_order(tmp_path: Path) -> None:
    """From the start to the end, each once."""
    listener = Listener()
    with opened(tmp_path, listener, durability=RELAXED) as engine:
        engine.create("n")
        engine.configure("n", maxsize=1000)
        engine["n"].set(b"a", b"1")
        engine["n"].jump()
        engine.reload("n")
        engine.delete("n")
    assert listener.heard == [
        ("init",),
        ("ready",),
        ("created", "n"),
        ("updated", "n"),
        ("jump-index", "n", "i0", "i1", []),
        ("jump-data", "n", "d0", "d1"),
        ("reloaded", "n"),
        ("deleted", "n"),
        ("close",),
        ("closing", "default", "i0", "d0"),
    ]


def test_a_start_is_given_up_by_a_hook_that_says_so(tmp_path: Path) -> None:
    """And leaves nothing held."""

    class Unready:
        @hookimpl
        def zdb_ready(self):
            raise ZdbError("not yet")

    with pytest.raises(ZdbError, match="not yet"):
        opened(tmp_path, Unready())
    with opened(tmp_path):
        pass


def test_a_segment_is_closed_and_told_when_it_is_full(tmp_path: Path) -> None:
    """Its data and index are whole by then: from their copies all that they have is read."""
    listener = Listener()
    with opened(tmp_path, listener, durability=RELAXED, segment_size=SEGMENT) as engine:
        for i in range(400):
            engine["default"].set(b"k%d" % i, b"v" * 4000)
        engine["default"].sync()
        engine["default"].write_index()
    jumps = [event for event in listener.heard if event[0] == "jump-data"]
    assert [event[2] for event in jumps] == [f"d{i}" for i in range(len(jumps))]
    assert len(jumps) >= 3
    for i in range(len(jumps)):
        assert data_file(tmp_path, i).stat().st_size <= SEGMENT


@pytest.mark.parametrize("killed", [False, True])
def test_a_segment_that_is_closed_after_a_restart_without_more_records_is_told(
    tmp_path: Path, killed: bool
) -> None:
    """Its index file says that it is whole: without its data it needs nobody who brings them at a start."""
    folder, listener = tmp_path / "a", Listener()
    with opened(folder) as engine:
        engine["default"].set(b"k", b"v")
        if killed:
            folder = shutil.copytree(folder, tmp_path / "b")
    with opened(folder, listener) as engine:
        engine["default"].jump()
    assert [event for event in listener.heard if event[0].startswith("jump")] == [
        ("jump-index", "default", "i0", "i1", []),
        ("jump-data", "default", "d0", "d1"),
    ]
    data_file(folder).unlink()
    later = Listener()
    with opened(folder, later) as engine:
        assert engine["default"].exists(b"k")
    assert not [event for event in later.heard if event[0] == "missing"]


def test_segments_of_which_a_crash_came_before_they_were_told_are_told_after_it(tmp_path: Path) -> None:
    """Once; and who has them elsewhere by then is not asked for them at the next start."""
    (tmp_path / "store").mkdir()
    with opened(tmp_path / "a", durability=Durability.parse("relaxed:3600"), segment_size=SEGMENT) as engine:
        for i in range(3):
            engine["default"].set(b"k%d" % i, bytes(SEGMENT // 2))
        folder = shutil.copytree(tmp_path / "a", tmp_path / "killed")
    for told in (["d0", "d1"], []):
        listener = Listener(tmp_path / "store")
        with opened(folder, listener, durability=RELAXED, segment_size=SEGMENT) as engine:
            engine["default"].write_index()
        assert [heard[2] for heard in listener.heard if heard[0] == "jump-data"] == told
        for segment in (0, 1):
            data_file(folder, segment).unlink(missing_ok=True)
    listener = Listener(tmp_path / "store")
    with opened(folder, listener, segment_size=SEGMENT) as engine:
        assert not [heard for heard in listener.heard if heard[0] == "missing"]
        assert len(contents(engine["default"])) == 3


def test_a_compaction_leaves_a_segment_alone_whose_index_is_damaged(tmp_path: Path) -> None:
    """What the index does not say any more is not lost; after a reload it is compacted."""
    with opened(tmp_path, durability=RELAXED) as engine:
        namespace = engine["default"]
        for first in (0, 1000):
            for i in range(first, first + 1000):
                namespace.set(b"k%d" % i, b"%d" % i)
            namespace.sync()
            namespace.write_index(all_synced=True)
        for i in range(500):
            namespace.delete(b"k%d" % i)
        namespace.jump()
        expected = contents(namespace)
        whole = bytearray(index_file(tmp_path).read_bytes())
        whole[len(whole) // 2] ^= 4
        index_file(tmp_path).write_bytes(whole)
        assert namespace.compact() == 0
        assert contents(namespace) == expected
        namespace.reload()
        assert namespace.compact() > 0
        assert contents(namespace) == expected
    with opened(tmp_path) as engine:
        assert contents(engine["default"]) == expected


def test_a_missing_segment_is_asked_for_and_only_its_readers_wait(tmp_path: Path) -> None:
    """However many wait, it is asked for once."""
    store = tmp_path / "store"
    store.mkdir()
    listener = Listener(store)
    with opened(tmp_path / "zdb", listener, durability=RELAXED) as engine:
        namespace = engine["default"]
        for i in range(10):
            namespace.set(b"k%d" % i, b"v%d" % i)
        namespace.jump()
        namespace.set(b"here", b"1")
        for _ in range(LIMIT * 100):
            if ("jump-data", "default", "d0", "d1") in listener.heard and listener.copied.is_set():
                break
            threading.Event().wait(0.01)
        assert namespace.evict(0)
        listener.hold = threading.Event()
        got: list[bytes | None] = []
        readers = [
            threading.Thread(target=lambda i=i: got.append(namespace.get(b"k%d" % i))) for i in range(5)
        ]
        for reader in readers:
            reader.start()
        assert listener.asked.wait(LIMIT)
        assert namespace.get(b"here") == b"1"
        assert namespace.set(b"k9", b"anew") == b"k9"
        assert namespace.get(b"k9") == b"anew"
        assert not got
        listener.hold.set()
        for reader in readers:
            reader.join(LIMIT)
        assert sorted(got) == [b"v%d" % i for i in range(5)]
        assert listener.heard.count(("missing", "default", "d0")) == 1


def test_a_missing_segment_that_does_not_come_is_an_error_within_the_limit(tmp_path: Path) -> None:
    """Whether the hook says no, fails, or takes too long."""
    listener = Listener()
    with opened(tmp_path, listener, durability=RELAXED, fetch_limit=0.05) as engine:
        namespace = engine["default"]
        namespace.set(b"k", b"v")
        namespace.jump()
        namespace.evict(0)
        with pytest.raises(ZdbMissingError):
            namespace.get(b"k")
        listener.hold = threading.Event()
        with pytest.raises(ZdbMissingError):
            namespace.get(b"k")
        listener.hold.set()


def test_what_is_written_to_is_not_evicted(tmp_path: Path) -> None:
    """Nor what has records that no index has."""
    with opened(tmp_path, durability=RELAXED) as engine:
        engine["default"].set(b"k", b"v")
        assert not engine["default"].evict(0)
        assert not engine["default"].evict(7)


def test_compaction_gives_space_back_while_reads_writes_and_scans_go_on(tmp_path: Path) -> None:
    """Nobody reads anything wrong, nothing is lost, and a scan passes over all that stood all the time."""
    with opened(tmp_path, durability=RELAXED, segment_size=SEGMENT) as engine:
        namespace = engine["default"]
        still = {b"still%d" % i: b"s%d" % i * 50 for i in range(300)}
        for key, payload in still.items():
            namespace.set(key, payload)
            namespace.set(b"churn%d" % (len(payload) % 7), payload * 20)
        failed: list[object] = []
        ended = threading.Event()

        def read() -> None:
            draw = random.Random(1)
            keys = list(still)
            try:
                while not ended.is_set():
                    key = draw.choice(keys)
                    assert namespace.get(key) == still[key]
            except BaseException as error:
                failed.append(error)

        def scan() -> None:
            try:
                while not ended.is_set():
                    assert set(scanned(namespace, limit=50)) >= set(still)
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=read), threading.Thread(target=scan)]
        for thread in threads:
            thread.start()
        try:
            for turn in range(6):
                for i in range(100):
                    namespace.set(b"churn%d" % i, b"%d" % turn * 3000)
                    if i % 3 == 0:
                        namespace.delete(b"churn%d" % i)
                before = namespace.figures().data_bytes
                assert namespace.compact() > 0
                assert namespace.figures().data_bytes < before
        finally:
            ended.set()
            for thread in threads:
                thread.join(LIMIT)
        assert not failed, failed
        live = namespace.figures()
        assert live.data_bytes < live.live_bytes * 1.2 + 64 * 1024
        expected = contents(namespace)
    with opened(tmp_path, segment_size=SEGMENT) as engine:
        assert contents(engine["default"]) == expected


def test_a_deleted_key_does_not_come_back_by_a_compaction(tmp_path: Path) -> None:
    """Nor at the start after it, whichever segments were compacted."""
    with opened(tmp_path, durability=RELAXED) as engine:
        namespace = engine["default"]
        for i in range(20):
            namespace.set(b"k%d" % i, b"v" * 100)
        namespace.jump()
        for i in range(10):
            namespace.delete(b"k%d" % i)
        namespace.jump()
        namespace.compact(dead=0.9)
        expected = contents(namespace)
    for index in (tmp_path / "index" / "default").glob("i*"):
        index.unlink()
    with opened(tmp_path) as engine:
        assert contents(engine["default"]) == expected
        engine["default"].compact()
        assert engine["default"].figures().data_bytes < 3000
    for index in (tmp_path / "index" / "default").glob("i*"):
        index.unlink()
    with opened(tmp_path) as engine:
        assert contents(engine["default"]) == expected


@pytest.mark.parametrize("fails", [False, True])
def test_what_is_staged_while_a_segment_is_compacted_takes_nothing_with_it(
    tmp_path: Path, fails: bool
) -> None:
    """If it can be written it is there after a kill; if not, what stood there before is."""
    disk = FailingDisk()
    engine = opened(tmp_path, durability=Durability.parse("relaxed:3600"), disk=disk)
    namespace = engine["default"]
    namespace.set(b"k", b"before")
    namespace.set(b"dead", b"x" * 1000)
    namespace.delete(b"dead")
    namespace.jump()

    def during(path: str) -> None:
        if path.endswith("i0.new"):
            namespace.stage(b"k", b"after")
            if fails:
                disk.write_error = errno.ENOSPC

    disk.during = during
    assert namespace.compact() > 1000
    disk.write_error = None
    expected = b"before" if fails else b"after"
    assert namespace.get(b"k") == expected
    namespace.abandon("it was killed")
    engine.close()
    with opened(tmp_path) as engine:
        assert contents(engine["default"]) == {b"k": expected}


@pytest.mark.parametrize("deleted", [False, True])
def test_what_is_staged_when_records_are_chosen_and_then_refused_takes_nothing_with_it(
    tmp_path: Path, deleted: bool
) -> None:
    """What stood there before still does; what was deleted before still is, at the next start too."""
    disk = FailingDisk()
    engine = opened(tmp_path, durability=Durability.parse("relaxed:3600"), disk=disk)
    namespace = engine["default"]
    namespace.set(b"k", b"before")
    namespace.set(b"other", b"stays" * 1000)
    namespace.jump()
    if deleted:
        namespace.delete(b"k")
        namespace.set(b"more", b"1")
        namespace.set(b"more", b"2")
        namespace.jump()
    expected = contents(namespace)
    needed = Compaction._needed

    def late(self, segment, *, tombstones):
        if segment.number == deleted and not disk.write_error:
            namespace.stage(b"k", b"after")
        return needed(self, segment, tombstones=tombstones)

    def during(path: str) -> None:
        if path.endswith(f"i{int(deleted)}.new"):
            disk.write_error = errno.ENOSPC

    disk.during = during
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Compaction, "_needed", late)
        namespace.compact(dead=0.3 if deleted else 0)
    assert disk.write_error
    disk.write_error = None
    assert contents(namespace) == expected
    assert not list(tmp_path.rglob("*.new"))
    namespace.abandon("it was killed")
    engine.close()
    with opened(tmp_path) as engine:
        assert contents(engine["default"]) == expected


def test_a_history_that_is_read_while_its_segment_is_compacted(tmp_path: Path) -> None:
    """Its first version is where the compaction has put it."""
    with opened(tmp_path, durability=RELAXED) as engine:
        namespace = engine["default"]
        namespace.set(b"dead", b"x" * 1000)
        namespace.set(b"k", b"v")
        namespace.delete(b"dead")
        namespace.jump()
        raw, given_back = Namespace._raw, []

        def late(self: Namespace, position: int):
            if not given_back:
                given_back.append(self.compact())
            return raw(self, position)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Namespace, "_raw", late)
            found = namespace.history(b"k")
        assert found is not None
        assert found.payload == b"v"
        assert given_back[0] > 1000


def test_a_compaction_without_room_leaves_everything_as_it_was(tmp_path: Path) -> None:
    """And is done when there is room again."""
    disk = FailingDisk()
    with opened(tmp_path, durability=Durability.parse("relaxed"), disk=disk) as engine:
        namespace = engine["default"]
        namespace.set(b"k", b"v")
        namespace.set(b"dead", b"x" * 1000)
        namespace.delete(b"dead")
        namespace.jump()
        disk.write_error = errno.ENOSPC
        with pytest.raises(ZdbWriteError, match="cannot write segment 0 anew"):
            namespace.compact()
        disk.write_error = None
        assert contents(namespace) == {b"k": b"v"}
        assert not list(tmp_path.rglob("*.new"))
        assert namespace.compact() > 1000
        assert contents(namespace) == {b"k": b"v"}


def test_what_takes_the_place_of_a_record_is_synced_before_that_goes(tmp_path: Path) -> None:
    """Or a loss of power would take both."""
    disk = FailingDisk()
    with opened(tmp_path, durability=Durability.parse("relaxed:3600"), disk=disk) as engine:
        namespace = engine["default"]
        namespace.set(b"k", b"before")
        namespace.jump()
        needed = Compaction._needed

        def late(self, segment, *, tombstones):
            namespace.set(b"k", b"after")
            return needed(self, segment, tombstones=tombstones)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Compaction, "_needed", late)
            assert namespace.compact() > 0
        assert namespace.unsynced == (0, 0.0)
        assert namespace.get(b"k") == b"after"


def test_settings_and_passwords_survive_a_restart(tmp_path: Path) -> None:
    """Lock and freeze, too; a password stands nowhere in clear."""
    with opened(tmp_path) as engine:
        engine.create("n")
        engine.configure("n", password=b"hunter2", public=False, worm=True, lock=True, maxsize=77)
        engine.configure("n", freeze=True)
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"hunter2" not in path.read_bytes()
    with opened(tmp_path) as engine:
        settings = engine["n"].settings
        assert (settings.worm, settings.lock, settings.freeze, settings.maxsize) == (True, True, True, 77)
        assert engine.is_password(engine["n"], b"hunter2")
        assert not engine.is_password(engine["n"], b"hunter2\0junk")
        assert engine.password(engine["n"]) == b"hunter2"
    # Copied to another machine, without the key that stays in the folder.
    (tmp_path / "index" / ".key").unlink()
    with opened(tmp_path) as engine:
        assert engine.password(engine["n"]) is None
        assert engine.is_password(engine["n"], b"hunter2")
        assert not engine.is_password(engine["n"], b"hunter3")


@pytest.mark.parametrize("name", ["", ".", "..", "default", "a/b", "n" * 129, ".hidden", "nul\0"])
def test_names_that_cannot_be(tmp_path: Path, name: str) -> None:
    """They would be no folder, or another one's."""
    with opened(tmp_path) as engine, pytest.raises(ZdbNameError):
        engine.create(name)


def test_an_engine_goes_on_with_more_segments_than_it_may_have_open_files(tmp_path: Path) -> None:
    """Few are open at a time."""
    with opened(tmp_path, durability=RELAXED) as engine:
        namespace = engine["default"]
        for i in range(150):
            namespace.set(b"k%d" % i, b"v%d" % i)
            with namespace._lock:
                namespace._flush()
                namespace._log.begin()
        assert [namespace.get(b"k%d" % i) for i in range(150)] == [b"v%d" % i for i in range(150)]
        assert len(engine._descriptors._open) <= 128

"""What a copy elsewhere needs of an engine: a cut of all at one moment, parts of segments, and compaction."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from zdb_engines import SEGMENT, FailingDisk, contents, data_file, index_file, opened

from statehold_zdb.engine import Durability, ZdbMissingError, hookimpl
from statehold_zdb.engine._missing import Fetching

RELAXED = Durability.parse("relaxed")
LIMIT = 60


class Elsewhere:
    """Has copies of segments, and gives parts of them, or the whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ranges: list[tuple[str, int, int]] = []
        self.whole: list[str] = []
        self.error: Exception | None = None
        self.wrong = False

    @hookimpl
    def zdb_missing_range(self, namespace, path, offset, size):
        self.ranges.append((Path(path).name, offset, size))
        if self.error is not None:
            raise self.error
        data = (self.folder / Path(path).name).read_bytes()[offset : offset + size]
        return bytes(len(data)) if self.wrong else data

    @hookimpl
    def zdb_missing_data(self, namespace, path):
        self.whole.append(Path(path).name)
        copy = self.folder / Path(path).name
        if copy.exists():
            shutil.copy(copy, path)
        return copy.exists()

    def take(self, engine, name: str, number: int) -> None:
        """Have a closed segment, which then goes from this disk."""
        path = engine.data / name / f"d{number}"
        shutil.copy(path, self.folder / path.name)
        assert engine[name].evict(number)


def elsewhere(tmp_path: Path) -> Elsewhere:
    (tmp_path / "elsewhere").mkdir()
    return Elsewhere(tmp_path / "elsewhere")


def test_a_cut_of_files_is_what_a_kill_would_have_left(tmp_path):
    with opened(tmp_path, durability=RELAXED, segment_size=SEGMENT) as engine:
        first, second = engine.create("first"), engine.create("second")
        stop = threading.Event()

        def write() -> None:
            i = 0
            while not stop.is_set() and i < 100_000:
                first.set(b"%d" % (i % 50), b"%d" % i * 50)
                second.set(b"%d" % (i % 50), b"%d" % i * 50)
                i += 1

        writer = threading.Thread(target=write)
        writer.start()
        while first.figures().segments < 2:
            first.sync()
        first.compact()
        cut = engine.cut()
        copy = tmp_path / "copy"
        for name, found in cut.items():
            for kind in ("data", "index"):
                (copy / kind / name).mkdir(parents=True)
            shutil.copy(engine.index / name / "zdb-namespace", copy / "index" / name)
            for part in found.parts:
                data = Path(part.path).read_bytes()[: part.end]
                assert len(data) == part.end
                (copy / "data" / name / f"d{part.number}").write_bytes(data)
        stop.set()
        writer.join()
    with opened(copy) as engine:
        for name, found in cut.items():
            assert engine[name].figures().missing == 0
            assert engine.cut()[name].number == found.number
        one, two = contents(engine["first"]), contents(engine["second"])
        latest = [max(int(value[: len(value) // 50]) for value in all_.values()) for all_ in (one, two)]
        assert latest[0] - latest[1] in (0, 1)


def test_a_cut_says_which_segments_are_closed_and_their_salt_without_their_data(tmp_path):
    with opened(tmp_path, durability=RELAXED) as engine:
        engine["default"].set(b"a", b"1")
        engine["default"].jump()
        before = engine.cut()["default"].parts
        assert [(part.number, part.closed) for part in before] == [(0, True), (1, False)]
        assert engine["default"].evict(0)
    with opened(tmp_path) as engine:
        after = engine.cut()["default"].parts
        assert (after[0].salt, after[0].end) == (before[0].salt, before[0].end)
        assert before[0].salt


def test_a_read_of_a_segment_elsewhere_brings_only_what_it_needs(tmp_path):
    there = elsewhere(tmp_path)
    with opened(tmp_path, there, durability=RELAXED) as engine:
        names = engine["default"]
        for i in range(100):
            names.set(b"%d" % i, b"%d" % i * 1000)
        names.jump()
        there.take(engine, "default", 0)
        assert names.get(b"42") == b"42" * 1000
        [(name, _, size)] = there.ranges
        assert name == "d0"
        assert size < 3000
        assert not there.whole
        assert not data_file(tmp_path).exists()


def test_a_part_that_is_not_what_was_written_is_no_value_and_the_whole_is_asked_for(tmp_path):
    there = elsewhere(tmp_path)
    with opened(tmp_path, there, durability=RELAXED) as engine:
        engine["default"].set(b"a", b"1")
        engine["default"].jump()
        there.take(engine, "default", 0)
        there.wrong = True
        assert engine["default"].get(b"a") == b"1"
        assert there.whole == ["d0"]


def test_who_cannot_be_served_hears_why_and_the_whole_is_not_asked_for(tmp_path):
    there = elsewhere(tmp_path)
    with opened(tmp_path, there, durability=RELAXED) as engine:
        engine["default"].set(b"a", b"1")
        engine["default"].jump()
        there.take(engine, "default", 0)
        there.error = ZdbMissingError("the backends are down", segment=0)
        with pytest.raises(ZdbMissingError, match="backends are down"):
            engine["default"].get(b"a")
        assert not there.whole
        there.error = ValueError("a bug")
        assert engine["default"].get(b"a") == b"1"


def test_a_compaction_removes_a_segment_elsewhere_of_which_nobody_needs_anything(tmp_path):
    there = elsewhere(tmp_path)
    with opened(tmp_path, there, durability=RELAXED) as engine:
        engine["default"].set(b"a", b"1" * 1000)
        engine["default"].jump()
        there.take(engine, "default", 0)
        engine["default"].set(b"a", b"2")
        engine["default"].compact()
        assert not index_file(tmp_path).exists()
        assert not there.whole
    with opened(tmp_path) as engine:
        assert contents(engine["default"]) == {b"a": b"2"}


@pytest.mark.parametrize(("needed", "brought"), [(2, True), (8, False)])
def test_a_compaction_brings_a_segment_elsewhere_if_most_of_it_is_not_needed(tmp_path, needed, brought):
    there = elsewhere(tmp_path)
    with opened(tmp_path, there, durability=RELAXED) as engine:
        names = engine["default"]
        for i in range(10):
            names.set(b"%d" % i, b"1" * 1000)
        names.jump()
        there.take(engine, "default", 0)
        for i in range(needed, 10):
            names.delete(b"%d" % i)
        names.compact(dead=0.3)
        assert bool(there.whole) is brought
        if brought:
            assert data_file(tmp_path).stat().st_size < 5000
        assert {key: names.get(key) for key in names.keys()} == {  # noqa: SIM118
            b"%d" % i: b"1" * 1000 for i in range(needed)
        }


def test_a_segment_that_is_compacted_while_it_is_read_is_brought_once(tmp_path):
    first, second, go = threading.Event(), threading.Event(), threading.Event()

    class Slow(Elsewhere):
        @hookimpl
        def zdb_missing_range(self, namespace, path, offset, size):
            return None

        @hookimpl
        def zdb_missing_data(self, namespace, path):
            (second if first.is_set() else first).set()
            assert go.wait(LIMIT)
            return super().zdb_missing_data(namespace, path)

    (tmp_path / "elsewhere").mkdir()
    there = Slow(tmp_path / "elsewhere")
    with opened(tmp_path, there, durability=RELAXED) as engine:
        names = engine["default"]
        for i in range(10):
            names.set(b"%d" % i, b"1" * 1000)
        names.jump()
        there.take(engine, "default", 0)
        for i in range(1, 10):
            names.delete(b"%d" % i)
        found: list[bytes | None] = []
        reader = threading.Thread(target=lambda: found.append(names.get(b"0")))
        reader.start()
        assert first.wait(LIMIT)
        compacting = threading.Thread(target=names.compact)
        compacting.start()
        second.wait(0.3)
        go.set()
        for thread in (reader, compacting):
            thread.join(LIMIT)
        assert found == [b"1" * 1000]
        assert there.whole == ["d0"]
        assert contents(names) == {b"0": b"1" * 1000}


def test_a_segment_that_a_compaction_removes_while_it_is_asked_for_is_not_missed(tmp_path):
    class Removing(Elsewhere):
        @hookimpl
        def zdb_missing_range(self, namespace, path, offset, size):
            engine[namespace].set(b"a", b"2")
            engine[namespace].compact()

    there = Removing(tmp_path)
    with opened(tmp_path, there, durability=RELAXED) as engine:
        engine["default"].set(b"a", b"1" * 1000)
        engine["default"].jump()
        assert engine["default"].evict(0)
        assert engine["default"].get(b"a") == b"2"
        assert not there.whole


def test_a_segment_that_was_removed_while_it_was_brought_does_not_come_back(tmp_path):
    """Else the next start would find in it what was removed."""
    asked, go = threading.Event(), threading.Event()

    class Late(Elsewhere):
        @hookimpl
        def zdb_missing_range(self, namespace, path, offset, size):
            return None

        @hookimpl
        def zdb_missing_data(self, namespace, path):
            asked.set()
            assert go.wait(LIMIT)
            return super().zdb_missing_data(namespace, path)

    (tmp_path / "elsewhere").mkdir()
    there = Late(tmp_path / "elsewhere")
    with opened(tmp_path, there, durability=RELAXED) as engine:
        engine["default"].set(b"a", b"1")
        engine["default"].jump()
        there.take(engine, "default", 0)
        found: list[bytes | None] = []
        reader = threading.Thread(target=lambda: found.append(engine["default"].get(b"a")))
        reader.start()
        assert asked.wait(LIMIT)
        engine["default"].clear()
        go.set()
        reader.join(LIMIT)
        assert found == [None]
        assert there.whole == ["d0"]
    with opened(tmp_path) as engine:
        assert contents(engine["default"]) == {}


def test_a_compaction_waits_no_longer_than_a_read_for_a_segment_elsewhere(tmp_path):
    """Nor does, with it, whoever closes the engine."""
    go = threading.Event()

    class Never(Elsewhere):
        @hookimpl
        def zdb_missing_data(self, namespace, path):
            assert go.wait(LIMIT)
            return False

    (tmp_path / "elsewhere").mkdir()
    there = Never(tmp_path / "elsewhere")
    engine = opened(tmp_path, there, durability=RELAXED, fetch_limit=0.05)
    names = engine["default"]
    for i in range(10):
        names.set(b"%d" % i, b"1" * 1000)
    names.jump()
    there.take(engine, "default", 0)
    for i in range(1, 10):
        names.delete(b"%d" % i)
    ended = threading.Event()

    def end() -> None:
        names.compact()
        engine.close()
        ended.set()

    thread = threading.Thread(target=end)
    thread.start()
    try:
        assert ended.wait(LIMIT / 2)
    finally:
        go.set()
        thread.join(LIMIT)


def test_a_segment_for_which_no_thread_could_be_started_is_asked_for_again(monkeypatch):
    """By the next who reads from it."""
    fetching = Fetching(lambda number: number == 7)

    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        with pytest.raises(RuntimeError):
            fetching.start(7)
    assert fetching.wait(7, LIMIT)


def test_a_segment_that_is_evicted_while_it_is_compacted_leaves_nothing_behind(tmp_path):
    """It stays as it is, elsewhere."""
    disk = FailingDisk()
    with opened(tmp_path, durability=RELAXED, disk=disk) as engine:
        names = engine["default"]
        names.set(b"k", b"v")
        names.set(b"dead", b"x" * 1000)
        names.delete(b"dead")
        names.jump()
        disk.during = lambda path: path.endswith("i0.new") and names.evict(0)
        names.compact()
        assert names.figures().missing == 1
        assert not list(tmp_path.rglob("*.new"))


def test_what_is_read_leaves_a_mark_on_its_segment(tmp_path):
    with opened(tmp_path, durability=RELAXED) as engine:
        engine["default"].set(b"a", b"1")
        engine["default"].jump()
        [old, _] = engine["default"].segments()
        old.used = False
        engine["default"].get(b"none")
        assert not old.used
        engine["default"].get(b"a")
        assert old.used


def test_whether_a_cut_would_be_another_one_is_known_without_making_it(tmp_path):
    with opened(tmp_path, durability=RELAXED) as engine:
        names = engine["default"]
        names.set(b"a", b"1" * 1000)
        names.set(b"b", b"1")
        revisions = [names.revision]
        assert names.revision == revisions[0]
        names.jump()
        revisions.append(names.revision)
        closed = engine.cut()["default"].parts[0]
        names.set(b"a", b"2")
        assert engine.cut()["default"].parts[0] is closed
        revisions.append(names.revision)
        names.jump()
        before = names.revision
        names.compact()
        assert names.revision != before
        assert engine.cut()["default"].parts[0] is not closed
        revisions.append(names.revision)
        engine.configure("default", maxsize=10_000)
        revisions.append(names.revision)
        assert len(set(map(str, revisions))) == 5


def test_the_files_of_a_part_are_refused_once_a_compaction_has_made_others(tmp_path):
    with opened(tmp_path, durability=RELAXED) as engine:
        names = engine["default"]
        names.set(b"a", b"1" * 1000)
        names.set(b"b", b"1")
        names.jump()
        part = engine.cut()["default"].parts[0]
        with part.open() as data, part.open_index() as index:
            assert data.read() == data_file(tmp_path).read_bytes()
            assert index.read() == index_file(tmp_path).read_bytes()
        names.set(b"a", b"2")
        names.compact()
        for opening in (part.open, part.open_index):
            with pytest.raises(FileNotFoundError):
                opening()


def test_who_hears_of_removals_does_so_before(tmp_path):
    heard = []

    class Hears:
        @hookimpl
        def zdb_removing(self, namespace, segments):
            there = [index_file(tmp_path, number, namespace).exists() for number in segments]
            heard.append((namespace, list(segments), there))

    with opened(tmp_path, Hears(), durability=RELAXED) as engine:
        engine["default"].set(b"a", b"1")
        engine["default"].jump()
        engine["default"].set(b"a", b"2")
        engine["default"].compact()
        engine.create("n")
        engine["n"].clear()
        engine.delete("n")
    assert heard == [("default", [0], [True]), ("n", [0], [True]), ("n", [1], [True])]


def test_a_segment_that_a_compaction_has_written_anew_is_not_evicted_for_the_old_one(tmp_path):
    with opened(tmp_path, durability=RELAXED) as engine:
        names = engine["default"]
        names.set(b"a", b"1" * 1000)
        names.set(b"b", b"1")
        names.jump()
        part = engine.cut()["default"].parts[0]
        names.set(b"a", b"2")
        names.compact()
        assert not names.evict(0, salt=part.salt)
        assert data_file(tmp_path).exists()
        assert names.evict(0, salt=engine.cut()["default"].parts[0].salt)
        assert not data_file(tmp_path).exists()


def test_what_a_compaction_keeps_of_batches_is_found_without_its_index(tmp_path):
    with opened(tmp_path, durability=RELAXED) as engine:
        for i in range(5):
            engine["default"].write([(b"%d" % i, b"%d" % i), (b"last", b"%d" % i)])
        engine["default"].write([(b"a", b"1"), (b"last", None)])
        engine["default"].compact()
        before = contents(engine["default"])
        assert len(before) == 6
    for path in (tmp_path / "index" / "default").glob("i*"):
        path.unlink()
    with opened(tmp_path) as engine:
        assert contents(engine["default"]) == before

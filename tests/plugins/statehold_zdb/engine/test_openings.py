"""What a start makes of folders that others have touched, or that cannot be written."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec
import pytest
from zdb_engines import contents, data_file, opened, scanned

from statehold_zdb.engine import Durability, Mode, ZdbError

LONG = Durability.parse("relaxed:3600")
ROWS = {b"k%d" % i: b"v" * 88 for i in range(10)}


def killed(folder: Path) -> Path:
    """Return what a kill has left of an engine whose index files know nothing."""
    with opened(folder / "running", durability=LONG) as engine:
        for key, payload in ROWS.items():
            engine["default"].set(key, payload)
        return shutil.copytree(folder / "running", folder / "killed")


def test_settings_of_another_namespace_cost_no_record(tmp_path: Path) -> None:
    """Its records would be taken for damage, and cut off."""
    folder = killed(tmp_path)
    file = folder / "index" / "default" / "zdb-namespace"
    right = file.read_bytes()
    settings = msgspec.json.decode(right)
    file.write_bytes(msgspec.json.encode({**settings, "seed": settings["seed"] ^ 1}))
    with pytest.raises(ZdbError, match="of another namespace"):
        opened(folder)
    file.write_bytes(right)
    with opened(folder) as engine:
        assert contents(engine["default"]) == ROWS


@pytest.mark.parametrize("name", ["default", "n"])
def test_data_whose_index_is_gone_stay(tmp_path: Path, name: str) -> None:
    """As where the disk of the index is not there, or another one; with it they are read again."""
    with opened(tmp_path) as engine:
        if name != "default":
            engine.create(name)
        engine[name].set(b"k", b"v")
    (tmp_path / "index" / name).rename(tmp_path / "elsewhere")
    with pytest.raises(ZdbError, match="has no settings of theirs"), opened(tmp_path) as engine:
        engine.create(name)
    (tmp_path / "elsewhere").rename(tmp_path / "index" / name)
    with opened(tmp_path) as engine:
        assert contents(engine[name]) == {b"k": b"v"}


def test_a_segment_without_records_of_an_index_that_is_gone_is_not_written_on_in(tmp_path: Path) -> None:
    """Its header has another seed than the records would have."""
    with opened(tmp_path):
        pass
    shutil.rmtree(tmp_path / "index")
    for turn in range(3):
        with opened(tmp_path) as engine:
            engine["default"].set(b"%d" % turn, b"v")
            assert len(contents(engine["default"])) == turn + 1


def test_a_deletion_that_a_crash_cut_short_comes_to_its_end(tmp_path: Path) -> None:
    """Its settings had gone, its data had not."""
    with opened(tmp_path) as engine:
        engine.create("n").set(b"k", b"v")
        shutil.copytree(tmp_path / "data" / "n", tmp_path / "kept")
        engine.delete("n")
    (tmp_path / "kept").rename(tmp_path / "data" / "n")
    (tmp_path / "index" / ".deleted-00-n").mkdir()
    with opened(tmp_path) as engine:
        assert not (tmp_path / "data" / "n").exists()
        assert contents(engine.create("n")) == {}
    assert not list(tmp_path.glob("*/.deleted*"))


def test_settings_of_another_namespace_are_not_taken_by_a_reload(tmp_path: Path) -> None:
    """Neither its seed nor, of a copy, its name."""
    with opened(tmp_path) as engine:
        engine.create("other")
        namespace = engine["default"]
        namespace.set(b"k", b"v")
        file = tmp_path / "index" / "default" / "zdb-namespace"
        right = file.read_bytes()
        file.write_bytes((tmp_path / "index" / "other" / "zdb-namespace").read_bytes())
        with pytest.raises(ZdbError, match="of another namespace"):
            engine.reload("default")
        assert namespace.settings == msgspec.json.decode(right, type=type(namespace.settings))
        file.write_bytes(msgspec.json.encode({**msgspec.json.decode(right), "name": "other"}))
        engine.reload("default")
        assert namespace.name == "default"
        namespace.set(b"l", b"w")
    with opened(tmp_path) as engine:
        assert contents(engine["default"]) == {b"k": b"v", b"l": b"w"}


def test_a_key_of_passwords_that_is_damaged_is_told(tmp_path: Path) -> None:
    """Nobody is locked out by it: a password that is sent as it is can be checked all the same."""
    with opened(tmp_path) as engine:
        engine.create("n", password=b"secret")
    key = tmp_path / "index" / ".key"
    for damaged in (b"short", b"", b"x" * 16):
        key.write_bytes(damaged)
        with opened(tmp_path) as engine:
            assert engine.password(engine["n"]) is None
            assert engine.is_password(engine["n"], b"secret")
            assert not engine.is_password(engine["n"], b"other")
            with pytest.raises(ZdbError, match="is damaged"):
                engine.configure("n", password=b"new")
    key.unlink()
    key.mkdir()
    with opened(tmp_path) as engine:
        with pytest.raises(ZdbError, match="cannot read"):
            engine.password(engine["n"])
        with pytest.raises(ZdbError, match="cannot have the key"):
            engine.create("m", password=b"new")
        assert engine.get("m") is None


def test_a_copy_of_a_namespace_is_one_of_its_own(tmp_path: Path) -> None:
    """Both would write into the same files else."""
    with opened(tmp_path) as engine:
        engine.create("a").set(b"k", b"v")
    for folder in ("data", "index"):
        shutil.copytree(tmp_path / folder / "a", tmp_path / folder / "b")
    with opened(tmp_path) as engine:
        for turn in range(2):
            engine["a"].set(b"a%d" % turn, b"1" * 100)
            engine["b"].set(b"b%d" % turn, b"2" * 200)
    with opened(tmp_path) as engine:
        assert contents(engine["a"]) == {b"k": b"v", b"a0": b"1" * 100, b"a1": b"1" * 100}
        assert contents(engine["b"]) == {b"k": b"v", b"b0": b"2" * 200, b"b1": b"2" * 200}


def test_a_namespace_that_was_used_keeps_its_mode(tmp_path: Path) -> None:
    """Its files have records, though no key stands any more."""
    with opened(tmp_path) as engine:
        used = engine.create("used")
        used.set(b"a key that is no number", b"1")
        used.delete(b"a key that is no number")
        with pytest.raises(ZdbError, match="its mode stays"):
            engine.configure("used", mode=Mode.SEQUENTIAL)
        used.clear()
        engine.configure("used", mode=Mode.SEQUENTIAL)
    with opened(tmp_path) as engine:
        assert engine["used"].set(b"", b"1") == bytes(8)


def test_a_durability_that_is_none_is_not_kept(tmp_path: Path) -> None:
    """No start would get past it."""
    with opened(tmp_path) as engine:
        for refused in (engine.configure, engine.create):
            with pytest.raises(ZdbError, match="expected every, group"):
                refused("default" if refused == engine.configure else "new", durability="sometimes")
    with opened(tmp_path) as engine:
        assert engine.names() == ["default"]


def test_a_cursor_outlives_a_compaction_of_the_last_records_and_a_restart(tmp_path: Path) -> None:
    """What is written after that comes after it."""
    with opened(tmp_path) as engine:
        namespace = engine["default"]
        for key in (b"a", b"b", b"c"):
            namespace.set(key, b"1")
        cursor = namespace.cursor(b"c")
        for key in (b"b", b"c"):
            namespace.delete(key)
        namespace.compact()
    with opened(tmp_path) as engine:
        engine["default"].set(b"new", b"1")
        page = engine["default"].scan(cursor)
        assert page is not None
        assert [found.key for found in page.found] == [b"new"]


def test_what_a_compaction_has_removed_is_not_counted_after_a_kill(tmp_path: Path) -> None:
    """The last index file that is left was written before the key was deleted."""
    with opened(tmp_path / "running", durability=Durability.parse("every")) as engine:
        namespace = engine["default"]
        namespace.set(b"gone", b"v" * 120)
        namespace.jump()
        namespace.set(b"stays", b"v")
        namespace.jump()
        namespace.delete(b"gone")
        namespace.jump()
        namespace.compact()
        folder = shutil.copytree(tmp_path / "running", tmp_path / "killed")
    for _ in range(2):
        with opened(folder) as engine:
            assert contents(engine["default"]) == {b"stays": b"v"}
            assert engine["default"].figures().live_bytes == 1


def test_data_that_are_shorter_than_their_index_knows_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Though what is left ends with a whole record."""
    with opened(tmp_path) as engine:
        for key, payload in ROWS.items():
            engine["default"].set(key, payload)
    file = data_file(tmp_path)
    size = file.stat().st_size
    os.truncate(file, size - 2 * (size - 64) // 10)
    with opened(tmp_path) as engine:
        assert contents(engine["default"]) == dict(list(ROWS.items())[:8])
    assert "the rest is lost" in caplog.text


def test_what_no_index_knows_is_scanned_on_media_that_cannot_be_written(tmp_path: Path) -> None:
    """Forward and backward."""
    with opened(killed(tmp_path), read_only=True) as engine:
        assert scanned(engine["default"]) == list(ROWS)
        assert scanned(engine["default"], backward=True) == list(reversed(ROWS))
        assert engine["default"].figures().live_bytes == 880


def test_an_engine_that_only_reads_removes_nothing(tmp_path: Path) -> None:
    """Not what a compaction or a namespace that was not made to its end has left, and no segment."""
    with opened(tmp_path) as engine:
        engine["default"].set(b"a", b"1")
        engine["default"].jump()
    for folder in ("data", "index"):
        (tmp_path / folder / "half").mkdir()
    data_file(tmp_path).with_name("d0.new").write_bytes(b"x")
    before = sorted(tmp_path.rglob("*"))
    with opened(tmp_path, read_only=True) as engine:
        assert engine.names() == ["default"]
        engine.reload("default")
        assert not engine["default"].evict(0)
        assert contents(engine["default"]) == {b"a": b"1"}
    assert sorted(tmp_path.rglob("*")) == before

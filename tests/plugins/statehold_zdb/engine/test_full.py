"""A full disk, wherever it is met."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest
from zdb_engines import SEGMENT, FailingDisk, contents, data_file, index_file, opened, scanned

from statehold_zdb.engine import Durability, Mode, ZdbError, ZdbWriteError, hookimpl

LONG = Durability.parse("relaxed:3600")


def killed(folder: Path, rows: int) -> Path:
    """Return what a kill has left of an engine whose index files know nothing."""
    with opened(folder / "running", durability=LONG) as engine:
        for i in range(rows):
            engine["default"].set(b"k%d" % i, b"v")
        return shutil.copytree(folder / "running", folder / "killed")


def test_what_was_killed_is_opened_on_a_full_disk(tmp_path: Path) -> None:
    """Its keys are there, and scanned; when there is room they come into the index."""
    folder = killed(tmp_path, 10)
    disk = FailingDisk()
    disk.write_error, disk.partly = errno.ENOSPC, 100
    expected = {b"k%d" % i: b"v" for i in range(10)}
    with opened(folder, disk=disk, durability=LONG) as engine:
        namespace = engine["default"]
        assert contents(namespace) == expected
        assert scanned(namespace) == list(expected)
        assert namespace.figures().live_bytes == 10
        with pytest.raises(ZdbWriteError):
            namespace.set(b"more", b"1")
        disk.write_error = None
        namespace.set(b"more", b"1")
        namespace.jump()
        assert scanned(namespace) == [*expected, b"more"]
        assert namespace.compact() == 0
    with opened(folder) as engine:
        assert contents(engine["default"]) == {**expected, b"more": b"1"}
        assert scanned(engine["default"]) == [*expected, b"more"]


def test_an_index_that_cannot_be_made_at_all_is_told(tmp_path: Path) -> None:
    """As an error of 0-db; to be read it can be opened."""
    folder = killed(tmp_path, 10)
    index_file(folder).unlink()
    disk = FailingDisk()
    disk.write_error = errno.ENOSPC
    with pytest.raises(ZdbWriteError, match="Make room"):
        opened(folder, disk=disk)
    with opened(folder, disk=disk, read_only=True) as engine:
        assert len(scanned(engine["default"])) == 10


@pytest.mark.parametrize("how", ["disk", "hook"])
def test_a_flush_that_is_refused_has_not_happened(tmp_path: Path, how: str) -> None:
    """The next key is a new one, and not the first again."""
    disk = FailingDisk()

    class Refusing:
        @hookimpl
        def zdb_removing(self, namespace, segments):
            assert not disk.write_error  # it is not told before there is room
            if how == "hook":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with opened(tmp_path, Refusing(), durability=LONG, disk=disk) as engine:
        namespace = engine.create("numbers", mode=Mode.SEQUENTIAL)
        for i in range(3):
            namespace.set(b"", b"%d" % i)
        disk.write_error = errno.ENOSPC if how == "disk" else None
        with pytest.raises((ZdbWriteError, OSError)):
            namespace.clear()
        disk.write_error = None
        assert namespace.figures().live_bytes == 3
        assert namespace.set(b"", b"x") == (3).to_bytes(8, "little")
        assert [namespace.get(i.to_bytes(8, "little")) for i in range(4)] == [b"0", b"1", b"2", b"x"]
    with opened(tmp_path) as engine:
        assert engine["numbers"].figures().live_bytes == 4
        assert engine["numbers"].set(b"", b"y") == (4).to_bytes(8, "little")


def test_a_namespace_that_cannot_be_made_is_not_there_at_the_next_start(tmp_path: Path) -> None:
    """And can be made when there is room."""
    disk = FailingDisk()
    with opened(tmp_path, disk=disk) as engine:
        disk.write_error = errno.ENOSPC
        with pytest.raises(ZdbError, match="No space left"):
            engine.create("new")
        disk.write_error = None
    with opened(tmp_path) as engine:
        assert engine.names() == ["default"]
        assert not list((tmp_path / "data").glob("*new*"))
        engine.create("new").set(b"k", b"v")


def test_settings_that_cannot_be_kept_are_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who set them hears of it by an error of 0-db."""

    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with opened(tmp_path) as engine:
        engine.create("n")
        with monkeypatch.context() as patch:
            patch.setattr("statehold_zdb.engine._settings.replace_file", full)
            with pytest.raises(ZdbError, match="No space left"):
                engine.configure("n", lock=True)
        assert not engine["n"].settings.lock


@pytest.mark.parametrize("durability", ["every", "group", "relaxed:3600"])
def test_what_was_refused_is_not_told_to_be_unsynced(tmp_path: Path, durability: str) -> None:
    """There is nothing that could be lost."""
    disk = FailingDisk()
    with opened(tmp_path, durability=Durability.parse(durability), disk=disk) as engine:
        namespace = engine["default"]
        namespace.set(b"a", b"1")
        namespace.sync()
        disk.write_error = errno.ENOSPC
        with pytest.raises(ZdbWriteError):
            namespace.set(b"b", b"2")
        assert namespace.unsynced == (0, 0.0)
        assert namespace.figures().unsynced == 0
        disk.write_error = None


def test_a_batch_larger_than_a_segment_is_refused_as_a_whole(tmp_path: Path) -> None:
    """Wherever the disk has no more room for it; else all of it is there."""
    batch = [(b"k%d" % i, os.urandom(SEGMENT // 2)) for i in range(6)]
    disk = FailingDisk()
    write, left = disk.write, [SEGMENT]

    def refusing(fd: int, parts, size: int, at: int) -> None:
        left[0] -= size
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(fd, parts, size, at)

    with opened(tmp_path, disk=disk, durability=LONG, segment_size=SEGMENT) as engine:
        namespace = engine["default"]
        namespace.set(b"k0", b"before")
        disk.write = refusing
        with pytest.raises(ZdbWriteError):
            namespace.write(batch)
        disk.write = write
        assert contents(namespace) == {b"k0": b"before"}
        namespace.write(batch)
        namespace.set(b"after", b"1")
        assert len(list(data_file(tmp_path).parent.glob("d*"))) == 3
        namespace.abandon("it was killed")
    index_file(tmp_path, 1).unlink()
    with opened(tmp_path, segment_size=SEGMENT) as engine:
        assert contents(engine["default"]) == {**dict(batch), b"after": b"1"}

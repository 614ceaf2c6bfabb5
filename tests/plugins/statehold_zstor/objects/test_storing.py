"""Objects as people use them: stored, read, replaced, listed, deleted."""

from __future__ import annotations

import io
import os
import random
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import pytest
from zstor_worlds import BLOCK, Place

from statehold_zstor.objects import (
    NotStoredError,
    ObjectChangedError,
    ObjectNotFoundError,
    Zstor,
    ZstorError,
    key_of,
)

SIZES = (0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 10 * BLOCK + 123)


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.fixture
def zstor(place: Place) -> Iterator[Zstor]:
    with place.zstor() as opened:
        yield opened


@pytest.mark.parametrize("size", SIZES)
def test_bytes_files_and_streams_come_back_as_they_were(zstor: Zstor, tmp_path: Path, size: int) -> None:
    """However many blocks they have, none included."""
    data = random.Random(size).randbytes(size)
    path = tmp_path / "file"
    path.write_bytes(data)
    for source in (data, bytearray(data), memoryview(data), path, io.BytesIO(data)):
        info = zstor.store("key", source)
        assert (info.size, info.checksum) == (size, crc32(data))
        assert zstor.read("key") == data
        zstor.settle()  # until then, a backend may lag that is about to note that what was before is deleted
        assert zstor.retrieve("key", tmp_path / "back") == info
        assert (tmp_path / "back").read_bytes() == data


def test_a_pipe_that_gives_little_at_a_time_is_read_to_its_end(zstor: Zstor) -> None:
    """Blocks are full all the same."""

    class Dribble(io.RawIOBase):
        def __init__(self) -> None:
            self.left = 3 * BLOCK

        def read(self, size: int = -1) -> bytes:
            count = min(self.left, 100, size)
            self.left -= count
            return b"x" * count

    assert zstor.store("key", Dribble()).size == 3 * BLOCK
    assert zstor.read("key") == b"x" * 3 * BLOCK


def test_a_range_takes_only_the_blocks_that_have_it(place: Place, zstor: Zstor) -> None:
    """And of each block as many shards as are needed."""
    data = os.urandom(10 * BLOCK)
    zstor.store("key", data)
    for offset, size, blocks in ((0, 1, 1), (BLOCK - 1, 2, 2), (5 * BLOCK, BLOCK, 1), (9 * BLOCK, 10**9, 1)):
        before = sum(len(shelf.gets) for shelf in place.datas())
        assert zstor.read("key", offset, size) == data[offset : offset + size]
        gets = sum(len(shelf.gets) for shelf in place.datas()) - before
        assert blocks * 3 <= gets <= blocks * 5
    assert zstor.read("key", 10 * BLOCK, 5) == b""
    assert zstor.read("key", 5, 0) == b""
    with pytest.raises(ZstorError, match="none before its start"):
        zstor.read("key", -1)


def test_a_generation_replaces_the_one_before_and_its_shards_are_deleted(place: Place, zstor: Zstor) -> None:
    """Backends do not grow by what nobody can read any more."""
    counts = []
    for generation in range(1, 6):
        info = zstor.store("key", b"%d" % generation * BLOCK, metadata={"number": str(generation)})
        assert info.generation == generation
        zstor.settle()
        counts.append(place.left())
    assert counts == [5] * 5
    assert zstor.check("key") == info
    assert info.metadata == {"number": "5"}
    assert zstor.status().garbage == 0


def test_deleted_objects_leave_nothing(place: Place, zstor: Zstor) -> None:
    """Neither data nor, in the end, metadata; and the key can be used again."""
    zstor.store("key", b"x" * 3 * BLOCK)
    assert zstor.delete("key")
    zstor.settle()
    assert place.left() == 0
    assert zstor.check("key") is None
    assert not zstor.delete("key")
    assert list(zstor.list()) == []
    with pytest.raises(ObjectNotFoundError, match="there is no object 'key'"):
        zstor.read("key")
    for call in (zstor.verify, zstor.rebuild, lambda key: zstor.retrieve(key, Path("/nowhere/x"))):
        with pytest.raises(ObjectNotFoundError):
            call("key")
    assert zstor.store("key", b"again").generation == 1
    assert zstor.read("key") == b"again"


def test_lists_are_by_prefix_with_generation_and_size(zstor: Zstor) -> None:
    """In no order."""
    for key in ("a/1", "a/2", "b", "ä/ö\n"):
        zstor.store(key, key.encode())
    zstor.store("b", b"12345")
    zstor.delete("a/2")
    assert {(info.key, info.generation, info.size) for info in zstor.list()} == {
        ("a/1", 1, 3),
        ("b", 2, 5),
        ("ä/ö\n", 1, 6),
    }
    assert [info.key for info in zstor.list("a/")] == ["a/1"]
    assert zstor.read("ä/ö\n").decode() == "ä/ö\n"


def test_who_expects_a_generation_replaces_no_other(place: Place, zstor: Zstor) -> None:
    """What was written for it is deleted again."""
    zstor.store("key", b"1", expected=0)
    for wrong in (0, 2):
        with pytest.raises(ObjectChangedError, match=f"expected generation {wrong}, there is 1"):
            zstor.store("key", b"2", expected=wrong)
    assert zstor.store("key", b"2", expected=1).generation == 2
    with pytest.raises(ObjectChangedError, match="there is 0"):
        zstor.store("new", b"2", expected=1)
    zstor.settle()
    assert place.left() == 5


def test_who_is_overtaken_while_he_writes_and_expected_nothing_else_fails(place: Place, zstor: Zstor) -> None:
    """The commit looks again; who expected nothing wins as the last."""
    zstor.store("key", b"0")

    class Overtaken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            zstor.store("key", b"in between")
            return super().read(size)

    with pytest.raises(ObjectChangedError, match="expected generation 1, there is"):
        zstor.store("key", Overtaken(b"late"), expected=1)
    assert zstor.read("key") == b"in between"
    assert zstor.store("key", Overtaken(b"last")).generation > 2
    assert zstor.read("key") == b"last"
    zstor.settle()
    assert place.left() == 5


def test_progress_is_told_in_bytes(zstor: Zstor, tmp_path: Path) -> None:
    """Of storing, retrieving, verifying and rebuilding."""
    data = os.urandom(5 * BLOCK + 5)
    for call in (
        lambda progress: zstor.store("key", data, progress=progress),
        lambda progress: zstor.retrieve("key", tmp_path / "x", progress=progress),
        lambda progress: zstor.verify("key", progress=progress),
        lambda progress: zstor.rebuild("key", progress=progress),
    ):
        told: list[int] = []
        call(told.append)
        assert sum(told) == len(data)
        assert len(told) == 6


def test_the_options_of_an_object_outlive_those_of_the_configuration(place: Place) -> None:
    """Shards, block size and compression may be others for new objects."""
    data = b"text " * 5000
    with place.zstor(k=3, n=5, groups=(8,)) as zstor:
        zstor.store("old", data)
    with place.zstor(k=2, n=7, groups=(8,), block=8192, compression={"algorithm": "zstd"}) as zstor:
        zstor.store("new", data)
        assert zstor.read("old", 4000, 5000) == data[4000:9000]
        assert zstor.read("old") == zstor.read("new") == data
        old, new = zstor.check("old"), zstor.check("new")
        assert old is not None
        assert new is not None
        assert (old.data_shards, old.shards) == (3, 5)
        assert (new.data_shards, new.shards) == (2, 7)


def test_wrong_keys_are_an_error_not_an_abort(place: Place, tmp_path: Path) -> None:
    """Of the data, and of the metadata; the process goes on."""
    with place.zstor() as zstor:
        zstor.store("key", b"secret")
    with place.zstor(encryption={"algorithm": "AES", "key": "99" * 32}) as zstor:
        with pytest.raises(ZstorError, match="'key' cannot be read: block 0"):
            zstor.read("key")
        with pytest.raises(ZstorError):
            zstor.retrieve("key", tmp_path / "x")
        with pytest.raises(ZstorError):
            zstor.rebuild("key")
        assert not zstor.verify("key").readable
    assert not list(tmp_path.iterdir())


def test_no_secret_and_no_text_is_on_a_backend(place: Place, zstor: Zstor) -> None:
    """Neither keys nor what was stored, nor its name."""
    zstor.store("the-name-of-it", b"the text of it " * 100, metadata={"owner": "somebody"})
    everything = b"".join(
        key.encode() + value for shelf in place.shelves.values() for key, value in shelf.values.items()
    )
    for secret in (b"the-name-of-it", b"the text of it", b"somebody", b"\xab" * 8, b"\xcd" * 8):
        assert secret not in everything


def test_a_closed_zstor_says_so(place: Place) -> None:
    """And closing twice is no error."""
    zstor = place.zstor()
    zstor.close()
    zstor.close()
    with pytest.raises(ZstorError, match="was closed"):
        zstor.read("key")


@pytest.mark.parametrize("key", ["", "file\udcff"])
def test_a_key_that_is_no_text_is_refused(zstor: Zstor, key: str) -> None:
    """Such as an empty one, or the name of a file in no encoding."""
    with pytest.raises(ZstorError, match="expected a text"):
        zstor.store(key, b"")


@pytest.mark.parametrize(
    ("path", "root", "key"),
    [
        ("/a/b", None, "a/b"),
        ("/a/b", "/a", "b"),
        ("/a/../c/./d", "/a", "/c/d"),
        ("/a/c/d", "/a", "c/d"),
        ("/ab/c", "/a", "/ab/c"),
        ("/a/b", "/x/../a/.", "b"),
        ("/a/b", "/", "a/b"),
    ],
)
def test_the_key_of_a_file_is_its_path_without_the_root(path: str, root: str | None, key: str) -> None:
    """The cleaned, absolute one; what lies elsewhere is not taken for what lies there by the same path."""
    assert key_of(Path(path), Path(root) if root else None) == key


def test_the_key_of_a_file_is_the_same_where_a_link_leads_to_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")
    monkeypatch.chdir(tmp_path / "link")
    assert key_of(Path("letter"), tmp_path / "link") == "letter"
    assert key_of(tmp_path / "link" / "letter", tmp_path / "link") == "letter"


def test_a_source_that_fails_leaves_nothing(place: Place, zstor: Zstor, tmp_path: Path) -> None:
    """Neither an object nor shards."""

    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 3 * BLOCK:
                raise OSError(5, "the disk is broken")
            return super().read(size)

    zstor.store("key", b"before")
    with pytest.raises(OSError, match="the disk is broken"):
        zstor.store("key", Failing(b"x" * 10 * BLOCK))
    with pytest.raises(FileNotFoundError):
        zstor.store("key", tmp_path / "nosuch")
    assert zstor.read("key") == b"before"
    zstor.settle()
    assert place.left() == 5


def test_what_cannot_be_placed_is_refused_with_what_is_wrong(place: Place, zstor: Zstor) -> None:
    """The backend, and what it said."""
    place.data(3).down = True
    with pytest.raises(NotStoredError, match="data-03 is down") as caught:
        zstor.store("key", b"x")
    assert "What was there before is there still" in caught.value.hint
    assert place.left() == 0

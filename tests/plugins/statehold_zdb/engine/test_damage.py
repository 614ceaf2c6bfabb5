"""What a start makes of files that a crash, a disk or a person has damaged."""

from __future__ import annotations

import errno
import os
import random
import shutil
from pathlib import Path

import pytest
from zdb_engines import SEGMENT, contents, data_file, index_file, opened, scanned

from statehold_zdb.engine import (
    Durability,
    Engine,
    ZdbError,
    ZdbHeldError,
    ZdbMissingError,
    ZdbReadError,
    ZdbWriteError,
)

ROWS = {b"key%d" % i: bytes([i]) * (i * 7 % 90) for i in range(40)}


def written(folder: Path, rows: dict[bytes, bytes] = ROWS, **options: object) -> Engine:
    engine = opened(folder, durability=Durability.parse("relaxed"), **options)
    for key, payload in rows.items():
        engine["default"].set(key, payload)
    return engine


def killed(folder: Path, rows: dict[bytes, bytes] = ROWS, **options: object) -> None:
    """Leave files as a killed process does."""
    engine = written(folder, rows, **options)
    engine["default"].abandon("it was killed")
    engine.close()


def test_a_torn_tail_is_cut_at_every_byte_of_the_last_record(tmp_path: Path) -> None:
    """Whatever part of the last record was written: the others are there, and writing goes on."""
    killed(tmp_path / "whole", {**ROWS, b"last": b"payload of the last one"})
    whole = data_file(tmp_path / "whole").read_bytes()
    shutil.copytree(tmp_path / "whole", tmp_path / "without")
    last = whole.rindex(b"\xf5zR\x01")
    for end in range(last, len(whole)):
        folder = tmp_path / str(end)
        shutil.copytree(tmp_path / "whole", folder)
        os.truncate(data_file(folder), end)
        with opened(folder, durability=Durability.parse("relaxed")) as engine:
            assert contents(engine["default"]) == ROWS
            assert data_file(folder).stat().st_size == last
            engine["default"].set(b"next", b"after")
        with opened(folder) as engine:
            assert contents(engine["default"]) == {**ROWS, b"next": b"after"}
        shutil.rmtree(folder)


def test_a_batch_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    """Wherever a crash has cut it; a batch that was written to its end stays."""
    engine = written(tmp_path / "whole")
    engine["default"].write([(b"key1", b"anew"), (b"key2", None), (b"key3", b""), (b"more", b"x" * 50)])
    after = contents(engine["default"])
    engine["default"].abandon("it was killed")
    engine.close()
    whole = data_file(tmp_path / "whole").stat().st_size
    for end in range(whole - 4 * 48 - 80, whole + 1, 8):
        folder = tmp_path / str(end)
        shutil.copytree(tmp_path / "whole", folder)
        os.truncate(data_file(folder), end)
        with opened(folder, durability=Durability.parse("relaxed")) as engine:
            found = contents(engine["default"])
            assert found == (after if end == whole else ROWS) or len(found) < len(ROWS)
            assert (b"more" in found) == (end == whole) == (found.get(b"key1") == b"anew")
        shutil.rmtree(folder)


def test_a_batch_larger_than_what_is_read_at_once(tmp_path: Path) -> None:
    """It is one, all the same."""
    engine = opened(tmp_path, durability=Durability.parse("relaxed"))
    batch = [(b"k%d" % i, bytes([i]) * 400_000) for i in range(30)]
    engine["default"].write(batch)
    engine["default"].set(b"after", b"1")
    engine["default"].abandon("it was killed")
    engine.close()
    for cut, expected in ((0, {**dict(batch), b"after": b"1"}), (48, dict(batch)), (2, {})):
        os.truncate(data_file(tmp_path), data_file(tmp_path).stat().st_size - cut)
        index_file(tmp_path).unlink()
        with opened(tmp_path) as engine:
            assert contents(engine["default"]) == expected


@pytest.mark.parametrize("size", [1, 100, 5000, 70_000])
def test_zeros_at_the_end_are_no_records(tmp_path: Path, size: int) -> None:
    """The shape that a loss of power leaves: the file is long enough, its last blocks are empty."""
    killed(tmp_path)
    end = data_file(tmp_path).stat().st_size
    os.truncate(data_file(tmp_path), end + size)
    with opened(tmp_path) as engine:
        assert contents(engine["default"]) == ROWS
        assert data_file(tmp_path).stat().st_size == end


def test_the_last_8_kib_zeroed_give_no_wrong_value(tmp_path: Path) -> None:
    """Keys of records that are gone are gone; none returns bytes that are not its own."""
    rows = {b"key%04d" % i: b"payload %04d" % i * 9 for i in range(500)}
    killed(tmp_path, rows)
    file = data_file(tmp_path)
    size = file.stat().st_size
    with file.open("r+b") as data:
        data.seek(size - 8192)
        data.write(bytes(8192))
    with opened(tmp_path) as engine:
        found = contents(engine["default"])
        assert found.items() < rows.items()
        assert len(found) > 400
        engine["default"].set(b"more", b"1")
    with opened(tmp_path) as engine:
        assert contents(engine["default"]) == {**found, b"more": b"1"}


def test_an_index_cut_anywhere_loses_nothing(tmp_path: Path) -> None:
    """What an index file does not say any more, the data say: now, and at the start after that."""
    written(tmp_path / "whole").close()
    whole = index_file(tmp_path / "whole").read_bytes()
    for cut in [*range(1, 40), len(whole) // 2, len(whole) - 64, len(whole) - 1, len(whole)]:
        folder = tmp_path / str(cut)
        shutil.copytree(tmp_path / "whole", folder)
        os.truncate(index_file(folder), len(whole) - cut)
        for number in range(2):
            with opened(folder, durability=Durability.parse("relaxed")) as engine:
                namespace = engine["default"]
                assert contents(namespace) == {**ROWS, **{b"new%d" % i: b"n" for i in range(number)}}
                assert namespace.figures().live_bytes == sum(map(len, contents(namespace).values()))
                namespace.set(b"new%d" % number, b"n")
        shutil.rmtree(folder)


@pytest.mark.parametrize("where", range(0, 2000, 97))
def test_a_flipped_bit_of_an_index_is_found(tmp_path: Path, where: int) -> None:
    """An index file that says something else than what was written is not believed."""
    written(tmp_path).close()
    whole = bytearray(index_file(tmp_path).read_bytes())
    whole[where % len(whole)] ^= 4
    index_file(tmp_path).write_bytes(whole)
    with opened(tmp_path) as engine:
        assert contents(engine["default"]) == ROWS
        assert scanned(engine["default"]) == list(ROWS)


def test_a_flipped_byte_of_a_payload_is_an_error_and_never_a_value(tmp_path: Path) -> None:
    """GET says so, CHECK says so, other keys are untouched, and writing the key mends it."""
    engine = written(tmp_path)
    with data_file(tmp_path).open("r+b") as file:
        at = file.read().index(ROWS[b"key7"])
        file.seek(at + 3)
        file.write(b"\xff")
    namespace = engine["default"]
    with pytest.raises(ZdbReadError, match="is not what was written"):
        namespace.get(b"key7")
    assert namespace.check(b"key7") is False
    assert namespace.read_errors == 2
    assert namespace.check(b"key8") is True
    assert namespace.set(b"key7", ROWS[b"key7"]) == b"key7"
    assert contents(namespace) == ROWS
    engine.close()


def test_no_flipped_bit_of_a_data_file_gives_a_wrong_value(tmp_path: Path) -> None:
    """Anywhere, in headers too: a key has its payload, or an error, or is gone after a start."""
    killed(tmp_path / "whole")
    whole = data_file(tmp_path / "whole").read_bytes()
    draw = random.Random(1)
    for number in range(60):
        folder = tmp_path / str(number)
        shutil.copytree(tmp_path / "whole", folder)
        if number % 2:
            with opened(folder):
                pass  # so that the index says it all
        damaged = bytearray(whole)
        damaged[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        data_file(folder).write_bytes(damaged)
        with opened(folder) as engine:
            namespace = engine["default"]
            lost = 0
            for key, payload in ROWS.items():
                try:
                    found = namespace.get(key)
                except ZdbReadError:
                    found = None
                assert found in (payload, None)
                lost += found is None
            assert lost <= 1
        shutil.rmtree(folder)


def test_records_after_damage_in_the_middle_are_found_again(tmp_path: Path) -> None:
    """Without an index, too: what is whole counts, whatever stands before it."""
    killed(tmp_path)
    data = bytearray(data_file(tmp_path).read_bytes())
    data[600:640] = bytes(40)
    data_file(tmp_path).write_bytes(data)
    with opened(tmp_path) as engine:
        found = contents(engine["default"])
        assert len(ROWS) - 3 <= len(found) < len(ROWS)
        assert found.items() <= ROWS.items()
        assert engine["default"].figures().live_bytes == sum(map(len, found.values()))


def test_a_segment_stored_as_a_payload_is_no_records_when_damage_is_passed_over(tmp_path: Path) -> None:
    """Its records have another namespace's seed."""
    killed(tmp_path / "other", {b"foreign%d" % i: b"f" for i in range(50)})
    foreign = data_file(tmp_path / "other").read_bytes()
    killed(tmp_path / "own", {b"a": b"1", b"file": foreign, b"z": b"2"})
    file = data_file(tmp_path / "own")
    data = bytearray(file.read_bytes())
    data[data.index(b"file") - 9] ^= 1  # in the header of the record that has the segment
    file.write_bytes(data)
    with opened(tmp_path / "own") as engine:
        assert contents(engine["default"]) == {b"a": b"1", b"z": b"2"}


def test_a_damaged_header_of_a_segment_costs_no_record(tmp_path: Path) -> None:
    """With its index file, and without it."""
    for gone in (False, True):
        folder = tmp_path / str(gone)
        written(folder).close()
        with data_file(folder).open("r+b") as file:
            file.write(bytes(20))
        if gone:
            index_file(folder).unlink()
        for _ in range(2):
            with opened(folder) as engine:
                assert contents(engine["default"]) == ROWS
                engine["default"].set(b"key1", ROWS[b"key1"])


def test_an_index_of_data_that_were_compacted_since_is_not_believed(tmp_path: Path) -> None:
    """The file of the index is that of before; the data say what is true."""
    engine = written(tmp_path, segment_size=SEGMENT)
    namespace = engine["default"]
    namespace.jump()
    for i in range(0, 40, 2):
        namespace.delete(b"key%d" % i)
    before = index_file(tmp_path).read_bytes()
    assert namespace.compact() > 0
    engine.close()
    index_file(tmp_path).write_bytes(before)
    with opened(tmp_path) as engine:
        assert contents(engine["default"]) == {k: v for i, (k, v) in enumerate(ROWS.items()) if i % 2}


def test_a_folder_is_held_by_one_engine(tmp_path: Path) -> None:
    """A second one is refused, and is not when the first is closed."""
    with opened(tmp_path), pytest.raises(ZdbHeldError, match="is held by another engine"):
        opened(tmp_path)
    with opened(tmp_path):
        pass


def test_data_and_index_are_different_folders(tmp_path: Path) -> None:
    """They would mix their namespaces."""
    with pytest.raises(ZdbError, match="data and index are both"):
        Engine(tmp_path, tmp_path)


def test_without_the_data_the_index_still_answers_what_it_can(tmp_path: Path) -> None:
    """A segment that is elsewhere: keys, sizes, stamps and scans are there, payloads are asked for."""
    engine = written(tmp_path, segment_size=SEGMENT, fetch_limit=0.1)
    engine["default"].jump()
    engine["default"].set(b"here", b"1")
    assert engine["default"].evict(0)
    engine.close()
    assert not data_file(tmp_path).exists()
    with opened(tmp_path, fetch_limit=0.1) as engine:
        namespace = engine["default"]
        assert scanned(namespace) == [*ROWS, b"here"]
        entry = namespace.entry(b"key5")
        assert (entry.size, namespace.exists(b"key5")) == (35, True)
        assert namespace.get(b"here") == b"1"
        with pytest.raises(ZdbMissingError, match="segment 0 is not on this disk"):
            namespace.get(b"key5")
        assert namespace.set(b"key5", b"anew") == b"key5"
        assert namespace.get(b"key5") == b"anew"
        assert namespace.figures().live_bytes == sum(map(len, ROWS.values())) - 35 + 4 + 1
        assert namespace.figures().missing == 1


def test_a_scan_tells_of_an_index_that_is_damaged_and_leaves_no_key_out(tmp_path: Path) -> None:
    """A reload makes it anew."""
    with opened(tmp_path) as engine:
        namespace = engine["default"]
        for key, payload in ROWS.items():
            namespace.set(key, payload)
        namespace.jump()
        index = index_file(tmp_path)
        index.write_bytes(index.read_bytes()[:-100])
        with pytest.raises(ZdbReadError, match="is damaged"):
            scanned(namespace)
        engine.reload("default")
        assert sorted(scanned(namespace)) == sorted(ROWS)


def test_what_cannot_be_read_is_written_anew_and_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad sector keeps nobody from that."""
    with opened(tmp_path) as engine:
        namespace = engine["default"]
        namespace.write([(b"a", b"1"), (b"b", b"1")])
        namespace.jump()
        assert namespace.get(b"a") == b"1"
        bad, pread = data_file(tmp_path).stat(), os.pread

        def failing(fd: int, size: int, at: int) -> bytes:
            if os.path.samestat(os.fstat(fd), bad):
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return pread(fd, size, at)

        with monkeypatch.context() as patch:
            patch.setattr(os, "pread", failing)
            patch.setattr("statehold_zdb.engine._reading.pread", failing)
            with pytest.raises(ZdbReadError):
                namespace.get(b"a")
            assert namespace.set(b"a", b"2") == b"a"
            assert namespace.delete(b"b")
        assert contents(namespace) == {b"a": b"2"}


def test_a_compaction_beside_an_index_that_was_just_made_anew_brings_nothing_back(tmp_path: Path) -> None:
    """As long as that index is not whole its segment is left alone; so are tombstones of what it has."""
    with opened(tmp_path) as engine:
        namespace = engine["default"]
        for key in (b"gone", b"stays"):
            namespace.set(key, b"v" * 100)
        namespace.jump()
        namespace.delete(b"gone")
        namespace.set(b"more", b"v" * 100)
        namespace.jump()
    index_file(tmp_path).unlink()
    with opened(tmp_path) as engine:
        engine["default"].compact_if_changed(0.0)
    with opened(tmp_path) as engine:
        assert contents(engine["default"]) == {b"stays": b"v" * 100, b"more": b"v" * 100}


def test_an_index_that_a_compaction_cannot_put_in_place_costs_no_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data are others by then: what is read is read of them, and they stay until an index has them."""
    replace = Path.replace

    def refusing(path: Path, target: str) -> Path:
        if path == index_file(tmp_path).with_name("i0.new"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return replace(path, target)

    rows = {b"k%d" % i: b"v" * (100 + i) for i in range(10)}
    with opened(tmp_path) as engine:
        namespace = engine["default"]
        namespace.set(b"gone", b"v" * 1000)
        for key, payload in rows.items():
            namespace.set(key, payload)
        namespace.delete(b"gone")
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", refusing)
            with pytest.raises(ZdbWriteError, match="then reload the namespace"):
                namespace.compact()
        assert data_file(tmp_path).stat().st_size < 2000
        namespace.descriptors.clear()
        assert contents(namespace) == rows
        assert not namespace.evict(0)
        namespace.set(b"k0", b"new")
        engine.reload("default")
        assert contents(namespace) == {**rows, b"k0": b"new"}
        assert sorted(scanned(namespace)) == sorted(rows)
        namespace.write_index()
        assert namespace.evict(0)

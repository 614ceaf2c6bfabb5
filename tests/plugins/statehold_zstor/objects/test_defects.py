"""What the original zstor does wrong, each with a test that it is done right here."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import pytest
from zstor_worlds import BLOCK, LIMIT, Place, config_of, data_url

from statehold.sdk import StateholdError
from statehold_zstor.objects import DamagedError, NotStoredError, Zstor

DATA = os.urandom(4 * BLOCK + 9)


@pytest.fixture
def place() -> Place:
    return Place()


def test_c_a_rebuild_keeps_the_shard_counts_of_the_object(place: Place) -> None:
    """Whatever the configuration says by then: there, old counts with new shards made it unreadable."""
    with place.zstor(k=3, n=5, groups=(9,)) as zstor:
        info = zstor.store("key", DATA)
    for counts in ({"k": 2, "n": 4}, {"k": 4, "n": 8}):
        with place.zstor(**counts, groups=(9,)) as zstor:
            place.shelf(info.backends[0]).down = True
            info = zstor.rebuild("key").info
            assert (info.data_shards, info.shards, info.missing) == (3, 5, ())
            assert zstor.verify("key").whole
            assert zstor.read("key") == DATA
            new = zstor.store("new", DATA)
            assert (new.data_shards, new.shards) == (counts["k"], counts["n"])
        for shelf in place.datas():
            shelf.down = False


def test_d_a_backend_that_answers_and_has_lost_its_data_is_not_healthy(place: Place) -> None:
    """It is found by reading, and filled again; a repair that fails is not silent."""
    with place.zstor(groups=(5,)) as zstor:
        info = zstor.store("key", DATA)
        place.shelf(info.backends[1]).values.clear()
        assert [bad.backend for bad in zstor.verify("key").bad] == [info.backends[1]]
        assert zstor.rebuild("key").repaired == {1: info.backends[1]}
        for name in info.backends[:3]:
            place.shelf(name).values.clear()
        with pytest.raises(DamagedError):
            zstor.rebuild("key")


def test_e_overwrites_rebuilds_and_failed_stores_leave_no_shards(place: Place) -> None:
    """There, backends only grow."""
    with place.zstor(groups=(7,)) as zstor:
        for number in range(4):
            info = zstor.store("key", DATA[number:])
            away = place.shelf(info.backends[number])
            away.down = True
            zstor.rebuild("key")
            away.down = False
            zstor.world.look()
            entry = zstor.world.metadata.read("key")
            assert entry is not None
            zstor.clean(entry)
            for shelf in place.metas():
                shelf.full = True
            with pytest.raises(NotStoredError, match="'key'"):
                zstor.store("key", b"fails")
            for shelf in place.metas():
                shelf.full = False
        zstor.settle()
        zstor.sweep(age=-60)
        assert place.left() == 5 * 5
        assert zstor.delete("key")
        zstor.settle()
        assert place.left() == 0


def test_f_damaged_metadata_of_one_object_end_nothing(place: Place) -> None:
    """There, they end the daemon, at every sweep."""
    with place.zstor() as zstor:
        for key in ("a", "b"):
            zstor.store(key, DATA)
        names = {name for shelf in place.metas() for name in shelf.values if "/meta/" in name}
        broken = min(names)
        for shelf in place.metas():
            shelf.values[broken] = b"\xff" * len(shelf.values[broken])
        readable = []
        for key in ("a", "b"):
            with contextlib.suppress(StateholdError):
                readable.append(zstor.read(key) == DATA)
        assert readable == [True]


@pytest.mark.parametrize("groups", [(3, 3, 3), (1, 4, 4)])
def test_g_and_i_rules_for_groups_hold_also_after_rebuilds(place: Place, groups: tuple[int, ...]) -> None:
    """For kept shards too: any whole group may be lost then, and what was stored is read."""
    rules = {"k": 2, "n": 5, "groups": groups, "redundant_groups": 1}
    members, first = [], 0
    for count in groups:
        members.append([data_url(number) for number in range(first, first + count)])
        first += count
    with place.zstor(**rules) as zstor:
        for number in range(6):
            zstor.store(f"key{number}", DATA)
        for away in members[1][:1] + members[2][:1]:
            place.shelf(away).down = True
            for number in range(6):
                assert zstor.world.holds(_meta(zstor, zstor.rebuild(f"key{number}").info.key))
            place.shelf(away).down = False
        for group in members:
            for name in group:
                place.shelf(name).down = True
            for number in range(6):
                assert zstor.read(f"key{number}") == DATA
            for name in group:
                place.shelf(name).down = False


def _meta(zstor: Zstor, key: str):
    entry = zstor.world.metadata.read(key)
    assert entry is not None
    return entry.meta


def test_h_a_read_takes_what_it_needs_and_waits_for_nobody_else(place: Place) -> None:
    """There, it waits for all shards, 30 s for each, and reads a quarter more than needed."""
    with place.zstor(k=8, n=12, groups=(12,), block=16 * 1024) as zstor:
        data = os.urandom(10 * 16 * 1024)
        info = zstor.store("key", data)
        gate = threading.Event()
        for name in info.backends[8:]:
            place.shelf(name).gate = gate
        for shelf in place.datas():
            shelf.gets.clear()
        try:
            assert zstor.read("key") == data
        finally:
            gate.set()
        for name in info.backends[8:]:
            place.shelf(name).gate = None
        assert sum(len(place.shelf(name).gets) for name in info.backends[:8]) == 8 * 10


def test_i_a_file_appears_when_all_of_it_is_right(place: Place, tmp_path: Path) -> None:
    """Or not at all: what is there stays until then, and nothing is left of what was begun."""
    target = tmp_path / "file"
    target.write_bytes(b"what is there")
    with place.zstor() as zstor:
        info = zstor.store("key", DATA)
        seen = []

        def progress(_: int) -> None:
            seen.append((target.read_bytes(), len(list(tmp_path.iterdir()))))

        for name in info.backends[:3]:
            shelf = place.shelf(name)
            (last,) = [key for key in shelf.data() if key.endswith("/4")]
            shelf.values[last] = shelf.values[last][:-1] + b"!"
        with pytest.raises(DamagedError, match="block 4"):
            zstor.retrieve("key", target, progress=progress)
        assert seen[0] == (b"what is there", 2)
        assert [path.name for path in tmp_path.iterdir()] == ["file"]
        assert target.read_bytes() == b"what is there"


def test_i_a_file_is_brought_back_however_long_its_name_is(place: Place, tmp_path: Path) -> None:
    """A name has up to 255 bytes; letters may have several of them."""
    for name in ("x" * 255, "é" * 127, "本" * 85):
        path = tmp_path / name
        path.write_bytes(DATA)
        with place.zstor() as zstor:
            zstor.store(name, path)
            path.unlink()
            zstor.retrieve(name, path)
        assert path.read_bytes() == DATA


def test_k_a_zstor_ends_although_backends_are_away(place: Place) -> None:
    """What is still to be deleted is noted with the object, not in a queue of the process."""
    zstor = place.zstor(groups=(6,))
    info = zstor.store("key", DATA)
    place.shelf(info.backends[0]).down = True
    zstor.delete("key")
    thread = threading.Thread(target=zstor.close)
    thread.start()
    thread.join(LIMIT)
    assert not thread.is_alive()
    place.shelf(info.backends[0]).down = False
    with place.zstor(groups=(6,)) as other:
        assert other.status().garbage == 1
        for entry in list(other.world.metadata.scan(deleted=True)):
            other.clean(entry)
        assert other.status().garbage == 0
    assert place.left() == 0


def test_a_removed_backend_is_emptied_by_a_rebuild(place: Place) -> None:
    """As long as it can be reached: its shards are moved, then deleted there."""
    with place.zstor(groups=(6,)) as zstor:
        info = zstor.store("key", DATA)
        number = int(info.backends[2][-2:])
        zstor.reload(config_of(groups=(6,), removed=frozenset({number})))
        assert zstor.read("key") == DATA
        repair = zstor.rebuild("key")
        assert repair.moved.keys() == {2}
        assert repair.repaired == {}
        zstor.settle()
        assert place.data(number).data() == []
        zstor.forget([data_url(number)])
        assert data_url(number) not in zstor.world.lanes
        assert zstor.verify("key").whole


def test_a_configuration_is_changed_while_objects_are_stored_and_read(place: Place) -> None:
    """Calls that run come to their end with the one that they began with."""
    with place.zstor(groups=(6,)) as zstor:
        zstor.store("key", DATA)
        gate, reached = threading.Event(), threading.Event()

        def wait(_: str) -> None:
            reached.set()
            assert gate.wait(LIMIT)

        place.data(1).before_put = wait
        place.data(0).before_put = wait
        thread = threading.Thread(target=lambda: zstor.store("late", DATA))
        thread.start()
        assert reached.wait(LIMIT)
        zstor.reload(config_of(groups=(6,), metas=4, compression={"algorithm": "zstd"}, timeout=5))
        assert zstor.read("key") == DATA
        gate.set()
        thread.join(LIMIT)
        assert zstor.read("late") == DATA
        assert zstor.verify("late").whole

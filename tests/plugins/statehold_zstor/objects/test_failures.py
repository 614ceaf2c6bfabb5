"""Backends that are stopped, slow, full or cut off while objects are stored, read and repaired."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from zstor_worlds import BLOCK, LIMIT, InMemory, Place, Shelf, config_of

from statehold_zstor.metadata import MetadataError, MetadataUnavailableError
from statehold_zstor.objects import DamagedError, MaybeStoredError, NotStoredError, Zstor
from statehold_zstor.objects._pieces import new_keys

DATA = os.urandom(6 * BLOCK + 1)


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.fixture
def zstor(place: Place) -> Iterator[Zstor]:
    """Return one of 3 of 5 shards on 7 backends."""
    with place.zstor(groups=(7,)) as opened:
        yield opened


def stopped(shelf: Shelf) -> None:
    shelf.down = True


def full(shelf: Shelf) -> None:
    shelf.full = True


def after_pieces(place: Place, count: int, then: Callable[[Shelf], None]) -> list[Shelf]:
    """Do *then* to a backend with the n-th piece of all that are written, once; return to which."""
    hit: list[Shelf] = []
    lock = threading.Lock()
    seen = 0

    def count_puts(shelf: Shelf, key: str) -> None:
        nonlocal seen
        with lock:
            seen += 1
            if seen == count and "/data/" in key:
                hit.append(shelf)
                then(shelf)

    for shelf in place.datas():
        shelf.before_put = lambda key, shelf=shelf: count_puts(shelf, key)  # type: ignore[misc]
    return hit


@pytest.mark.parametrize("harm", [stopped, full], ids=["stopped", "full"])
@pytest.mark.parametrize("count", [1, 5, 13, 33])
def test_a_backend_that_fails_while_an_object_is_stored_is_replaced(
    place: Place, zstor: Zstor, harm: Callable[[Shelf], None], count: int
) -> None:
    """With the first piece or a later one: it is acknowledged with all shards, elsewhere."""
    hit = after_pieces(place, count, harm)
    info = zstor.store("key", DATA)
    assert len(hit) == 1
    assert hit[0].name not in info.backends
    assert info.missing == ()
    assert zstor.verify("key").whole
    assert zstor.read("key") == DATA
    hit[0].down = hit[0].full = False
    zstor.world.look()
    entry = zstor.world.metadata.read("key")
    assert entry is not None
    zstor.clean(entry)
    assert hit[0].data() == [], "what it had taken is deleted when it answers"


@pytest.mark.parametrize("harm", [stopped, full], ids=["stopped", "full"])
def test_where_nobody_replaces_it_nothing_is_acknowledged(
    place: Place, harm: Callable[[Shelf], None]
) -> None:
    """What was there before is there still, and what was written is deleted."""
    with place.zstor(groups=(5,)) as zstor:
        zstor.store("key", b"before")
        hit = after_pieces(place, 7, harm)
        with pytest.raises(NotStoredError, match=r"4 of its 5 shards are written, 5 are needed: .*data-0"):
            zstor.store("key", DATA)
        hit[0].down = hit[0].full = False
        zstor.settle()
        assert zstor.read("key") == b"before"
        assert zstor.verify("key").whole
        zstor.sweep(age=-60)
        assert place.left() == 5


def test_where_too_many_fail_at_once_it_is_told_and_nothing_is_left(place: Place, zstor: Zstor) -> None:
    """A partition that leaves too few backends to read what would be written."""

    def cut_off(_: Shelf) -> None:
        for number in range(5):
            place.data(number).down = True

    zstor.store("other", b"x")
    after_pieces(place, 9, cut_off)
    with pytest.raises(NotStoredError, match="'key' is not stored"):
        zstor.store("key", DATA)
    for shelf in place.datas():
        shelf.down = False
    assert zstor.check("key") is None
    zstor.sweep(age=-60)
    assert place.left() == 5
    assert zstor.store("key", DATA).generation == 1


def test_a_slow_backend_holds_up_no_read(place: Place, zstor: Zstor, tmp_path: Path) -> None:
    """Another shard is asked for when one does not come: the first that suffice win."""
    info = zstor.store("key", DATA)
    gate = threading.Event()
    slow = [place.shelf(name) for name in info.backends[:2]]
    for shelf in slow:
        shelf.gate = gate
    try:
        assert zstor.read("key") == DATA
        zstor.retrieve("key", tmp_path / "file")
        assert (tmp_path / "file").read_bytes() == DATA
    finally:
        gate.set()


def test_a_write_waits_for_a_slow_backend_and_others_go_on_meanwhile(place: Place, zstor: Zstor) -> None:
    """It is not acknowledged before that one has its shard; readers and other writers do not notice."""
    zstor.store("other", b"other")
    gate, reached, done = threading.Event(), threading.Event(), threading.Event()

    def slow_down(shelf: Shelf) -> None:
        shelf.gate = gate
        reached.set()

    hit = after_pieces(place, 3, slow_down)

    def store() -> None:
        zstor.store("key", DATA)
        done.set()

    thread = threading.Thread(target=store)
    thread.start()
    try:
        assert reached.wait(LIMIT)
        assert zstor.read("other") == b"other"
        assert not done.is_set()
        assert zstor.check("key") is None
    finally:
        gate.set()
        thread.join(LIMIT)
    assert done.is_set()
    info = zstor.check("key")
    assert info is not None
    assert hit[0].name in info.backends
    assert zstor.verify("key").whole


def test_as_many_backends_as_may_be_lost_go_while_an_object_is_read(place: Place, zstor: Zstor) -> None:
    """The block that was being fetched comes from others."""
    info = zstor.store("key", DATA)
    read = bytearray()
    for offset in range(0, len(DATA), BLOCK):
        read += zstor.read("key", offset, BLOCK)
        for name in info.backends[:2]:
            place.shelf(name).down = True
    assert bytes(read) == DATA
    place.shelf(info.backends[2]).down = True
    with pytest.raises(DamagedError, match="block 0 has 2 sound shards, 3 are needed"):
        zstor.read("key", 0, 1)
    place.shelf(info.backends[2]).down = False
    assert zstor.read("key") == DATA


def test_redundancy_comes_back_elsewhere_and_the_old_shards_are_deleted_when_they_can_be(
    place: Place, zstor: Zstor
) -> None:
    """A rebuild counts what does not answer as lost."""
    info = zstor.store("key", DATA)
    gone = info.backends[:2]
    for name in gone:
        place.shelf(name).down = True
    repair = zstor.rebuild("key")
    assert set(repair.repaired) == {0, 1}
    assert not set(gone) & set(repair.info.backends)
    assert zstor.verify("key").whole
    for name in gone:
        assert place.shelf(name).data()
        place.shelf(name).down = False
    zstor.world.look()
    entry = zstor.world.metadata.read("key")
    assert entry is not None
    assert {leftover.backend for leftover in entry.leftovers} == set(gone)
    zstor.clean(entry)
    assert [place.shelf(name).data() for name in gone] == [[], []]
    assert zstor.status().garbage == 0
    assert zstor.read("key") == DATA


@pytest.mark.parametrize("harm", [stopped, full], ids=["stopped", "full"])
def test_a_backend_that_fails_while_it_gets_a_rebuilt_shard_is_replaced(
    place: Place, zstor: Zstor, harm: Callable[[Shelf], None]
) -> None:
    """By another one that is left."""
    info = zstor.store("key", DATA)
    place.shelf(info.backends[0]).down = True
    hit = after_pieces(place, 3, harm)
    repair = zstor.rebuild("key")
    assert hit[0].name not in repair.info.backends
    assert repair.info.missing == ()
    assert zstor.verify("key").whole
    assert zstor.read("key") == DATA


def test_a_rebuild_that_nobody_has_room_for_says_so_and_does_what_it_can(place: Place) -> None:
    """The shards that could be made anew are."""
    with place.zstor(groups=(6,)) as zstor:
        info = zstor.store("key", DATA)
        for name in info.backends[:2]:
            place.shelf(name).down = True
        with pytest.raises(NotStoredError, match=r"'key' has 4 of its 5 shards"):
            zstor.rebuild("key")
        assert zstor.read("key") == DATA
        place.shelf(info.backends[0]).down = False
        assert zstor.rebuild("key").info.missing == ()
        assert zstor.verify("key").whole


def test_damage_on_a_backend_that_takes_nothing_any_more_is_made_anew_elsewhere(
    place: Place, zstor: Zstor
) -> None:
    """A disk that is full, or broken for writes, keeps no damaged shard."""
    info = zstor.store("key", DATA)
    shelf = place.shelf(info.backends[4])
    shelf.values[shelf.data()[2]] = b"rot"
    shelf.full = True
    repair = zstor.rebuild("key")
    assert repair.repaired.keys() == {4}
    assert shelf.name not in repair.info.backends
    assert zstor.verify("key").whole


def test_metadata_that_cannot_be_written_acknowledge_nothing(place: Place, zstor: Zstor) -> None:
    """With one of their backends away, unless the policy says that fewer suffice."""
    zstor.store("key", b"before")
    place.metas()[1].down = True
    with pytest.raises(NotStoredError):
        zstor.store("key", DATA)
    assert zstor.read("key") == b"before"
    place.metas()[1].down = False
    with place.zstor(groups=(7,), acknowledge={"metadata": 3}) as lenient:
        place.metas()[1].down = True
        info = lenient.store("key", DATA)
        assert lenient.read("key") == DATA
        assert info.lagging == (place.metas()[1].name,)


def test_metadata_of_which_too_few_answer_are_an_error_not_an_empty_zstor(place: Place, zstor: Zstor) -> None:
    """Nobody is told that there is no such object."""
    zstor.store("key", DATA)
    for shelf in place.metas()[:3]:
        shelf.down = True
    for call in (zstor.read, zstor.check, zstor.verify, zstor.rebuild, zstor.delete):
        with pytest.raises(MetadataError):
            call("key")
    with pytest.raises(MetadataError):
        list(zstor.list())
    with pytest.raises(NotStoredError, match="'key' is not stored"):
        zstor.store("key", b"x")
    status = zstor.status()
    assert status.problem
    assert [each.reachable for each in status.backends if each.metadata] == [False] * 3 + [True]
    for shelf in place.metas():
        shelf.down = False
    assert zstor.read("key") == DATA


def test_a_deleted_object_whose_backend_is_away_is_cleaned_up_later(place: Place, zstor: Zstor) -> None:
    """Nobody can read it meanwhile."""
    info = zstor.store("key", DATA)
    away = place.shelf(info.backends[0])
    away.down = True
    assert zstor.delete("key")
    zstor.settle()
    assert zstor.check("key") is None
    assert zstor.status().garbage == 1
    away.down = False
    zstor.world.look()
    for entry in list(zstor.world.metadata.scan(deleted=True)):
        zstor.clean(entry)
    assert place.left() == 0
    assert zstor.status().garbage == 0


class Clock:
    """That of the computer, and of one that is set otherwise."""

    def __init__(self, *, behind: float = 0.0) -> None:
        self.behind = behind
        self.later = 0.0

    def time(self) -> float:
        return time.time() - self.behind

    def monotonic(self) -> float:
        return time.monotonic() + self.later


def test_writings_that_came_to_no_end_are_swept_away_and_nothing_else(
    place: Place, zstor: Zstor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written just now, and what objects have, stays."""
    clock = Clock()
    monkeypatch.setattr("statehold_zstor.objects._cleaning.time", clock)
    zstor.store("key", DATA)
    left = place.left()
    shelf = place.data(0)
    old, new = "01000000000" + "0" * 17, f"{2**47:012x}" + "0" * 16
    shelf.values |= {f"test/data/{old}.0/0": b"x", f"test/data/{old}.0/1": b"x", f"test/data/{new}.0/0": b"x"}
    shelf.values |= {"test/data/strange": b"x", "other/data/x.0/0": b"x"}
    assert zstor.sweep() == 0
    clock.later = 90_000
    assert zstor.sweep() == 2
    assert zstor.sweep() == 0
    assert place.left() == left + 3
    assert zstor.verify("key").whole


def test_a_writer_whose_clock_is_days_behind_loses_nothing_to_a_sweep(
    place: Place, zstor: Zstor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Just before it writes the metadata of what it has written."""
    zstor.store("other", b"x")
    write, swept = zstor.world.metadata.write, []

    def write_later(*arguments: object, **options: object) -> object:
        swept.append(zstor.sweep())
        return write(*arguments, **options)

    monkeypatch.setattr("statehold_zstor.objects._storing.time", Clock(behind=2 * 86_400))
    monkeypatch.setattr(zstor.world.metadata, "write", write_later)
    zstor.store("key", DATA)
    assert swept == [0]
    assert zstor.verify("key").whole


@pytest.mark.parametrize("written", [True, False])
def test_where_nobody_knows_whether_metadata_were_written_it_is_found_out(
    place: Place, zstor: Zstor, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    """What was written is acknowledged, and none of it deleted; what was not is stored again."""
    metadata = zstor.world.metadata
    zstor.store("key", b"before")
    write, failures = metadata.write, []

    def fail_once(*arguments: object, **options: object) -> object:
        if failures:
            return write(*arguments, **options)
        failures.append(1)
        if written:
            write(*arguments, **options)
        raise MetadataUnavailableError("the answer is lost", maybe=True)

    monkeypatch.setattr(metadata, "write", fail_once)
    assert zstor.store("key", DATA).generation == 2
    assert failures
    zstor.settle()
    assert zstor.read("key") == DATA
    assert zstor.verify("key").whole
    zstor.sweep(age=-60)
    assert place.left() == 5 * 7


def test_a_stream_of_which_nobody_knows_whether_it_was_stored_is_an_error_that_says_so(
    place: Place, zstor: Zstor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot be read again; nothing of it is deleted, for it may be found."""
    zstor.store("key", b"before")
    left = place.left()

    def fail(*_: object, **__: object) -> object:
        raise MetadataUnavailableError("the answer is lost", maybe=True)

    monkeypatch.setattr(zstor.world.metadata, "write", fail)
    with pytest.raises(MaybeStoredError, match="'key' may be stored or not"):
        zstor.store("key", io.BytesIO(DATA))
    with pytest.raises(MaybeStoredError):
        zstor.store("key", DATA, expected=1)
    zstor.settle()
    assert place.left() == left + 2 * 5 * 7
    assert zstor.read("key") == b"before"


def after_promises(place: Place, harm: dict[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have backends of the metadata go down: each before so many swaps of it, from now on, were done."""
    shelves = place.metas()
    left = {shelves[number].name: count for number, count in harm.items()}
    swap, lock = InMemory.swap, threading.Lock()

    def counted(self: InMemory, key: str, before: bytes | None, after: bytes | None) -> None:
        with lock:
            if (count := left.get(self.name)) is not None:
                self.shelf.down = self.shelf.down or not count
                left[self.name] = max(0, count - 1)
        swap(self, key, before, after)

    monkeypatch.setattr(InMemory, "swap", counted)


def test_what_reached_fewer_backends_of_the_metadata_than_the_policy_says_is_not_acknowledged(
    place: Place, zstor: Zstor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can be read, but a backend went down just before it would have taken it."""
    zstor.store("key", b"before")
    after_promises(place, {0: 1}, monkeypatch)
    with pytest.raises(MaybeStoredError, match="'key' may be stored or not: metadata: 4 of 4 backends"):
        zstor.store("key", DATA)
    assert zstor.read("key") == DATA
    monkeypatch.undo()
    place.metas()[0].down = False
    with place.zstor(groups=(7,), acknowledge={"metadata": 3}) as lenient:
        after_promises(place, {1: 1}, monkeypatch)
        assert lenient.store("key", b"after").generation == 3
        assert lenient.read("key") == b"after"


def test_who_does_not_know_whether_it_was_stored_does_not_say_that_it_was_not(
    place: Place, zstor: Zstor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All backends of the metadata go down while it is written there, and it cannot be looked for."""
    zstor.store("key", b"before")
    after_promises(place, {0: 2, 1: 2, 2: 2, 3: 1}, monkeypatch)
    read = zstor.world.metadata.read

    def all_down(key: str) -> object:
        if place.metas()[3].down:
            for shelf in place.metas():
                shelf.down = True
        return read(key)

    monkeypatch.setattr(zstor.world.metadata, "read", all_down)
    with pytest.raises(MaybeStoredError, match="'key' may be stored or not: 4 of 4 backends"):
        zstor.store("key", DATA)
    monkeypatch.undo()
    for shelf in place.metas():
        shelf.down = False
    assert zstor.read("key") == DATA


def test_a_rebuild_that_took_so_long_that_its_shards_may_be_swept_away_changes_nothing(
    place: Place, zstor: Zstor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shards that the object had stay where they are."""
    info = zstor.store("key", DATA)
    away = [place.shelf(name) for name in info.backends[:2]]
    for shelf in away:
        shelf.down = True
    monkeypatch.setattr(
        "statehold_zstor.objects._improving.new_keys",
        lambda prefix, *, now: new_keys(prefix, now=now - 2 * 86_400),
    )
    swept: list[int] = []
    with pytest.raises(NotStoredError, match="'key' is not repaired: it took more than 43,200 s"):
        zstor.rebuild("key", progress=lambda _: swept.append(zstor.sweep(age=0)))
    assert sum(swept) > 0
    monkeypatch.undo()
    for shelf in away:
        shelf.down = False
    zstor.settle()
    assert zstor.verify("key").whole
    away[0].down = True
    zstor.rebuild("key")
    assert zstor.verify("key").whole


def test_where_no_metadata_are_found_no_shard_is_taken_for_nobody_s(place: Place, zstor: Zstor) -> None:
    """Their disk may not be mounted."""
    zstor.store("key", DATA)
    kept = [dict(shelf.values) for shelf in place.metas()]
    for shelf in place.metas():
        shelf.values.clear()
    assert zstor.check("key") is None
    assert zstor.sweep(age=-60) == 0
    for shelf, values in zip(place.metas(), kept, strict=True):
        shelf.values.update(values)
    assert zstor.verify("key").whole


def test_an_object_that_moves_to_backends_of_another_configuration_while_it_is_read_is_read(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The read began with a configuration that does not name them."""
    with place.zstor(groups=(5,)) as zstor:
        zstor.store("key", DATA)
        moved: list[int] = []
        get = InMemory.get

        def get_later(self: InMemory, key: str) -> bytes:
            if "/data/" in key and not moved:
                moved.append(1)
                zstor.reload(config_of(groups=(10,), removed=frozenset(range(5))))
                zstor.rebuild("key")
                zstor.settle()
            return get(self, key)

        monkeypatch.setattr(InMemory, "get", get_later)
        assert zstor.read("key") == DATA
        assert moved


def test_a_backend_that_hangs_keeps_no_object_from_being_stored_elsewhere(place: Place) -> None:
    """Also where no monitor has found that out before."""
    with place.zstor(groups=(8,), timeout=0.7) as zstor:
        hangs = place.data(0)
        hangs.gate = threading.Event()
        try:
            for key in ("one", "two"):
                assert hangs.name not in zstor.store(key, DATA).backends
                assert zstor.read(key) == DATA
        finally:
            hangs.gate.set()


def test_backends_that_hang_are_waited_for_together(place: Place) -> None:
    """Not one after another."""
    with place.zstor(groups=(8,), timeout=LIMIT) as zstor:
        lane = zstor.world.lanes[place.data(0).name]
        assert lane.told(Future(), since=time.monotonic() - 3 * LIMIT) == (False, None)
        assert lane.down_since is not None

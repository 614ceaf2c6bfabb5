from __future__ import annotations

import random
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from metadata_shelves import KEY, LIMIT, Shelf, meta, metadata_on, shelves
from zdb_servers import Running
from zstor_servers import S3Server, zdb, zdb_config

from statehold_zstor.backends import BackendUnreachableError, open_backend
from statehold_zstor.codec import MasterKey
from statehold_zstor.config import BackendConfig
from statehold_zstor.metadata import (
    Leftover,
    Metadata,
    MetadataConflictError,
    MetadataError,
    MetadataKeyError,
    MetadataUnavailableError,
    ObjectMeta,
)
from statehold_zstor.metadata._state import State

LEFT = (Leftover(backend="file:///a", keys="old/", values=3),)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with tempfile.TemporaryDirectory(prefix="zstor") as folder, zdb(Path(folder)) as running:
        yield running


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    server = S3Server()
    yield server
    server.stop()


def filled(found: list[Shelf], count: int) -> list[ObjectMeta]:
    metas = [meta(f"key-{number}", number) for number in range(count)]
    with metadata_on(found) as writer:
        for each in metas:
            writer.write(each, expected=None)
    return metas


@pytest.mark.parametrize(("count", "minimal"), [(1, 1), (2, 1), (3, 1), (3, 3), (4, 2), (5, 2), (6, 3)])
def test_what_is_written_is_read_with_as_few_backends_as_are_said(count: int, minimal: int) -> None:
    found = shelves(count)
    with metadata_on(found, minimal=minimal) as metadata:
        assert metadata.read("key") is None
        entry = metadata.write(meta("key"), expected=None)
        assert (entry.key, entry.meta, entry.missing) == ("key", meta("key"), ())
        assert metadata.read("key") == entry
        for shelf in found[minimal:]:
            shelf.down = True
        assert metadata.read("key") == entry
        found[0].down = True
        with pytest.raises(MetadataUnavailableError, match=r"shelf-0 is down"):
            metadata.read("key")


def test_damage_to_too_many_is_an_error_again_and_again_and_never_taken_for_nothing() -> None:
    """Also once a writer has announced itself there; and what comes back is found."""
    found = shelves(4)
    (written,) = filled(found, 1)
    kept = [dict(shelf.values) for shelf in found]
    with metadata_on(found) as metadata:
        for shelf in found:
            shelf.values.update(dict.fromkeys(shelf.values, b"rot"))
        for _ in range(3):
            with pytest.raises(MetadataUnavailableError):
                metadata.read(written.key)
            with pytest.raises(MetadataUnavailableError):
                metadata.write(written, expected=None)
        found[2].values.update(kept[2])
        with pytest.raises(MetadataUnavailableError):
            metadata.read(written.key)
        found[3].values.update(kept[3])
        entry = metadata.read(written.key)
        assert entry is not None
        assert entry.meta == written
        assert metadata.refresh(written.key)
        for shelf in found[2:]:
            shelf.down = True
        assert metadata.read(written.key) == entry


def test_one_backend_that_fails_fails_no_read() -> None:
    """Nor one that does not answer at all: nobody waits for it."""
    found = shelves()
    metas = filled(found, 3)
    with metadata_on(found) as metadata:
        for broken in found:
            broken.down = True
            assert [metadata.read(each.key).meta for each in metas] == metas
            broken.down = False
        found[1].gate = threading.Event()
        assert [metadata.read(each.key).meta for each in metas] == metas
        found[1].gate.set()


def test_a_write_takes_all_backends_unless_the_policy_says_fewer() -> None:
    found = shelves()
    found[3].down = True
    with metadata_on(found) as strict, metadata_on(found, acknowledge=3) as lenient:
        with pytest.raises(
            MetadataUnavailableError, match="4 of 4 backends must take a write, 3 did"
        ) as caught:
            strict.write(meta("key"), expected=None)
        assert not caught.value.maybe
        assert strict.read("key") is None
        entry = lenient.write(meta("key"), expected=None)
        assert entry.missing == ("shelf-3",)
        found[2].down = True
        with pytest.raises(MetadataUnavailableError, match="3 of 4 backends must take a write, 2 did"):
            lenient.write(meta("key", 2), expected=entry.version)


def test_metadata_are_encrypted_with_their_own_key_and_show_no_name() -> None:
    found = shelves()
    filled(found, 2)
    for shelf in found:
        for key, value in shelf.values.items():
            for shown in (b"key-1", b"file:///a", b"text", KEY.secret):
                assert shown not in value
                assert shown.decode("latin-1") not in key


def test_a_wrong_key_is_an_error_that_says_so() -> None:
    """And no crash, and nothing is changed."""
    found = shelves()
    filled(found, 2)
    before = [dict(shelf.values) for shelf in found]
    with metadata_on(found, key=MasterKey.new()) as metadata:
        for call in (
            lambda: metadata.read("key-1"),
            lambda: list(metadata.scan()),
            lambda: metadata.write(meta("key-1"), expected=None),
        ):
            with pytest.raises(MetadataKeyError, match="encrypted with another key"):
                call()
    with metadata_on(found) as metadata:
        assert metadata.read("key-1").meta == meta("key-1", 1)
    assert [sorted(shelf.values) for shelf in found] == [sorted(values) for values in before]


@pytest.mark.parametrize("damage", [b"", b"zsm1", b"\x00" * 300, "flip", "cut"])
def test_a_damaged_state_is_worked_around_and_repaired(damage: bytes | str) -> None:
    found = shelves()
    (each,) = filled(found, 1)
    for shelf in found[:2]:
        ((key, value),) = shelf.values.items()
        if isinstance(damage, bytes):
            shelf.values[key] = damage
        else:
            shelf.values[key] = value[:-20] if damage == "cut" else value[:60] + b"\xff" + value[61:]
    with metadata_on(found) as metadata:
        assert metadata.read(each.key).meta == each
        assert metadata.refresh(each.key)
        found[2].down = found[3].down = True
        assert metadata.read(each.key).meta == each


def test_of_two_who_write_at_once_one_wins_and_the_other_knows() -> None:
    """Counting together they lose no step, and count none twice."""
    found = shelves()
    with metadata_on(found) as metadata:
        metadata.write(meta("key", 0), expected=None)
    won = [0] * 3
    unknown: list[str] = []

    def count(number: int) -> None:
        with metadata_on(found) as metadata:
            while won[number] < 8:
                entry = metadata.read("key")
                try:
                    metadata.write(meta("key", entry.meta.generation + 1), expected=entry.version)
                except MetadataConflictError:
                    continue
                except MetadataUnavailableError as error:
                    # Who did not run while others wrote very often cannot know.
                    unknown.append(error.message)
                    continue
                won[number] += 1

    threads = [threading.Thread(target=count, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    with metadata_on(found) as metadata:
        entry = metadata.read("key")
    assert won == [8, 8, 8]
    assert 24 <= entry.meta.generation <= 24 + len(unknown)
    assert entry.meta == meta("key", entry.meta.generation)


def fail_at_random(
    seed: int, *, count: int = 4, minimal: int = 2, acknowledge: int | None = None, rate: float = 0.03
) -> None:
    """Have three writers count, whose calls fail before they do anything, and after they have done it."""
    found = shelves(count)
    with metadata_on(found, minimal=minimal) as metadata:
        metadata.write(meta("key", 0), expected=None)
    outcomes: list[str] = []
    mixed: list[ObjectMeta] = []

    def work(number: int) -> None:
        draw = random.Random(1000 * seed + number)

        def fail(shelf: int, call: str) -> None:
            if draw.random() < rate:
                raise BackendUnreachableError(f"shelf-{shelf} fails", backend=f"shelf-{shelf}")

        with metadata_on(
            found, minimal=minimal, acknowledge=acknowledge, before=fail, after=fail
        ) as metadata:
            for _ in range(12):
                try:
                    entry = metadata.read("key")
                    if entry.meta != meta("key", entry.meta.generation):
                        mixed.append(entry.meta)
                    metadata.write(meta("key", entry.meta.generation + 1), expected=entry.version)
                    outcomes.append("done")
                except MetadataConflictError:
                    outcomes.append("conflict")
                except MetadataUnavailableError as error:
                    outcomes.append("maybe" if error.maybe else "not")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert len(outcomes) == 36
    with metadata_on(found, minimal=minimal, acknowledge=acknowledge) as metadata:
        entry = metadata.read("key")
    done = outcomes.count("done")
    assert done <= entry.meta.generation <= done + outcomes.count("maybe")
    assert entry.meta == meta("key", entry.meta.generation)
    assert mixed == []


@pytest.mark.parametrize("seed", range(3))
def test_writers_whose_calls_fail_at_random_lose_nothing_that_was_acknowledged(seed: int) -> None:
    fail_at_random(seed)


@pytest.mark.soak
@pytest.mark.parametrize(("count", "minimal"), [(3, 1), (3, 2), (4, 1), (4, 2), (5, 2), (6, 3)])
@pytest.mark.parametrize("acknowledge", [None, 1])
def test_writers_of_any_number_of_backends_lose_nothing_that_was_acknowledged(
    count: int, minimal: int, acknowledge: int | None
) -> None:
    """As few acknowledge as may."""
    for seed in range(10):
        for rate in (0.02, 0.15):
            fail_at_random(seed, count=count, minimal=minimal, acknowledge=acknowledge, rate=rate)


def test_all_metadata_are_brought_to_a_new_backend_not_only_a_page_of_them(running: Running) -> None:
    """One of four 0-dbs is replaced by an empty one; a SCAN tells a thousand keys at once."""
    found = shelves()
    metas = filled(found, 40)
    backends = [open_backend(zdb_config(running)) for _ in range(5)]
    namespaces = [running.engine.get(backend.name.rpartition("/")[2]) for backend in backends]
    for shelf, namespace in zip(found, namespaces, strict=False):
        values = [(key.encode(), value) for key, value in shelf.values.items()]
        # Of another zstor that shares the namespace.
        others = [(b"other/meta/%032x" % number, b"x") for number in range(1_100)]
        namespace.write([*values[:10], *others, *values[10:]])
    with Metadata([*backends[:3], backends[4]], minimal=2, key=KEY, prefix="test") as metadata:
        told: list[int] = []
        refreshed = metadata.refresh_all(told.append)
        assert (refreshed.seen, refreshed.repaired, refreshed.failed) == (40, 40, {})
        assert told == list(range(1, 41))
        assert sorted(backends[4].keys()) == sorted(found[0].values)
        assert metadata.refresh_all().repaired == 0
    away = open_backend(BackendConfig(url="zdb+unix:///nowhere/at/all?namespace=none"))
    with Metadata([away, away, backends[2], backends[4]], minimal=2, key=KEY, prefix="test") as metadata:
        assert {each.key: each.meta for each in metadata.scan()} == {each.key: each for each in metas}
    for backend in backends:
        backend.close()


def test_metadata_move_to_more_backends_and_fewer() -> None:
    """With another redundancy; each state is written anew."""
    found = shelves(4)
    metas = filled(found, 5)
    more = [*found, *shelves(2)]
    more[4].name, more[5].name = "shelf-4", "shelf-5"
    with metadata_on(more, minimal=3) as metadata:
        assert metadata.read("key-1").meta == metas[1]
        assert metadata.refresh_all().failed == {}
        for down in ((0, 1, 2), (3, 4, 5), (0, 2, 4)):
            for number, shelf in enumerate(more):
                shelf.down = number in down
            assert [metadata.read(each.key).meta for each in metas] == metas
    for shelf in more:
        shelf.down = False
    fewer = more[2:5]
    with metadata_on(fewer, minimal=1) as metadata:
        assert metadata.refresh_all().repaired == 5
        fewer[0].down = fewer[1].down = True
        assert [metadata.read(each.key).meta for each in metas] == metas


def test_metadata_of_which_too_little_is_left_are_no_missing_object() -> None:
    """Where backends were replaced by fewer than there must be of the old ones, that is an error."""
    found = shelves(4)
    filled(found, 1)
    with metadata_on([found[0], *shelves(2)], minimal=1) as metadata:
        with pytest.raises(MetadataUnavailableError, match="1 pieces of 2 that are needed"):
            metadata.read("key-0")
        with pytest.raises(MetadataUnavailableError):
            metadata.write(meta("key-0"), expected=None)


def test_a_refresh_says_which_backends_it_could_not_reach() -> None:
    found = shelves()
    filled(found, 3)
    found[1].values.clear()
    found[3].down = True
    with metadata_on(found) as metadata:
        refreshed = metadata.refresh_all()
        assert refreshed.repaired == 3
        assert refreshed.failed == {f"key-{number}": "is not on shelf-3" for number in range(3)}
        found[3].down = False
        assert not metadata.refresh("key-1")


def test_all_objects_are_scanned_by_the_beginning_of_their_names() -> None:
    found = shelves()
    filled(found, 90)
    with metadata_on(found) as metadata:
        keys = [entry.key for entry in metadata.scan("key-1")]
        assert sorted(keys) == sorted(f"key-{number}" for number in (1, *range(10, 20)))
        found[0].down = found[1].down = True
        assert len(list(metadata.scan())) == 90
        found[2].down = True
        with pytest.raises(MetadataUnavailableError):
            list(metadata.scan())


def test_a_key_that_vanishes_while_objects_are_scanned_is_no_error() -> None:
    found = shelves()
    filled(found, 90)
    with metadata_on(found) as metadata:
        keys = []
        for entry in metadata.scan():
            if not keys:
                for shelf in found:
                    for key in list(shelf.values)[45:]:
                        del shelf.values[key]
            keys.append(entry.key)
    assert 45 <= len(keys) <= 90


def test_one_object_that_cannot_be_read_ends_no_scan_that_is_told_of_it() -> None:
    found = shelves()
    filled(found, 10)
    gone = min(found[0].values)
    for shelf in found[:3]:
        shelf.values[gone] = b"damaged"
    failed: dict[str, str] = {}
    with metadata_on(found) as metadata:
        entries = list(metadata.scan(failed=lambda id_, error: failed.update({id_: error.message})))
        assert len(entries) == 9
        assert set(failed) == {gone.rpartition("/")[2]}
        with pytest.raises(MetadataError):
            list(metadata.scan())


def test_a_deleted_object_leaves_nothing_and_can_be_made_anew() -> None:
    found = shelves()
    with metadata_on(found) as metadata:
        first = metadata.write(meta("key"), expected=None)
        metadata.delete("key", expected=first.version)
        assert metadata.read("key") is None
        assert [shelf.values for shelf in found] == [{}] * 4
        with pytest.raises(MetadataConflictError):
            metadata.delete("key", expected=first.version)
        again = metadata.write(meta("key", 7), expected=None)
        assert metadata.read("key") == again


def test_a_deleted_object_is_remembered_as_long_as_something_of_it_is_left() -> None:
    found = shelves()
    with metadata_on(found) as metadata:
        first = metadata.write(meta("key"), expected=None)
        gone = metadata.delete("key", expected=first.version, leftovers=LEFT)
        assert metadata.read("key") is None
        assert list(metadata.scan()) == []
        assert list(metadata.scan(deleted=True)) == [gone]
        assert (gone.key, gone.meta, gone.leftovers) == ("key", None, LEFT)
        fewer = metadata.forget("key", expected=gone.version, leftovers=LEFT[:1])
        with pytest.raises(MetadataConflictError):
            metadata.forget("key", expected=gone.version)
        metadata.forget("key", expected=fewer.version)
        assert [shelf.values for shelf in found] == [{}] * 4


def test_an_object_that_is_made_anew_takes_over_what_is_left_of_the_one_before() -> None:
    with metadata_on(shelves()) as metadata:
        first = metadata.write(meta("key"), expected=None)
        metadata.delete("key", expected=first.version, leftovers=LEFT)
        again = metadata.write(meta("key", 2), expected=None)
        assert again.leftovers == LEFT
        assert again.meta is not None
        assert again.meta.leftovers == LEFT


def test_a_deletion_that_somebody_else_ended_deletes_nothing_that_was_made_since() -> None:
    """It reached two of four backends; somebody found it there, and made the object anew."""
    found = shelves()
    with metadata_on(found) as metadata:
        first = metadata.write(meta("key"), expected=None)
    swaps = [0] * 4
    two_have_it = threading.Barrier(3, timeout=LIMIT)
    done = threading.Event()
    made = []

    def before(number: int, call: str) -> None:
        if call == "swap" and swaps[number] == 1 and number >= 2 and not done.is_set():
            if number == 2:
                two_have_it.wait()
                with metadata_on(found) as other:
                    made.append(other.write(meta("key", 2), expected=None))
                done.set()
            assert done.wait(LIMIT)

    def after(number: int, call: str) -> None:
        if call == "swap":
            swaps[number] += 1
            if number < 2 and swaps[number] == 2:
                two_have_it.wait()

    with metadata_on(found, before=before, after=after) as metadata:
        gone = metadata.delete("key", expected=first.version)
        assert gone.meta is None
        entry = metadata.read("key")
        assert entry is not None
        assert (entry.meta, entry.version) == (made[0].meta, made[0].version)


def test_a_backend_that_slept_through_a_deletion_brings_nothing_back() -> None:
    found = shelves()
    with metadata_on(found, acknowledge=3) as metadata:
        first = metadata.write(meta("key"), expected=None)
        found[0].down = True
        metadata.delete("key", expected=first.version)
        found[0].down = False
        for down in range(4):
            for number, shelf in enumerate(found):
                shelf.down = number == down
            assert metadata.read("key") is None
        for shelf in found:
            shelf.down = False
        assert metadata.refresh_all().failed == {}
        assert [shelf.values for shelf in found] == [{}] * 4


def test_a_deletion_that_one_backend_did_not_forget_undoes_nothing_that_was_made_since() -> None:
    """It was away when the object was made anew by a policy of two; then it comes back, and another goes."""
    found = shelves(3)

    def before(number: int, call: str) -> None:
        state = State.unpack(found[number].values[name]) if call == "swap" and number == 2 else None
        if state is not None and state.accepted is not None and state.accepted.empty:
            raise BackendUnreachableError("shelf-2 fails", backend="shelf-2")

    with metadata_on(found, minimal=1, acknowledge=2) as metadata:
        entry = metadata.write(meta("key"), expected=None)
        for generation in range(2, 5):
            entry = metadata.write(meta("key", generation), expected=entry.version)
    (name,) = found[2].values
    with metadata_on(found, minimal=1, acknowledge=2, before=before) as metadata:
        metadata.delete("key", expected=entry.version)
    assert [len(shelf.values) for shelf in found] == [0, 0, 1]
    found[2].down = True
    with metadata_on(found, minimal=1, acknowledge=2) as metadata:
        made = metadata.write(meta("key", 7), expected=None)
    for away in (0, 1, 2):
        for number, shelf in enumerate(found):
            shelf.down = number == away
        with metadata_on(found, minimal=1, acknowledge=2) as metadata:
            entry = metadata.read("key")
            assert entry is not None
            assert entry.meta == made.meta


def test_metadata_that_are_too_large_are_refused() -> None:
    with metadata_on(shelves()) as metadata, pytest.raises(MetadataError, match="at most 1,048,576 bytes"):
        metadata.write(meta("key", texts={"long": "x" * 2_000_000}), expected=None)


def test_metadata_on_object_stores_and_0_dbs_and_folders_together(
    running: Running, s3: S3Server, tmp_path: Path
) -> None:
    configs = [zdb_config(running), s3.config(), BackendConfig(url=f"file://{tmp_path}"), s3.config()]
    backends = [open_backend(each) for each in configs]
    with (
        Metadata(backends, minimal=2, key=KEY, prefix="test") as one,
        Metadata(backends, minimal=2, key=KEY, prefix="test") as two,
    ):
        first = one.write(meta("key"), expected=None)
        second = two.write(meta("key", 2), expected=first.version)
        with pytest.raises(MetadataConflictError):
            one.write(meta("key", 3), expected=first.version)
        assert one.read("key") == second
        assert [entry.key for entry in two.scan()] == ["key"]
        one.delete("key", expected=second.version)
        assert [list(backend.keys()) for backend in backends] == [[]] * 4
    for backend in backends:
        backend.close()

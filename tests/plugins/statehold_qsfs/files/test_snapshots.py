from __future__ import annotations

import errno
import os
import random

import pytest
from qsfs_stores_of_files import Store, dump, read, write

from statehold_qsfs.files import BLOCK, FileSystem
from statehold_qsfs.files._layout import kept_key, page_key
from statehold_zdb.engine import Namespace, ZdbReadError


def test_a_snapshot_stays_as_it_was(store: Store, files: FileSystem) -> None:
    files.mkdir("/d", 0o755)
    write(files, "/d/large", b"a" * 3 * BLOCK)
    write(files, "/d/small", b"small")
    made = files.snapshot("one")
    before = dump(files)
    assert files.snapshots() == [made]
    write(files, "/d/large", b"b" * BLOCK, BLOCK)
    files.truncate("/d/large", 2 * BLOCK + 5)
    files.unlink("/d/small")
    write(files, "/new", b"new")
    for _ in range(2):
        with files.at("one") as view:
            assert dump(view) == before
        files.sync()
        files.compact()
    files = store.reopen()
    assert files.snapshots() == [made]
    with files.at("one") as view:
        assert dump(view) == before
        assert view.statistics().files == 4


def test_a_snapshot_cannot_be_written_to(files: FileSystem) -> None:
    write(files, "/a", b"a")
    files.snapshot("one")
    with files.at("one") as view:
        handle = view.open("/a", os.O_RDONLY)
        assert view.read(handle, 10, 0) == b"a"
        for act in (
            lambda: view.mkdir("/d", 0o755),
            lambda: view.unlink("/a"),
            lambda: view.open("/a", os.O_RDWR),
            lambda: view.truncate("/a", 0),
            lambda: view.snapshot("two"),
            lambda: view.chmod("/a", 0o777),
        ):
            with pytest.raises(OSError, check=lambda error: error.errno == errno.EROFS):
                act()


def test_a_snapshot_that_is_deleted_gives_back_what_only_it_had(store: Store, files: FileSystem) -> None:
    write(files, "/a", b"a" * 4 * BLOCK)
    files.snapshot("one")
    write(files, "/a", b"b" * 2 * BLOCK)
    files.snapshot("two")
    write(files, "/a", b"c" * BLOCK)
    files.sync()
    assert files.check().blocks == 4 + 2 + 1
    files.delete_snapshot("one")
    report = files.check()
    assert (report.blocks, report.unused_blocks) == (4 + 1, 0)
    with files.at("two") as view:
        assert read(view, "/a") == b"b" * 2 * BLOCK + b"a" * 2 * BLOCK
    files.unlink("/a")
    files.sync()
    assert files.check().blocks == 4
    files.delete_snapshot("two")
    files.compact()
    report = files.check()
    assert (report.blocks, report.unused_blocks, report.problems) == (0, 0, [])
    assert store.engine is not None
    assert len(store.engine["qsfs-data"]) == 0


def test_a_snapshot_in_use_is_not_deleted(files: FileSystem) -> None:
    files.snapshot("one")
    with files.at("one"), pytest.raises(OSError, check=lambda error: error.errno == errno.EBUSY):
        files.delete_snapshot("one")
    files.delete_snapshot("one")
    for act in (lambda: files.delete_snapshot("one"), lambda: files.at("one")):
        with pytest.raises(OSError, check=lambda error: error.errno == errno.ENOENT):
            act()


def test_two_snapshots_have_two_names(files: FileSystem) -> None:
    files.snapshot("one")
    with pytest.raises(OSError, check=lambda error: error.errno == errno.EEXIST):
        files.snapshot("one")
    with pytest.raises(OSError, check=lambda error: error.errno == errno.EINVAL):
        files.snapshot("a/b")


def test_making_a_snapshot_writes_no_file_anew(store: Store, files: FileSystem) -> None:
    for i in range(50):
        write(files, f"/{i}", bytes(20_000))
    files.sync()
    assert store.engine is not None
    before = [store.engine[name].figures() for name in ("qsfs-meta", "qsfs-data")]
    files.snapshot("one")
    after = [store.engine[name].figures() for name in ("qsfs-meta", "qsfs-data")]
    assert after[0].entries == before[0].entries
    assert after[1].data_bytes == before[1].data_bytes


def churn(files: FileSystem, chance: random.Random) -> None:
    """Change something."""
    name = f"/d{chance.randrange(3)}/{chance.randrange(6)}"
    kind = chance.random()
    try:
        if kind < 0.5:
            data = chance.randbytes(chance.choice([10, 5000, BLOCK, 40_000]))
            write(files, name, data, chance.choice([0, 0, 5000, BLOCK, 20 * BLOCK]))
        elif kind < 0.6:
            files.truncate(name, chance.choice([0, 10, 6000, BLOCK, 2 * BLOCK]))
        elif kind < 0.75:
            files.unlink(name)
        elif kind < 0.9:
            files.rename(name, f"/d{chance.randrange(3)}/{chance.randrange(6)}")
        else:
            files.mkdir(f"/d{chance.randrange(3)}", 0o755)
    except (FileNotFoundError, FileExistsError):
        pass


def run(store: Store, seed: int, steps: int) -> None:
    chance = random.Random(seed)
    files = store.open(cached_nodes=8, dirty_limit=2**20)
    known: dict[str, object] = {}
    for i in range(steps):
        churn(files, chance)
        kind = chance.random()
        if kind < 0.03 and len(known) < 6:
            files.snapshot(f"s{i}")
            known[f"s{i}"] = dump(files)
        elif kind < 0.05 and known:
            name = chance.choice(list(known))
            del known[name]
            files.delete_snapshot(name)
        elif kind < 0.07:
            files.sync()
            with files._parts.lock:
                files._parts.volume.trim()
        elif kind < 0.08:
            files = store.reopen(cached_nodes=8) if chance.random() < 0.5 else store.crash(cached_nodes=8)
        elif kind < 0.1 and known:
            name = chance.choice(list(known))
            with files.at(name) as view:
                assert dump(view) == known[name], name
    for name, expected in known.items():
        with files.at(name) as view:
            assert dump(view) == expected, name
    for name in list(known):
        files.delete_snapshot(name)
        report = files.check(deep=True)
        assert (report.problems, report.unused_blocks) == ([], 0)
        del known[name]
        for other, expected in known.items():
            with files.at(other) as view:
                assert dump(view) == expected, other
    files.sync()
    with files._parts.lock:
        assert not any(len(key) > 17 for key in store.engine["qsfs-meta"].keys())  # noqa: SIM118


@pytest.mark.parametrize("seed", range(3))
def test_snapshots_stay_as_they_were_whatever_comes(store: Store, seed: int) -> None:
    run(store, seed, 250)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 130))
def test_snapshots_stay_as_they_were_whatever_comes_for_long(store: Store, seed: int) -> None:
    run(store, seed, 2500)


def test_a_snapshot_that_cannot_be_deleted_stays_whole(
    store: Store, files: FileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abcdefgh":
        write(files, f"/{name}", name.encode() * 2 * BLOCK)
    files.snapshot("one")
    before = dump(files)
    for name in "abcdefgh":
        write(files, f"/{name}", b"?" * 2 * BLOCK)
    files.sync()
    kept = {kept_key(page_key(files.getattr(f"/{name}").ino, 0), 1) for name in "abcdefgh"}
    get = Namespace.get
    asked = []

    def refusing(self: Namespace, key: bytes) -> bytes | None:
        if key in kept:
            asked.append(key)
            if len(asked) == len(kept):
                raise ZdbReadError("the disk does not answer")
        return get(self, key)

    with monkeypatch.context() as patched:
        patched.setattr(Namespace, "get", refusing)
        with pytest.raises(OSError, match="does not answer"):
            files.delete_snapshot("one")
    write(files, "/new", b"new")
    files = store.reopen()
    with files.at("one") as view:
        assert dump(view) == before
    files.delete_snapshot("one")
    assert files.check(deep=True).problems == []

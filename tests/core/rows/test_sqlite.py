from __future__ import annotations

import functools
import os
import shutil
import sqlite3
import subprocess
import sys

import pytest
from leaving import nothing_left

from statehold.rows import (
    Put,
    PutIfAbsent,
    RowValueError,
    SqliteDriver,
    StoreBusyError,
    StoreDamagedError,
    StoreFullError,
    StoreReadOnlyError,
)
from statehold.testing._patience import together
from statehold.testing.rows import RowStoreConformance
from statehold.testing.rows._killing import Killing

P, C = ("p",), (1,)


class TestSqlite(RowStoreConformance):
    @pytest.fixture
    def factory(self, tmp_path):
        return functools.partial(SqliteDriver, tmp_path)


class TestSqliteRelaxed(Killing):
    kills = 3

    @pytest.fixture
    def factory(self, tmp_path):
        return functools.partial(SqliteDriver, tmp_path, durability="relaxed")


@pytest.mark.soak
class TestSqliteKilledOften(Killing):
    kills = 100

    @pytest.fixture
    def factory(self, tmp_path):
        return functools.partial(SqliteDriver, tmp_path)


@pytest.fixture
def driver(tmp_path):
    with SqliteDriver(tmp_path, patience=0.2) as driver:
        yield driver


@pytest.fixture
def store(driver):
    return driver.create("a.b")


def test_full_durability_is_the_default_of_the_writer(store):
    assert store._writer.execute("PRAGMA synchronous").fetchone() == (2,)
    assert store._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_readers_cannot_write(store):
    cursor = store._readers.take()
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        cursor.execute("DELETE FROM rows")
    store._readers.give(cursor)


def test_get_leaves_no_read_behind_that_keeps_the_log_from_being_written_back(store):
    store.write([Put(P, (n,), b"x") for n in range(10)])
    assert store.get(P, C) == b"x"
    assert store.get(P, (99,)) is None
    next(store.read(P, limit=5))
    store.write([Put(P, C, b"y")])
    assert store._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)


def test_full_disk_is_told_and_loses_nothing(store):
    store.write([Put(P, C, b"there")])
    (pages,) = store._writer.execute("PRAGMA page_count").fetchone()
    store._writer.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StoreFullError, match="room"):
        store.write([Put(P, (2,), b"small"), Put(P, (3,), bytes(100_000))])
    assert list(store.read(P)) == [(C, b"there")]
    assert store.write([Put(P, (2,), b"small")])
    store._writer.execute("PRAGMA max_page_count = 100000")
    assert store.write([Put(P, (3,), bytes(100_000))])


def test_batch_that_does_not_fit_harms_none_of_its_group(store):
    (pages,) = store._writer.execute("PRAGMA page_count").fetchone()
    store._writer.execute(f"PRAGMA max_page_count = {pages + 8}")

    def write(number):
        for place in range(20):
            if number % 2:
                assert store.write([Put((number,), (place,), b"small")])
            else:
                with pytest.raises(StoreFullError):
                    store.write([Put((number,), (place,), b"small"), Put((number,), (-1,), bytes(10**5))])

    together(60, [lambda n=n: write(n) for n in range(8)])
    assert [sum(1 for _ in store.read((n,))) for n in range(8)] == [0, 20] * 4


@pytest.mark.skipif(
    os.getuid() != 0 or not shutil.which("unshare"), reason="needs root, to mount a small disk"
)
def test_disk_that_is_really_full_loses_nothing(tmp_path):
    code = f"""
import subprocess
from statehold.rows import *
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", {str(tmp_path)!r}], check=True)
with SqliteDriver({str(tmp_path)!r}) as driver, driver.create("a.b") as store:
    written = 0
    try:
        while written < 1000:
            store.write([Put(("p",), (written,), bytes(3000)), Put(("q",), (written,), b"")])
            written += 1
    except StoreFullError:
        pass
    assert 10 < written < 1000, written
    assert len(list(store.read(("p",)))) == len(list(store.read(("q",)))) == written
with SqliteDriver({str(tmp_path)!r}) as driver, driver.open("a.b") as store:
    assert len(list(store.read(("p",)))) == len(list(store.read(("q",)))) == written
"""
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-c", code], check=False, capture_output=True, text=True
    )
    if "mount" in done.stderr and "denied" in done.stderr:
        pytest.skip("this machine does not let root mount")
    assert done.returncode == 0, done.stderr


def test_store_that_cannot_be_written_is_told_when_it_is_opened(driver, tmp_path):
    driver.create("a.b").close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
        with pytest.raises(StoreReadOnlyError, match="cannot be written"):
            driver.open("a.b")


def test_store_that_becomes_read_only_is_told_and_can_be_read(store):
    store.write([Put(P, C, b"x")])
    store._writer.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreReadOnlyError):
        store.write([Put(P, C, b"y")])
    assert store.get(P, C) == b"x"


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"no store at all" * 1000),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:4096] + os.urandom(path.stat().st_size - 4096)),
        lambda path: sqlite3.connect(path).execute("PRAGMA user_version = 2").connection.close(),
        lambda path: sqlite3.connect(path).execute("PRAGMA application_id = 2").connection.close(),
    ],
    ids=["another file", "empty", "pages", "newer format", "another application"],
)
def test_damaged_file_is_told_and_left_as_it_is(driver, tmp_path, damage):
    with driver.create("a.b") as store:
        store.write([Put(P, (n,), bytes(100)) for n in range(1000)])
    path = tmp_path / "a.b.rows"
    damage(path)
    before = path.read_bytes()
    with pytest.raises(StoreDamagedError, match="rows"), driver.open("a.b") as store:
        list(store.read(P))
    assert path.read_bytes() == before


def test_another_process_that_writes_for_too_long_is_told(store, tmp_path):
    other = sqlite3.connect(tmp_path / "a.b.rows", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusyError):
        store.write([Put(P, C, b"x")])
    assert store.get(P, C) is None
    other.execute("ROLLBACK")
    other.close()
    assert store.write([Put(P, C, b"x")])


def test_two_drivers_write_to_one_store(tmp_path):
    """Each with the patience that it has by default: one waits for what the other writes to the disk."""
    with (
        SqliteDriver(tmp_path) as first,
        first.create("a.b") as store,
        SqliteDriver(tmp_path) as second,
        second.open("a.b") as other,
    ):

        def claim(which):
            return sum(bool(which.write([PutIfAbsent(P, (n,), b"")])) for n in range(100))

        assert sum(together(60, [lambda: claim(store), lambda: claim(other)])) == 100


def test_interrupted_create_leaves_no_store(driver, tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        driver.create("a.b")
    monkeypatch.undo()
    assert driver.names() == []
    assert list(tmp_path.iterdir()) == []
    driver.create("a.b").close()


def test_removed_store_leaves_no_file(driver, tmp_path):
    with driver.create("a.b") as store:
        store.write([Put(P, C, b"x")])
    driver.remove("a.b")
    assert list(tmp_path.iterdir()) == []


def test_no_thread_and_no_file_stays_after_close(tmp_path):
    with nothing_left(), SqliteDriver(tmp_path) as driver, driver.create("a.b") as store:
        together(60, [lambda: store.write([Put(P, C, b"x")]) and list(store.read(P))] * 10)


def test_value_that_is_too_large_is_refused_before_it_is_written(store, monkeypatch):
    monkeypatch.setattr("statehold.rows._steps.MAX_VALUE", 10)
    with pytest.raises(RowValueError, match="at most 10 bytes, got 11"):
        store.write([Put(P, C, bytes(11))])

from __future__ import annotations

import contextlib
import math
import random
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leaving import open_files

from statehold.sdk import DataType, Field, FreedError, StorageError
from statehold.testing import OpenStorage, open_storage
from statehold_dataset import provider

KEY = [Field("Device", "text", required=True), Field("Point", "int32")]
VALUE = [Field("Reading", "float64"), Field("Note", "text")]


@pytest.fixture
def table(tmp_path: Path) -> Iterator[OpenStorage]:
    with open_storage(provider, key=KEY, value=VALUE, data_folder=tmp_path) as opened:
        yield opened


def keys(opened: OpenStorage, **prefix: Any) -> list[Any]:
    return [(key.Device, key.Point) for key, _ in opened.facade.read(opened.prefix(1, **prefix))]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# -- Types ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "number", [math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308, 1e15]
)
def test_every_float_comes_back_bit_by_bit(table: OpenStorage, number: float) -> None:
    """SQLite by itself would turn NaN into NULL and lose the sign of -0.0."""
    key = table.key(1, Device="d")
    table.insert(key, {"Reading": number})
    got = table.facade.get(key).Reading
    assert type(got) is float
    assert (math.isnan(got) and math.isnan(number)) or (got, math.copysign(1, got)) == (
        number,
        math.copysign(1, number),
    )


@pytest.mark.parametrize("text", [None, "", "\0", "a\0b", "nan", "1", "0", "\ufeffé", "😀", "é" * 100_000])
def test_every_text_comes_back_as_it_was(table: OpenStorage, text: str | None) -> None:
    """Empty is not NULL, NUL ends nothing, and digits stay text."""
    key = table.key(1, Device=text or "")
    table.insert(key, {"Note": text})
    assert table.facade.get(key).Note == text
    assert keys(table) == [(text or "", None)]


def test_null_in_a_key_is_a_key_like_any_other(table: OpenStorage) -> None:
    """To SQLite's unique index no two NULLs are equal; here a second INSERT replaces the row."""
    for note in ("first", "second"):
        table.insert(table.key(1, Device="d"), {"Note": note})
        table.insert(table.key(1, Device="d", Point=0), {"Note": note + " of 0"})
    assert keys(table) == [("d", None), ("d", 0)]
    assert table.facade.get(table.key(1, Device="d")).Note == "second"
    got = table.facade.get(table.key(1, Device="d"))
    table.update(table.key(1, Device="d"), got, {"Note": "third"})
    assert [value.Note for _, value in table.facade.read(table.prefix(1))] == ["third", "second of 0"]


FIELDS_OF = {
    DataType.INT64: st.integers(-(2**63), 2**63 - 1),
    DataType.FLOAT64: st.floats(allow_nan=False),
    DataType.TEXT: st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
    DataType.BYTES: st.binary(max_size=4),
    DataType.BOOL: st.booleans(),
}


@pytest.mark.parametrize("kind", FIELDS_OF, ids=str)
@pytest.mark.parametrize("required", [True, False])
@given(data=st.data())
@settings(max_examples=25)
def test_read_yields_in_key_order(kind: DataType, required: bool, data: st.DataObject) -> None:
    """Numbers by size, text by code point, bytes by byte, False before True, NULL before all."""
    one = FIELDS_OF[kind] if required else st.none() | FIELDS_OF[kind]
    pairs = data.draw(st.lists(st.tuples(one, one), max_size=25))
    key = [Field("A", kind, required=required), Field("B", kind, required=required)]
    with open_storage(provider, key=key, value=[Field("V", "bool")]) as opened:
        rows = {opened.key(1, A=a, B=b): (a, b) for a, b in pairs}
        opened.storage.apply_batch([opened.facade.insert(key, {"V": True}) for key in rows])

        def order(pair: tuple[Any, Any]) -> Any:
            return [(part is not None, part) for part in pair]

        expected = sorted(rows.values(), key=order)
        assert [(key.A, key.B) for key, _ in opened.facade.read(opened.prefix(1))] == expected
        for a, _ in pairs[:3]:
            found = [(key.A, key.B) for key, _ in opened.facade.read(opened.prefix(1, A=a))]
            assert found == [pair for pair in expected if pair[0] == a]


def test_names_that_sqlite_or_dataset_take_for_the_same_are_different() -> None:
    """Fields may differ in case only, be words of SQL, and be as long as they like."""
    names = [
        "Name",
        "name",
        "NAME",
        "select",
        "rowid",
        "oid",
        "id",
        "WSID",
        "a_b",
        "ab",
        "x" * 200,
        "x" * 201,
    ]
    value = [Field(name, "text") for name in names]
    key = [Field(name, "int64") for name in names if name != "WSID"]
    with open_storage(provider, key=key, value=value) as opened:
        at = opened.key(1, **{field.name: number for number, field in enumerate(key)})
        opened.insert(at, {name: name for name in names})
        ((found, row),) = opened.facade.read(opened.prefix(1))
        assert found == at
        assert [row[name] for name in names] == names


# -- Reading -------------------------------------------------------------------------------------------


def fill(opened: OpenStorage, count: int, note: str = "") -> None:
    opened.storage.apply_batch(
        [
            opened.facade.insert(
                opened.key(1, Device=f"{n % 7}", Point=None if n < 7 else n), {"Note": note or f"{n}"}
            )
            for n in range(count)
        ]
    )


def test_a_read_of_many_pages_yields_every_row_once_in_order(table: OpenStorage) -> None:
    """Rows that are there all the time are seen, whatever is written next to them meanwhile."""
    fill(table, 3000)
    expected = keys(table)
    assert len(expected) == 3000
    seen = []
    for number, (key, _) in enumerate(table.facade.read(table.prefix(1))):
        seen.append((key.Device, key.Point))
        if number % 100 == 0:
            table.insert(table.key(1, Device="0", Point=-number - 1), {})
            table.insert(key, {"Note": "changed"})
    assert [one for one in seen if one in set(expected)] == expected
    assert len(seen) == len(set(seen))


def test_large_values_are_fetched_a_few_at_a_time(table: OpenStorage) -> None:
    """A page ends by size too, so that a READ of large rows takes little memory."""
    fill(table, 200, "x" * 100_000)
    reading = table.facade.read(table.prefix(1))
    next(reading)
    storage: Any = table.storage
    rows, more = storage._page(storage._statements.read(1, further=False), [1])
    assert more
    assert len(rows) < 100
    assert sum(1 for _ in reading) == 199


def test_a_read_that_is_left_holds_nothing(table: OpenStorage, tmp_path: Path) -> None:
    """Neither a lock nor a snapshot: the log can be emptied at once, closed or not."""
    fill(table, 2000)
    before = open_files()
    left = [table.facade.read(table.prefix(1)) for _ in range(50)]
    for reading in left:
        next(reading)
    fill(table, 2000, "new")
    with sqlite3.connect(tmp_path / "table.db", timeout=0) as other:
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
        other.execute("BEGIN EXCLUSIVE")
        other.execute("ROLLBACK")
    other.close()
    assert (open_files() - before).total() < 20
    assert sum(1 for _ in left[0]) == 1999


def test_get_batch_is_of_one_moment(table: OpenStorage) -> None:
    """Rows that are always written together are never seen apart."""
    pair = [table.key(1, Device="a"), table.key(1, Device="b")]
    done = threading.Event()
    apart: list[Any] = []

    def look() -> None:
        while not done.is_set():
            one, other = table.facade.get_batch(pair)
            if one != other:
                apart.append((one, other))

    thread = threading.Thread(target=look)
    thread.start()
    for number in range(200):
        table.storage.apply_batch([table.facade.insert(key, {"Note": f"{number}"}) for key in pair])
    done.set()
    thread.join()
    assert apart == []


# -- Threads -------------------------------------------------------------------------------------------


def test_200_threads_share_a_few_connections(table: OpenStorage) -> None:
    """Everybody is served, and no descriptor is opened per thread."""
    fill(table, 700)
    started = threading.Barrier(200)
    failed: list[BaseException] = []
    most = 0

    def work(number: int) -> None:
        nonlocal most
        try:
            started.wait(30)
            key = table.key(2, Device=f"{number}")
            table.insert(key, {"Note": "x"})
            assert table.facade.get(key).Note == "x"
            reading = table.facade.read(table.prefix(1))
            for _ in range(3):
                next(reading)
            assert table.facade.get_batch([key, key]) == [table.value(Note="x")] * 2
            with counting:  # which takes a descriptor itself
                most = max(most, (open_files() - before).total())
            assert sum(1 for _ in reading) == 697
        except BaseException as error:
            failed.append(error)

    before, counting = open_files(), threading.Lock()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert most < 20


def test_the_same_keys_from_many_threads_give_one_row_each(table: OpenStorage) -> None:
    """The index is unique: whoever comes second replaces."""

    def work(number: int) -> None:
        for point in random.Random(number).sample(range(20), 20):
            table.insert(table.key(1, Device="d", Point=point), {"Note": f"{number}"})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert keys(table) == [("d", point) for point in range(20)]


# -- The file ------------------------------------------------------------------------------------------


def test_what_was_applied_is_synced(table: OpenStorage) -> None:
    """By default every commit waits for the disk; `NORMAL` is the operator's choice."""
    storage: Any = table.storage
    assert storage._writer.execute("PRAGMA synchronous").fetchone() == (2,)
    assert storage._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    with open_storage(provider, key=KEY, value=VALUE, config={"Synchronous": "NORMAL"}) as opened:
        relaxed: Any = opened.storage
        assert relaxed._writer.execute("PRAGMA synchronous").fetchone() == (1,)


def test_free_leaves_one_file_and_no_lock(tmp_path: Path) -> None:
    """The log is written back, and anybody may have the file for themselves."""
    with open_storage(provider, key=KEY, value=VALUE, data_folder=tmp_path) as opened:
        fill(opened, 100)
        reading = opened.facade.read(opened.prefix(1))
        next(reading)
        assert len(files(tmp_path)) == 3
    assert files(tmp_path) == ["table.db"]
    other = sqlite3.connect(tmp_path / "table.db", timeout=0)
    other.execute("BEGIN EXCLUSIVE")
    assert other.execute("SELECT count(*) FROM entries").fetchone() == (100,)
    other.close()


def test_a_freed_table_says_so(tmp_path: Path) -> None:
    """Every operation after `free()` raises FreedError; none waits."""
    with open_storage(provider, key=KEY, value=VALUE, data_folder=tmp_path) as opened:
        fill(opened, 2000)
        reading = opened.facade.read(opened.prefix(1))
        next(reading)
        key = opened.key(1, Device="d")
        intent = opened.facade.insert(key, {})
    storage: Any = opened.storage
    for use in (
        lambda: storage.get(key),
        lambda: storage.get_batch([key]),
        lambda: list(storage.read(key)),
        lambda: list(reading),
        lambda: storage.apply_batch([intent]),
        storage.probe,
    ):
        with pytest.raises(FreedError, match=r"test\.Table"):
            use()


def test_a_full_disk_is_an_error_and_nothing_is_half_written(table: OpenStorage) -> None:
    """The batch that did not fit has not happened; when there is room again, it works again."""
    fill(table, 100)
    storage: Any = table.storage
    (pages,) = storage._writer.execute("PRAGMA page_count").fetchone()
    storage._writer.execute(f"PRAGMA max_page_count={pages + 5}")
    batch = [table.facade.insert(table.key(5, Device=f"{n}"), {"Note": "x" * 3000}) for n in range(50)]
    with pytest.raises(StorageError, match=r"test\.Table: apply failed: database or disk is full"):
        table.storage.apply_batch(batch)
    assert list(table.facade.read(table.prefix(5))) == []
    assert len(keys(table)) == 100
    storage._writer.execute("PRAGMA max_page_count=1000000")
    table.storage.apply_batch(batch)
    assert len(list(table.facade.read(table.prefix(5)))) == 50


def test_a_row_that_is_too_large_is_refused_by_validate(table: OpenStorage) -> None:
    """SQLite's own limit is known before anything is written."""
    storage: Any = table.storage
    storage._writer.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 10_000)
    with pytest.raises(StorageError, match="SQLite takes 10,000"):
        storage.validate([table.facade.insert(table.key(1, Device="d"), {"Note": "x" * 10_001})])


def test_a_damaged_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    """The file is left as it is."""
    (tmp_path / "table.db").write_bytes(b"this is no database at all, is it? " * 100)
    before = (tmp_path / "table.db").read_bytes()
    with (
        pytest.raises(StorageError, match=r"test\.Table: cannot open .*table\.db: file is not a database"),
        open_storage(provider, key=KEY, value=VALUE, data_folder=tmp_path),
    ):
        pass
    assert (tmp_path / "table.db").read_bytes() == before


def test_a_file_with_a_type_that_is_none_is_an_error(tmp_path: Path) -> None:
    """What somebody changed in the file does not show as an error of Python."""
    with open_storage(provider, key=KEY, value=VALUE, data_folder=tmp_path):
        pass
    with contextlib.closing(sqlite3.connect(tmp_path / "table.db")) as db, db:
        db.execute("UPDATE fields SET type = 'texd'")
    with (
        pytest.raises(StorageError, match=r"cannot open .*table\.db: 'texd' is not a valid DataType"),
        open_storage(provider, key=KEY, value=VALUE, data_folder=tmp_path),
    ):
        pass


def test_a_file_that_is_gone_is_an_error(tmp_path: Path) -> None:
    """Who needs a first connection after the folder went away gets a StorageError, too."""
    folder = tmp_path / "data"
    folder.mkdir()
    with open_storage(provider, key=KEY, value=VALUE, data_folder=folder) as opened:
        folder.rename(tmp_path / "moved")
        with pytest.raises(StorageError, match=r"test\.Table: cannot open its file to read"):
            opened.facade.get(opened.key(1, Device="d"))
        (tmp_path / "moved").rename(folder)
        assert opened.facade.get(opened.key(1, Device="d")) is None


def test_a_folder_with_any_name_is_opened(tmp_path: Path) -> None:
    """Nothing in a path is taken for part of a URL."""
    folder = tmp_path / "a b?c=d#e%20f;é"
    folder.mkdir()
    with open_storage(provider, key=KEY, value=VALUE, data_folder=folder) as opened:
        fill(opened, 1)
    assert files(folder) == ["table.db"]

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from statehold.sdk import Field, StorageError
from statehold.testing import open_storage
from statehold_dataset import provider

DEVICE = Field("Device", "text", required=True)
POINT = Field("Point", "int32")
AT = Field("At", "int64", required=True)
READING = Field("Reading", "float64")
NOTE = Field("Note", "text", max_length=10)
UNIT = Field("Unit", "text")


def table(folder: Path, value: list[Field], key: list[Field] | None = None) -> Any:
    return open_storage(provider, key=key or [DEVICE, POINT], value=value, data_folder=folder)


def test_a_new_version_may_add_and_drop_fields_that_may_be_null(tmp_path: Path) -> None:
    """What a version does not know it leaves as it is, and what it does not find is NULL."""
    with table(tmp_path, [READING, AT]) as one:
        one.insert(one.key(1, Device="d"), {"Reading": 1.5, "At": 1})
    with table(tmp_path, [UNIT, AT, READING]) as two:
        at = two.key(1, Device="d")
        assert two.facade.get(at) == two.value(Reading=1.5, At=1)
        two.update(at, two.facade.get(at), {"Unit": "kPa"})
    with table(tmp_path, [AT]) as three:
        at = three.key(1, Device="d")
        three.update(at, three.facade.get(at), {"At": 3})
    with table(tmp_path, [READING, AT, UNIT, NOTE]) as four:
        expected = four.value(Reading=1.5, At=3, Unit="kPa")
        assert four.facade.get(four.key(1, Device="d")) == expected


def test_two_versions_use_one_table_at_once(tmp_path: Path) -> None:
    """An UPDATE keeps the other version's fields, an INSERT replaces the row whole."""
    with table(tmp_path, [READING, AT]) as old:
        at = old.key(1, Device="d")
        old.insert(at, {"Reading": 1.5, "At": 1})
        old.facade.get(at)
        with table(tmp_path, [AT, UNIT]) as new:
            same = new.key(1, Device="d")
            new.update(same, new.facade.get(same), {"Unit": "kPa"})
            assert old.facade.get(at) == old.value(Reading=1.5, At=1)
            old.update(at, old.facade.get(at), {"Reading": 2.5})
            assert new.facade.get(same) == new.value(At=1, Unit="kPa")
            old.insert(at, {"At": 9})
            assert new.facade.get(same) == new.value(At=9)
        old.update(at, old.facade.get(at), {"Reading": 3.5})
        assert [value for _, value in old.facade.read(old.prefix(1))] == [old.value(Reading=3.5, At=9)]


def test_two_versions_write_at_once_and_lose_nothing(tmp_path: Path) -> None:
    """Each waits for the other's transaction; every row of both is there."""
    with table(tmp_path, [READING, AT]) as old, table(tmp_path, [AT, UNIT]) as new:
        failed: list[BaseException] = []

        def write(opened: Any, name: str) -> None:
            try:
                for number in range(100):
                    opened.insert(opened.key(1, Device=name, Point=number), {"At": number})
            except BaseException as error:
                failed.append(error)

        threads = [
            threading.Thread(target=write, args=(opened, f"{opened.context.version}{index}"))
            for index, opened in enumerate((old, new, old, new))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert sum(1 for _ in new.facade.read(new.prefix(1))) == 400


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ([DEVICE], [READING, AT], r"the file has KEY \(Device text NOT NULL, Point int32\), the decl"),
        ([POINT, DEVICE], [READING, AT], "the file has KEY"),
        ([DEVICE, Field("Point", "int64")], [READING, AT], r"has KEY \(Device text NOT NULL, Point int64\)"),
        ([DEVICE, Field("Point", "int32", required=True)], [READING, AT], "the file has KEY"),
        ([DEVICE, Field("point", "int32")], [READING, AT], "the file has KEY"),
        (
            None,
            [Field("Reading", "float32"), AT],
            r"VALUE field Reading float64, the declaration has Reading f",
        ),
        (
            None,
            [READING, Field("At", "int64")],
            "VALUE field At int64 NOT NULL, the declaration has At int64",
        ),
        (None, [READING], "drops VALUE field At, which is NOT NULL"),
        (None, [READING, AT, Field("New", "text", required=True)], "adds VALUE field New, which is NOT NULL"),
    ],
)
def test_a_change_that_rows_would_not_survive_is_refused(
    tmp_path: Path, key: list[Field] | None, value: list[Field], message: str
) -> None:
    """The error says what the file has and how to go on; the file is as it was."""
    with table(tmp_path, [READING, AT]) as opened:
        opened.insert(opened.key(1, Device="d"), {"At": 1})
    before = (tmp_path / "table.db").read_bytes()
    with pytest.raises(StorageError, match=message) as caught, table(tmp_path, value, key):
        pass
    assert caught.value.hint
    assert (tmp_path / "table.db").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["table.db"]


def test_the_length_of_a_field_may_change(tmp_path: Path) -> None:
    """It is checked before a row gets here, and the file does not know it."""
    with table(tmp_path, [NOTE]) as one:
        one.insert(one.key(1, Device="d"), {"Note": "0123456789"})
    with table(
        tmp_path,
        [Field("Note", "text", max_length=3)],
        [Field("Device", "text", required=True, max_length=5), POINT],
    ) as two:
        assert two.facade.get(two.key(1, Device="d")).Note == "0123456789"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ([], [READING], "no KEY"),
        ([DEVICE], [], "no VALUE"),
        ([DEVICE], [Field("Tags", "text", repeated=True)], "Tags: a Table keeps no repeated fields"),
    ],
)
def test_a_table_needs_a_declared_schema(
    tmp_path: Path, key: list[Field], value: list[Field], message: str
) -> None:
    """There are no fields by default; the error shows how to declare some."""
    with (
        pytest.raises(StorageError, match=message),
        open_storage(provider, key=key, value=value, data_folder=tmp_path),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir() if path.stat().st_size] == []


def test_a_file_of_a_later_format_is_left_alone(tmp_path: Path) -> None:
    """Somebody went back to an older Statehold."""
    with table(tmp_path, [READING]):
        pass
    with sqlite3.connect(tmp_path / "table.db") as other:
        other.execute("PRAGMA user_version=99")
    other.close()
    with pytest.raises(StorageError, match=r"format 99.*reads up to 1"), table(tmp_path, [READING]):
        pass


def test_many_open_a_new_table_at_once(tmp_path: Path) -> None:
    """One of them makes it, the others find it."""
    ready = threading.Barrier(8)
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            ready.wait(30)
            added = [Field(f"Of{number}", "text")]
            with table(tmp_path, [READING, *added]) as opened:
                opened.insert(opened.key(1, Device=f"{number}"), {f"Of{number}": "x"})
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with table(tmp_path, [READING, *(Field(f"Of{number}", "text") for number in range(8))]) as opened:
        rows = {key.Device: value for key, value in opened.facade.read(opened.prefix(1))}
        assert rows == {f"{number}": opened.value(**{f"Of{number}": "x"}) for number in range(8)}


def test_the_file_is_read_by_other_tools(tmp_path: Path) -> None:
    """Columns carry the names of the fields, and one table says which they are."""
    with table(tmp_path, [READING, NOTE]) as opened:
        opened.insert(opened.key(7, Device="d", Point=3), {"Reading": 1.5, "Note": "ok"})
    with sqlite3.connect(tmp_path / "table.db") as other:
        other.row_factory = sqlite3.Row
        (row,) = map(dict, other.execute("SELECT * FROM entries"))
        assert row == {
            "WSID": 7,
            "k1_Device": "d",
            "k2_Point_set": 1,
            "k2_Point": 3,
            "v1_Reading": 1.5,
            "v2_Note": "ok",
        }
        names = [name for (name,) in other.execute('SELECT name FROM fields ORDER BY "position"')]
        assert names == ["Device", "Point", "Reading", "Note"]
    other.close()

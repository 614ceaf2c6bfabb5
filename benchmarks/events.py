"""What a command costs beyond the rows that it writes: staged, checked and committed with its event."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from benchmarks._measure import Row, against
from statehold.events import PartitionData, RowCache, Schemas, Unit, allocate_workspace, create_workspace
from statehold.rows import Change, Outcome, RowStore, SqliteDriver, encode
from statehold_vsql import compile_app

COMMANDS = 1920
SQL_TABLE = (
    "CREATE TABLE rows (partition BLOB, clustering BLOB, value BLOB, PRIMARY KEY (partition, clustering))"
    " WITHOUT ROWID"
)
SQL_PUT = "REPLACE INTO rows (partition, clustering, value) VALUES (?, ?, ?)"
APP = """
APPLICATION shop();

WORKSPACE ShopWS (
    TABLE Bill INHERITS sys.WDoc (Number int32 NOT NULL, Total money, UNIQUEFIELD Number);
    TYPE Pay (Number int32 NOT NULL, Tip money);
    VIEW Turnover (Year int32, Day int32, Total money, PRIMARY KEY ((Year), Day)) AS RESULT OF Count;
    EXTENSION ENGINE BUILTIN (
        COMMAND PayBill(Pay) INTENTS(sys.Record(Bill));
        SYNC PROJECTOR Count AFTER EXECUTE ON PayBill INTENTS(sys.View(Turnover));
    );
);
"""
#: Puts the work of one command, of a number, into a unit.
Command = Callable[[Unit, int], None]


def rows() -> Iterator[Row]:
    """Yield the rows of this page."""
    sys_text = files("statehold_sys").joinpath("sys.vsql").read_text(encoding="utf-8")
    result = compile_app({"sys": {"sys.vsql": sys_text}, "example.org/shop": {"shop.vsql": APP}})
    assert result.appdef is not None
    schemas = Schemas(result.appdef)
    # Not in /tmp, which may be memory.
    with tempfile.TemporaryDirectory(dir="build") as folder:
        for what, command, each, bar in (
            ("new record", _inserting, 32, 4.0),
            ("new record", _inserting, 1, 2.0),
            ("changed record", _updating, 32, 4.0),
        ):
            with SqliteDriver(folder) as driver, driver.create(f"bench.{what[:3]}{each}") as store:
                recorder = _Recorder(store)
                commands = _commands(schemas, recorder, command, each=each)
                name = f"command: a {what}, an event, a view; {each} per commit"
                path = Path(folder) / f"bench.{what[:3]}{each}.floor"
                yield against(
                    name,
                    commands,
                    partial(_executemany, path, recorder, each=each),
                    limit_name="the same rows by executemany of sqlite3",
                    bar=bar,
                    unit="us",
                )


class _Recorder:
    """A store that keeps in mind what was written."""

    def __init__(self, store: RowStore) -> None:
        self.written: list[Sequence[Change]] = []
        self._write = store.write
        self.get, self.get_many, self.read = store.get, store.get_many, store.read

    def write(self, changes: Sequence[Change]) -> Outcome:
        self.written.append(changes)
        return self._write(changes)


def _commands(
    schemas: Schemas, recorder: Any, command: Callable[[Schemas, int], Command], *, each: int
) -> Callable[[], float]:
    data = PartitionData(recorder, 0, RowCache(recorder))
    workspace = allocate_workspace(recorder)
    unit = data.begin(schemas)
    create_workspace(unit, workspace, kind="shop.ShopWS", name="bench", registered_at=1)
    for number in range(100):
        unit.insert(workspace, schemas["shop.Bill"].rows.value(Number=-number, Total=0))
    unit.append("shop.PayBill", workspace, registered_at=1)
    unit.commit()
    put = command(schemas, workspace)
    numbers = itertools.count(1)
    commits = COMMANDS // each if each > 1 else COMMANDS // 8

    def commands() -> float:
        """Return the seconds of processor time per command."""
        recorder.written.clear()
        start = time.process_time()
        for _ in range(commits):
            unit = data.begin(schemas)
            for _ in range(each):
                inner = unit.begin()
                put(inner, next(numbers))
                inner.merge()
            unit.commit()
        return (time.process_time() - start) / (commits * each)

    return commands


def _inserting(schemas: Schemas, workspace: int) -> Command:
    bill = schemas["shop.Bill"].rows.value
    after = _after(schemas, workspace)

    def insert(unit: Unit, number: int) -> None:
        unit.insert(workspace, bill(Number=number, Total=number))
        after(unit, number)

    return insert


def _updating(schemas: Schemas, workspace: int) -> Command:
    after = _after(schemas, workspace)

    def update(unit: Unit, number: int) -> None:
        unit.change(workspace, 200_001 + number % 100, {"Total": number})
        after(unit, number)

    return update


def _after(schemas: Schemas, workspace: int) -> Command:
    pay = schemas["shop.Pay"].rows.value
    turnover = schemas["shop.Turnover"].rows

    def after(unit: Unit, number: int) -> None:
        unit.append("shop.PayBill", workspace, registered_at=number, argument=pay(Number=number))
        key = turnover.key(WSID=workspace, Year=2026, Day=number % 365)
        before: Any = unit.view(key)
        unit.put_view(key, turnover.value(Total=number + (0 if before is None else before.Total)))

    return after


def _executemany(path: Path, recorder: _Recorder, *, each: int) -> float:
    """Return the seconds of processor time per command that its rows alone take."""
    is_new = not path.exists()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        if is_new:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(SQL_TABLE)
        connection.execute("PRAGMA synchronous = FULL")
        batches = [
            [(encode(one.partition), encode(one.clustering), one.value) for one in batch]  # type: ignore[union-attr]
            for batch in recorder.written
        ]
        start = time.process_time()
        for batch in batches:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(SQL_PUT, batch)
            connection.execute("COMMIT")
        return (time.process_time() - start) / (len(batches) * each)

"""What our own storages cost against what they stand on."""

from __future__ import annotations

import os
import random
import sqlite3
import tempfile
import timeit
from collections.abc import Iterator
from pathlib import Path

import statehold_dataset
from benchmarks._disk import append_and_sync
from benchmarks._measure import Row, against
from statehold.sdk import Field
from statehold.state import apply_intents
from statehold.testing import open_storage
from statehold_sys import ephemeral

ENTRIES = 100_000
GETS = 5_000
PUTS = 200
KEY = (Field("Id", "int64", required=True),)
VALUE = (Field("Data", "bytes"),)


def rows() -> Iterator[Row]:
    """Yield the rows of this page."""
    yield _ephemeral()
    for durable in (_durable_put, _durable_get):
        # Not in /tmp, which may be memory: the figure is about the disk.
        with tempfile.TemporaryDirectory(dir="build") as folder:
            yield durable(Path(folder))


def _ephemeral() -> Row:
    provider = ephemeral.provider
    config = {"PartitionMaxSize": 1_000_000_000}
    with open_storage(provider, key=KEY, value=VALUE, config=config) as opened:
        keys = [opened.key(1, Id=i) for i in range(ENTRIES)]
        table = {}
        for key in keys:
            value = opened.value(Data=b"x" * 100)
            opened.insert(key, value)
            table[key] = value
        random.Random(1).shuffle(keys)
        storage_get, dict_get = opened.facade.get, table.get
        some = keys[:50_000]

        def gets(get: object) -> float:
            scope = {"get": get, "some": some}
            return min(timeit.repeat("for key in some: get(key)", globals=scope, number=1, repeat=3)) / len(
                some
            )

        return against(
            "Ephemeral get at 100,000 entries",
            lambda: gets(storage_get),
            lambda: gets(dict_get),
            limit_name="dict.get of the same keys",
            bar=2.5,
        )


def _durable_put(folder: Path) -> Row:
    numbers = iter(range(10**9))
    with open_storage(statehold_dataset.provider, key=KEY, value=VALUE, data_folder=folder) as opened:

        def puts() -> float:
            batch = [
                (opened.key(1, Id=next(numbers)), opened.value(Data=os.urandom(100))) for _ in range(PUTS)
            ]
            start = timeit.default_timer()
            for key, value in batch:
                opened.insert(key, value)
            return (timeit.default_timer() - start) / PUTS

        return against(
            "durable put into Table, one per commit",
            puts,
            lambda: append_and_sync(folder / "floor", times=PUTS),
            limit_name="block at the end of a log and fdatasync",
            bar=0.9,
            unit="us",
            sense=">=",
            rate=True,
        )


def _durable_get(folder: Path) -> Row:
    with open_storage(statehold_dataset.provider, key=KEY, value=VALUE, data_folder=folder) as opened:
        keys = [opened.key(1, Id=i) for i in range(ENTRIES)]
        for start in range(0, ENTRIES, 1000):
            some = [(key, opened.value(Data=os.urandom(100))) for key in keys[start : start + 1000]]
            intents = [opened.facade.insert(key, value) for key, value in some]
            apply_intents({"": opened.storage}, {"": intents})
        # The same rows in the same file: what is compared is the way to them.
        raw = sqlite3.connect(next(folder.glob("*.db")), isolation_level=None)
        columns = [name for _, name, *_ in raw.execute("PRAGMA table_info(entries)")]
        look_up = 'SELECT "{2}" FROM entries WHERE "{0}" = ? AND "{1}" = ?'.format(*columns)
        found = opened.facade.get(keys[5])
        assert found is not None
        assert raw.execute(look_up, (1, 5)).fetchone() == (found["Data"],)
        order = random.Random(1).sample(range(ENTRIES), GETS)
        # Each side has at hand what it looks up by.
        get, wanted, parameters = opened.facade.get, [keys[i] for i in order], [(1, i) for i in order]

        def gets() -> float:
            start = timeit.default_timer()
            for key in wanted:
                get(key)
            return (timeit.default_timer() - start) / GETS

        def selects() -> float:
            start = timeit.default_timer()
            for parameter in parameters:
                raw.execute(look_up, parameter).fetchone()
            return (timeit.default_timer() - start) / GETS

        row = against(
            "GET from Table at 100,000 rows",
            gets,
            selects,
            limit_name="the same look-up by the sqlite3 driver",
            bar=0.85,
            unit="us",
            sense=">=",
            rate=True,
        )
        raw.close()
        return row

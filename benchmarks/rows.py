"""What the row store on SQLite costs against the disk and the driver it stands on."""

from __future__ import annotations

import itertools
import os
import random
import sqlite3
import tempfile
import threading
import timeit
from collections.abc import Iterator
from pathlib import Path

from benchmarks._disk import append_and_sync
from benchmarks._measure import Row, against
from statehold.rows import Put, RowStore, SqliteDriver, encode

ENTRIES = 100_000
GETS = 5_000
COMMITS = 320
SQL = "SELECT value, expires FROM rows WHERE partition = ? AND clustering = ?"


def rows() -> Iterator[Row]:
    """Yield the rows of this page."""
    # Not in /tmp, which may be memory: the figures are about the disk.
    with tempfile.TemporaryDirectory(dir="build") as folder:
        with SqliteDriver(folder) as driver, driver.create("bench.commits") as store:
            yield _commits(store, Path(folder), clients=1, bar=0.9)
            yield _commits(store, Path(folder), clients=32, bar=5.0)
        with SqliteDriver(folder) as driver, driver.create("bench.gets") as store:
            yield _gets(store, Path(folder) / "bench.gets.rows")


def _commits(store: RowStore, folder: Path, *, clients: int, bar: float) -> Row:
    numbers = itertools.count()
    log = (f"log of {clients}",)
    each = COMMITS // clients if clients == 1 else COMMITS * 4 // clients
    total = clients * each

    def commits() -> float:
        """Return the seconds per commit of so many threads, each with one commit after the other."""
        values = [os.urandom(100) for _ in range(total)]
        begin = threading.Barrier(clients + 1)
        first = next(numbers) * total

        def client(number: int) -> None:
            mine = range(number, total, clients)
            begin.wait()
            for place in mine:
                store.write([Put(log, (first + place,), values[place])])

        threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
        for thread in threads:
            thread.start()
        begin.wait()
        start = timeit.default_timer()
        for thread in threads:
            thread.join()
        took = timeit.default_timer() - start
        assert store.get(log, (first + total - 1,)) == values[-1]
        return took / total

    for _ in range(4):  # until the log has its blocks
        commits()
    return against(
        f"durable commits per second, {clients} client{'s' * (clients > 1)}",
        commits,
        lambda: append_and_sync(folder / "floor", times=COMMITS),
        limit_name="block at the end of a log and fdatasync",
        bar=bar,
        unit="us",
        sense=">=",
        rate=True,
    )


def _gets(store: RowStore, path: Path) -> Row:
    partition = ("orders", 7)
    for start in range(0, ENTRIES, 1000):
        store.write([Put(partition, (n,), os.urandom(100)) for n in range(start, start + 1000)])
    raw = sqlite3.connect(path, isolation_level=None)
    order = random.Random(1).sample(range(ENTRIES), GETS)
    keys = [(encode(partition), encode((n,))) for n in order]
    get = store.get

    def gets() -> float:
        start = timeit.default_timer()
        found = [get(partition, (n,)) for n in order]
        took = timeit.default_timer() - start
        assert all(value is not None and len(value) == 100 for value in found)
        return took / GETS

    def selects() -> float:
        start = timeit.default_timer()
        found = [raw.execute(SQL, key).fetchone() for key in keys]
        took = timeit.default_timer() - start
        assert all(len(value) == 100 for value, _ in found)
        return took / GETS

    row = against(
        "get from the row store at 100,000 rows",
        gets,
        selects,
        limit_name="the same SQL by the sqlite3 driver",
        bar=0.85,
        unit="us",
        sense=">=",
        rate=True,
    )
    raw.close()
    return row

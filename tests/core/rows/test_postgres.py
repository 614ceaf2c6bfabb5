from __future__ import annotations

import functools
import itertools
import signal
import sys
import threading

import pytest

from statehold.rows import (
    PostgresDriver,
    Put,
    RowStoreError,
    StoreMissingError,
    StoreReadOnlyError,
    StoreUnavailableError,
)
from statehold.testing._patience import together
from statehold.testing.rows import RowStoreConformance

P, C = ("p",), (1,)
_numbers = itertools.count()


@pytest.fixture
def conninfo(postgres):
    return postgres.schema(f"test_{next(_numbers)}")


@pytest.fixture
def driver(conninfo):
    with PostgresDriver(conninfo) as driver:
        yield driver


class TestPostgres(RowStoreConformance):
    @pytest.fixture
    def factory(self, conninfo):
        return functools.partial(PostgresDriver, conninfo)


def test_killed_server_keeps_what_was_acknowledged_and_is_used_again_when_it_is_back(postgres, driver):
    store = driver.create("a.b")
    written = [0] * 4

    def write_on(thread):
        for number in itertools.count():
            store.write([Put((thread,), (number,), b"x"), Put(("twin", thread), (number,), b"y")])
            written[thread] = number + 1

    def write(thread):
        with pytest.raises(StoreUnavailableError):
            write_on(thread)

    def kill():
        while min(written) < 20:
            pass
        postgres.stop(signal.SIGQUIT)  # it ends at once and writes nothing more

    together(30, [*(functools.partial(write, thread) for thread in range(4)), kill])
    with pytest.raises(StoreUnavailableError, match="running") as raised:
        store.get((0,), (0,))
    assert not raised.value.unknown
    postgres.start()
    for thread in range(4):
        numbers = [row.clustering[0] for row in store.read((thread,))]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) >= written[thread]
        assert [row.clustering[0] for row in store.read(("twin", thread))] == numbers


def test_idle_connections_to_a_server_that_was_started_anew_are_replaced(postgres, driver):
    store = driver.create("a.b")
    start = threading.Barrier(4)
    together(20, [lambda: start.wait(10) and store.write([Put(P, C, b"x")])] * 4)
    postgres.stop()
    postgres.start()
    assert store.write([Put(P, C, b"y")])
    assert store.get(P, C) == b"y"


def test_full_durability_is_asked_of_the_server_whatever_its_default(conninfo):
    for durability, expected in (("full", "on"), ("relaxed", "off")):
        with PostgresDriver(conninfo, durability=durability) as driver:
            connection = driver._connect("a.b")
            assert connection.execute("SHOW synchronous_commit").fetchone() == (expected,)
            connection.close()


def test_store_that_another_process_removed_is_told(conninfo, driver):
    store = driver.create("a.b")
    with PostgresDriver(conninfo) as other:
        other.remove("a.b")
    with pytest.raises(StoreMissingError, match="removed"):
        store.get(P, C)


def test_read_only_server_is_told_and_can_be_read(conninfo):
    with PostgresDriver(conninfo) as driver:
        driver.create("a.b").write([Put(P, C, b"x")])
    only = conninfo.replace("-c search_path", "-c default_transaction_read_only=on -c search_path")
    with PostgresDriver(only) as driver, driver.open("a.b") as store:
        with pytest.raises(StoreReadOnlyError):
            store.write([Put(P, C, b"y")])
        assert store.get(P, C) == b"x"


def test_server_that_is_not_there_is_told():
    with PostgresDriver("host=/nowhere dbname=x") as driver:
        for call in (driver.names, lambda: driver.open("a.b"), lambda: driver.create("a.b")):
            with pytest.raises(StoreUnavailableError, match="nowhere"):
                call()


def test_missing_psycopg_is_told_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(RowStoreError, match=r"statehold\[postgres\]"):
        PostgresDriver("dbname=x")

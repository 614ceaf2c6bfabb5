from __future__ import annotations

import functools
import itertools
import os
import select
import signal
import socket
import sys
import threading

import pytest

from statehold.rows import (
    PostgresDriver,
    Put,
    RowStoreError,
    StoreHeldError,
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
    together(60, [lambda: start.wait(60) and store.write([Put(P, C, b"x")])] * 4)
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


@pytest.fixture
def held(driver):
    store = driver.create("a.b")
    store.hold()
    return store


def cut(postgres, store):
    """End the connection that holds a store, from the server's side."""
    import psycopg

    held = store._held._connection
    with psycopg.connect(postgres.conninfo, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 10000)", (held.info.backend_pid,))


def test_who_holds_a_store_is_told(conninfo, held):
    with PostgresDriver(conninfo) as driver, driver.open("a.b") as second:
        for call in (second.hold, lambda: driver.open("a.b").hold()):
            with pytest.raises(StoreHeldError) as raised:
                call()
            message = str(raised.value)
            assert f"process {os.getpid()} of {socket.gethostname()}, connected from" in message
            assert "stop the other one" in message
    assert held.write([Put(P, C, b"x")])


def test_stores_of_one_name_in_two_schemas_are_held_apart(postgres, conninfo, held):
    other = postgres.schema(f"test_{next(_numbers)}")
    with PostgresDriver(other) as driver, driver.create("a.b") as store:
        store.hold()


def test_hold_that_breaks_is_taken_again_by_the_next_write_if_nobody_else_had_it(postgres, conninfo, held):
    cut(postgres, held)
    assert held.write([Put(P, C, b"x")])
    with PostgresDriver(conninfo) as driver, driver.open("a.b") as second, pytest.raises(StoreHeldError):
        second.hold()
    postgres.stop()
    with pytest.raises(StoreUnavailableError):
        held.write([Put(P, C, b"y")])
    postgres.start()
    assert held.write([Put(P, C, b"z")])


def test_store_that_another_one_has_held_meanwhile_is_written_no_more(postgres, conninfo, held):
    cut(postgres, held)
    with PostgresDriver(conninfo) as driver, driver.open("a.b") as second:
        second.hold()
        second.write([Put(P, C, b"theirs")])
        with pytest.raises(StoreHeldError, match=f"is held by statehold: process {os.getpid()}"):
            held.write([Put(P, C, b"ours")])
    for _ in range(2):
        with pytest.raises(StoreHeldError, match="has been held by another one since"):
            held.write([Put(P, C, b"ours")])
    assert held.get(P, C) == b"theirs"
    with PostgresDriver(conninfo) as driver, driver.open("a.b") as third:
        third.hold()


def test_connection_that_the_server_has_only_spoken_to_still_holds_the_store(postgres, held):
    import psycopg

    before = held._held._connection
    before.execute("LISTEN gossip")
    with psycopg.connect(postgres.conninfo, autocommit=True) as connection:
        connection.execute("NOTIFY gossip")
    poll = select.poll()
    poll.register(before.fileno(), select.POLLIN)
    assert poll.poll(10_000)
    assert held.write([Put(P, C, b"x")])
    assert held._held._connection is before


def test_store_that_was_removed_is_not_held(conninfo, driver):
    store = driver.create("a.b")
    with PostgresDriver(conninfo) as other:
        other.remove("a.b")
    with pytest.raises(StoreMissingError):
        store.hold()

"""Two hosts on one row store: the second one is refused, so that nobody appends to the log of another."""

from __future__ import annotations

import itertools
import os

import pytest

from statehold.hosting import Host
from statehold.processing import SYSTEM, ProcessingError, Request, Runtime
from statehold.rows import MemoryDriver, PostgresDriver, SqliteDriver, StoreHeldError

APP = "acme.shop"
_numbers = itertools.count()


@pytest.fixture
def conninfo(postgres):
    return postgres.schema(f"hosts_{next(_numbers)}")


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def drivers(request, tmp_path):
    """Return what makes a driver, always at the same place."""
    if request.param == "postgres":
        conninfo = request.getfixturevalue("conninfo")
        yield lambda: PostgresDriver(conninfo)
    elif request.param == "sqlite":
        (tmp_path / "shared").mkdir()
        yield lambda: SqliteDriver(tmp_path / "shared")
    else:
        with MemoryDriver() as driver:
            yield lambda: driver


@pytest.fixture
def two_drivers(conninfo):
    with PostgresDriver(conninfo) as one, PostgresDriver(conninfo) as other:
        yield one, other


def open_bill(runtime, number):
    request = Request(app=APP, workspace=1, principal=SYSTEM)
    return runtime.command(request, "shop.OpenBill", {"Number": number}).offset


def test_an_app_that_another_host_runs_is_not_deployed_and_the_first_goes_on(drivers, shop, tmp_path):
    with drivers() as rows, drivers() as others, Host(tmp_path / "a", rows=rows) as first:
        first.deploy(shop())
        with Host(tmp_path / "b", rows=others) as second, Runtime(first, jobs=False) as runtime:
            before = open_bill(runtime, 1)
            with pytest.raises(StoreHeldError, match=r"acme\.shop.* held"):
                second.deploy(shop("2"))
            assert second.apps() == ()
            assert open_bill(runtime, 2) == before + 1
            first.deploy(shop("3"))
            assert open_bill(runtime, 3) == before + 2


def test_an_app_is_free_for_another_host_when_it_is_undeployed_or_its_host_closed(drivers, shop, tmp_path):
    with drivers() as rows, drivers() as others:
        with Host(tmp_path / "b", rows=others) as second, Host(tmp_path / "a", rows=rows) as first:
            version = first.deploy(shop())
            first.undeploy(APP)
            version.wait_freed(60)
            second.deploy(shop())
            with pytest.raises(StoreHeldError):
                first.deploy(shop())
        with Host(tmp_path / "a", rows=rows) as first:
            first.deploy(shop())


def test_a_host_that_comes_back_while_another_one_has_its_app_says_so(two_drivers, shop, tmp_path):
    rows, others = two_drivers
    with Host(tmp_path / "a", rows=rows) as first:
        first.deploy(shop())
    with Host(tmp_path / "b", rows=others) as second:
        second.deploy(shop())
        with Host(tmp_path / "a", rows=rows) as first:
            (warning,) = first.warnings
            assert "acme.shop 1 could not be brought back" in warning
            assert f"process {os.getpid()} of " in warning
            assert "stop the other one" in warning
            assert first.running == ()
            second.close()
            first.activate(APP, "1")
            assert first.app(APP).current.name == "1"


def test_a_host_whose_app_was_taken_over_when_its_connection_broke_writes_nothing_more(
    postgres, two_drivers, shop, tmp_path
):
    import psycopg

    rows, others = two_drivers
    with Host(tmp_path / "a", rows=rows) as first, Runtime(first, jobs=False) as runtime:
        first.deploy(shop())
        open_bill(runtime, 1)
        assert runtime.wait_for_projectors(APP, timeout=60)
        with psycopg.connect(postgres.conninfo, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE application_name LIKE 'statehold: process%'"
            )
        with Host(tmp_path / "b", rows=others) as second, Runtime(second, jobs=False) as taking:
            second.deploy(shop())
            offset = open_bill(taking, 2)
            assert taking.wait_for_projectors(APP, timeout=60)
        for _ in range(2):
            with pytest.raises(ProcessingError, match="has been held by another one") as raised:
                open_bill(runtime, 3)
            assert raised.value.status == 503
        with Host(tmp_path / "b", rows=others) as third, Runtime(third, jobs=False) as going_on:
            assert open_bill(going_on, 4) == offset + 1


def test_rows_are_written_conditionally_where_a_host_has_lost_them_and_cannot_know(
    two_drivers, shop, tmp_path, monkeypatch
):
    """The network may break without a word: then it is the first free offset that refuses the commit."""
    monkeypatch.setattr("statehold.rows._postgres_hold.Hold.check", lambda _: None)
    rows, others = two_drivers
    with Host(tmp_path / "a", rows=rows) as first, Runtime(first, jobs=False) as runtime:
        first.deploy(shop())
        open_bill(runtime, 1)
        assert runtime.wait_for_projectors(APP, timeout=60)
        first.app(APP).data.store._held.release()
        with Host(tmp_path / "b", rows=others) as second, Runtime(second, jobs=False) as taking:
            second.deploy(shop())
            offset = open_bill(taking, 2)
            with pytest.raises(ProcessingError, match="has gone on without"):
                open_bill(runtime, 3)
            assert open_bill(taking, 4) == offset + 1

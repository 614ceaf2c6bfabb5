"""What an app remembers lives over its versions, and is closed after the last of them."""

from __future__ import annotations

import builtins
import logging
import threading

import pytest

from statehold.events import Reader
from statehold.hosting import Host
from statehold.hosting._data import DataKeeper
from statehold.hosting._sweeping import sweep
from statehold.rows import MemoryDriver, Put, RowStoreError, SqliteDriver, StoreClosedError
from statehold.sdk import CallContext, DeployError, HostError, Scope, StorageError

APP = "acme.shop"


def kinds(host, count):
    """Return the kinds of the app's first workspaces, each from its own partition; None for none."""
    data = host.app(APP).data
    return [data.partitions[number % len(data.partitions)].kind(number) for number in range(1, count + 1)]


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix != ".db-wal")


def test_the_workspaces_of_an_app_are_made_when_it_is_deployed(host, shop):
    host.deploy(shop(NumParts=2, NumAppWorkspaces=3))
    assert kinds(host, 4) == ["sys.AppWorkspaceWS"] * 3 + [None]
    host.deploy(shop("2", NumParts=2, NumAppWorkspaces=4))
    assert kinds(host, 4) == ["sys.AppWorkspaceWS"] * 4


def test_versions_share_the_data_and_a_restart_finds_it(open_host, shop):
    host = open_host()
    first = host.deploy(shop())
    with host.app(APP).borrow() as partition:
        partition.data.store.write([Put(("mine",), (), b"kept")])
        data = partition.data
    host.deploy(shop("2"))
    first.wait_freed(60)
    with host.app(APP).borrow() as partition:
        assert partition.data is data
        assert partition.data.store.get(("mine",)) == b"kept"
    host.close()
    host = open_host()
    assert host.app(APP).data.store.get(("mine",)) == b"kept"
    assert kinds(host, 1) == ["sys.AppWorkspaceWS"]


def test_undeploying_an_app_closes_its_data_and_leaves_it_for_the_next_deploy(host, shop, tmp_path):
    version = host.deploy(shop())
    app = host.app(APP)
    store = app.data.store
    store.write([Put(("mine",), (), b"kept")])
    with app.borrow():
        host.undeploy(APP)
        assert store.get(("mine",)) == b"kept"
    version.wait_freed(60)
    with pytest.raises(StoreClosedError):
        store.get(("mine",))
    with pytest.raises(HostError, match=r"acme.shop is not running: its data is closed"):
        _ = app.data
    assert (tmp_path / "data/rows/acme.shop.rows").is_file()
    host.deploy(shop())
    assert host.app(APP).data.store.get(("mine",)) == b"kept"


def test_a_version_that_is_only_beside_decides_on_no_number_of_partitions(host, shop):
    version = host.deploy(shop("1", NumParts=3), activate=False)
    with pytest.raises(DeployError, match=r"take away what is only beside: statehold undeploy acme\.shop 1"):
        host.deploy(shop("2", NumParts=2))
    host.undeploy(APP, "1")
    version.wait_freed(60)
    assert len(host.deploy(shop("2", NumParts=2)).partitions) == 2


def test_a_number_of_partitions_that_was_current_once_stays(host, shop):
    version = host.deploy(shop("1", NumParts=3), activate=False)
    host.activate(APP, "1")
    host.undeploy(APP)
    version.wait_freed(60)
    beside = host.deploy(shop("1", NumParts=3), activate=False)
    host.undeploy(APP)
    beside.wait_freed(60)
    with pytest.raises(DeployError, match="lies in 3 partitions, and NumParts is 2"):
        host.deploy(shop("2", NumParts=2))


def test_data_does_not_move_to_another_number_of_partitions(host, shop):
    version = host.deploy(shop(NumParts=2))
    host.undeploy(APP)
    version.wait_freed(60)
    with pytest.raises(DeployError, match=r"lies in 2 partitions, and NumParts is 3.*Set NumParts to 2"):
        host.deploy(shop("2", NumParts=3))
    host.deploy(shop("3", NumParts=2))


def test_a_failed_first_deploy_leaves_nothing_in_the_data_folder(host, kitchen, tmp_path):
    before = tree(tmp_path / "data")
    for fail in ("open Scada 1", "probe Historian 0"):
        with pytest.raises(DeployError):
            host.deploy(kitchen("1", parts=2, fail=fail))
        assert tree(tmp_path / "data") == before


def test_a_failed_upgrade_leaves_only_what_was_there(host, kitchen, tmp_path):
    host.deploy(kitchen("1"))
    before = tree(tmp_path / "data")
    second = """
    STATESTORAGE ENGINE PYPLUGIN (
      STORAGE Second (GET SCOPE(QUERIES)) KEY (Device text NOT NULL) VALUE (Reading int64)
      WITH PROVIDER=Scada, JSONCONFIG=`{"Fail": "probe Second 0"}`;
    )"""
    with pytest.raises(DeployError, match=r"kitchen\.Second"):
        host.deploy(kitchen("2", more=second))
    assert tree(tmp_path / "data") == before


def test_a_version_that_cannot_be_registered_leaves_nothing_new_behind(host, kitchen, tmp_path, monkeypatch):
    before = tree(tmp_path / "data")

    def full(*_, **__):
        raise HostError("the registry cannot be used: database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr("statehold.hosting._registry.Registry.add", full)
        with pytest.raises(HostError, match="disk is full"):
            host.deploy(kitchen("1"))
    assert tree(tmp_path / "data") == before
    host.deploy(kitchen("1"))


def test_workspaces_that_an_upgrade_made_before_it_failed_wait_for_the_next_one(host, shop, monkeypatch):
    """What a log says is not taken back."""
    first = host.deploy(shop())

    def full(*_, **__):
        raise HostError("the registry cannot be used: database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr("statehold.hosting._registry.Registry.add", full)
        with pytest.raises(HostError, match="disk is full"):
            host.deploy(shop("2", NumAppWorkspaces=3))
    assert host.app(APP).current is first
    assert first.app_workspaces == 1
    assert kinds(host, 3) == ["sys.AppWorkspaceWS"] * 3
    (data,) = host.app(APP).data.partitions
    made = data.last_offset()
    host.deploy(shop("3", NumAppWorkspaces=3))
    assert data.last_offset() == made


def test_rows_can_be_kept_by_another_driver_which_the_host_does_not_close(tmp_path, shop):
    driver = MemoryDriver()
    with Host(tmp_path / "data", environ={}, rows=driver) as host:
        host.deploy(shop())
        assert list((tmp_path / "data/rows").iterdir()) == []
    assert driver.names() == [APP]
    with Host(tmp_path / "data", environ={}, rows=driver) as host:
        assert kinds(host, 1) == ["sys.AppWorkspaceWS"]
    driver.close()


class Clock:
    def __init__(self):
        self.time = 1_000_000.0

    def now(self):
        return self.time

    def monotonic(self):
        return self.time


def test_an_app_is_not_opened_on_other_rows_than_its_own(tmp_path, shop):
    """Else it would begin anew, and its events would be in two places."""
    with MemoryDriver() as driver, Host(tmp_path / "data", rows=driver) as host:
        host.deploy(shop())
    with Host(tmp_path / "data") as host:
        (warning,) = host.warnings
        assert "the events, records and views of acme.shop are not in SqliteDriver" in warning
        assert "STATEHOLD_ROWS" in warning
        with pytest.raises(DeployError, match="are not in SqliteDriver"):
            host.deploy(shop("2"))
        assert not (tmp_path / "data/rows/acme.shop.rows").exists()
        host.undeploy(APP)
        host.deploy(shop("2"))
        assert kinds(host, 1) == ["sys.AppWorkspaceWS"]


def test_rows_whose_time_is_over_are_removed_a_part_at_a_time(tmp_path):
    clock, logger = Clock(), logging.getLogger("test")
    keeper = DataKeeper(APP, SqliteDriver(tmp_path, clock=clock), logger, is_deployed=bool)
    stop = threading.Event()
    sweep(keeper, stop, logger)
    lease = keeper.lease(1)
    store = lease.data.store
    store.write([Put(("p",), (n,), b"x", 1.0) for n in range(1200)] + [Put(("p",), (-1,), b"x")])
    clock.time += 2
    stop.set()
    sweep(keeper, stop, logger)
    assert store.sweep(limit=10_000) == 700
    lease.release()
    sweep(keeper, stop, logger)


def test_the_host_sweeps_in_the_background(open_host, shop, monkeypatch):
    swept = threading.Event()
    monkeypatch.setattr("statehold.hosting._data.DataKeeper.sweep", lambda *_: swept.set() or 0)
    host = open_host(sweep_pause=0.01)
    host.deploy(shop())
    assert swept.wait(60)


def test_a_store_that_cannot_be_swept_is_logged_and_does_not_end_the_sweeping(tmp_path, monkeypatch, caplog):
    def broken(*_, **__):
        raise RowStoreError("the disk is gone")

    monkeypatch.setattr("statehold.hosting._data.DataKeeper.sweep", broken)
    logger = logging.getLogger("test")
    sweep(DataKeeper(APP, MemoryDriver(), logger, is_deployed=bool), threading.Event(), logger)
    assert "expired rows could not be removed: the disk is gone" in caplog.text


def test_storages_get_the_data_of_their_partition_and_the_way_to_other_apps(host, kitchen):
    host.deploy(kitchen("1", parts=2))
    with host.app("acme.kitchen").borrow(1) as partition:
        ctx = partition.storage("kitchen.Scada").ctx
        assert ctx.data is partition.data
        assert isinstance(ctx.data.reader(partition.schemas), Reader)
        with pytest.raises(StorageError, match=r"acme.other cannot be called.*statehold serve"):
            ctx.host.base_url("acme", "other")

        class Federation:
            def base_url(self, owner, app):
                return f"http://127.0.0.1:1/{owner}.{app}"

            def system_token(self, owner, app):
                return "token"

        host.federate(Federation())
        assert ctx.host.base_url("acme", "other") == "http://127.0.0.1:1/acme.other"
        assert ctx.host.system_token("acme", "other") == "token"


def test_a_busy_log_makes_a_deploy_that_needs_it_fail_in_time(open_host, shop):
    host = open_host(pending_timeout=0.05)
    host.deploy(shop())
    with host.app(APP).borrow() as partition, partition.writing:
        host.deploy(shop("2"))
        with pytest.raises(DeployError, match=r"a command keeps partition 0 busy"):
            host.deploy(shop("3", NumAppWorkspaces=2))
    assert host.app(APP).current.name == "2"


def test_a_storage_that_is_slow_to_open_is_reported_and_waited_for(open_host, kitchen, monkeypatch):
    reported, told = threading.Event(), []
    # What a hanging storage waits for is the report.
    monkeypatch.setattr(builtins, "reported_by_the_test", reported, raising=False)
    code = "class threading:\n    Event = staticmethod(lambda: __import__('builtins').reported_by_the_test)\n"

    class Listening(logging.Handler):
        def emit(self, record):
            told.append(record.getMessage())
            # Where the machine is busy, others may be slow to open, too.
            if "kitchen.Scada" in told[-1]:
                reported.set()

    logger = logging.Logger("the host")  # noqa: LOG001 - it goes with the test
    logger.addHandler(Listening())
    host = open_host(slow_open=0.01, logger=logger)
    host.deploy(kitchen("1", fail="hang open Scada", code=code))
    slow = "kitchen.Scada of partition 0 of acme.kitchen 1 is still being opened after 0.01 s"
    assert f"{slow}, and the deploy waits for it" in told


def test_a_scoped_facade_reaches_records_and_views_by_entity(host, shop):
    host.deploy(shop())
    with host.app(APP).borrow() as partition:
        reader = partition.data.reader(partition.schemas)
        call = CallContext(scope=Scope.QUERIES, workspace=1, extension="", unit=reader)
        view = partition.scoped("sys.View(shop.Turnover)", Scope.QUERIES).for_call(call)
        assert view.find(1, Day=1, Bill=1) is None
        with pytest.raises(HostError, match=r"no sys.View\(shop.Turnove\).*sys.View\(shop.Turnover\)"):
            partition.scoped("sys.View(shop.Turnove)", Scope.QUERIES)
        with pytest.raises(HostError, match=r"no sys.View without an entity"):
            partition.scoped("sys.View", Scope.QUERIES)

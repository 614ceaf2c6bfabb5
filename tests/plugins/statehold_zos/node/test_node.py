from __future__ import annotations

import logging
import os
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from prometheus_client import CollectorRegistry

from statehold_zos.model import Config, DiskType, EventKind, Mode, NamespaceState, PoolState, RefusedError
from statehold_zos.node import Collector, Node, serve_metrics

MIB = 2**20
LIMIT = 60.0


def until(seen: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT
    while not seen():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_node_that_is_opened_touches_no_disk_and_one_that_is_stopped_can_be_stopped_again(
    folders: Config,
) -> None:
    with Node(folders) as node:
        node.probe()
        assert not any(disk.path.exists() for disk in folders.plain)
        node.stop()
    node.stop()


def test_pools_come_first_then_servers_then_what_is_in_them(folders: Config) -> None:
    with Node(folders) as node:
        node.disks.prepare()
        made = node.namespaces.reserve(DiskType.HDD, MIB, Mode.USER, "secret", name="index")
        node.namespaces.stop()
        (gone,) = node.namespaces.list()
        assert gone.state is NamespaceState.GONE
    away = Path(f"{folders.plain[1].path}.away")
    folders.plain[1].path.rename(away)
    with Node(folders) as node:
        node.bring_up()
        assert [pool.state for pool in node.disks.pools() if pool.id == made.pool] == [PoolState.GONE]
        assert node.namespaces.processes() == []
        away.rename(folders.plain[1].path)
        node.bring_up()
        (back,) = node.namespaces.list()
        assert (back.id, back.state, len(node.namespaces.processes())) == (made.id, NamespaceState.READY, 1)
        node.namespaces.release(made.id, now=True)
        assert node.namespaces.processes() == []


def test_what_is_due_is_done_by_itself(folders: Config) -> None:
    config = attrs.evolve(folders, every=0.05, grace=0.2)
    with Node(config) as node:
        node.disks.prepare()
        node.start()
        made = node.namespaces.reserve(DiskType.SSD, MIB, Mode.USER, "secret")
        node.namespaces.release(made.id)
        until(lambda: not node.ledger.claims.all())
        assert (list(node.namespaces.list()), list(node.namespaces.processes())) == ([], [])
        until(lambda: node.figures.mended.get("namespaces deleted") == 1)


def test_one_of_those_who_have_a_node_open_looks_after_it_and_another_takes_over(folders: Config) -> None:
    config = attrs.evolve(folders, every=0.05)
    with Node(config) as first, Node(config) as second:
        first.disks.prepare()
        first.start()
        second.start()
        until(lambda: first.figures.looks > 2)
        assert second.figures.looks == 0
        first.stop()
        until(lambda: second.figures.looks > 2)


def test_a_look_that_fails_is_told_and_the_next_one_is_done(
    folders: Config, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Node(attrs.evolve(folders, every=0.05)) as node:
        node.start()
        good, failing = node.pools.reconcile, threading.Event()

        def bad() -> object:
            if not failing.is_set():
                failing.set()
                raise RefusedError("not now")
            return good()

        with caplog.at_level(logging.ERROR, logger="statehold_zos.node._node"):
            monkeypatch.setattr(node.pools, "reconcile", bad)
            until(failing.is_set)
            before = node.figures.looks
            until(lambda: node.figures.looks > before)
        assert node.figures.failed == 1
        assert "not now" in caplog.text


def test_what_stays_wrong_is_logged_when_it_begins(folders: Config, caplog: pytest.LogCaptureFixture) -> None:
    with Node(folders) as node:
        node.disks.prepare()
        space = node.pools.reserve(DiskType.SSD, MIB)
        (space.path / "large").write_bytes(b"x" * 2 * MIB)
        for _ in range(3):
            node.reconcile()
        assert caplog.text.count("spaces over") == 1
        assert [space.id in " ".join(names) for names in node.figures.wrong.values()] == [True]
        (space.path / "large").unlink()
        node.reconcile()
        assert node.figures.wrong == {}


def test_what_happens_to_a_disk_is_told_and_counted(folders: Config) -> None:
    with Node(attrs.evolve(folders, every=0.05)) as node:
        node.disks.prepare()
        node.start()
        until(lambda: node.figures.looks > 0)
        disk = folders.plain[0].path
        with node.watch.monitor() as events:
            disk.rename(f"{disk}.away")
            told = [events.get(LIMIT)]
            while told[-1] is not None and told[-1].disk != str(disk):  # its pool may have been seen first
                told.append(events.get(LIMIT))
            assert [event and event.kind for event in told][-1] is EventKind.REMOVED
            Path(f"{disk}.away").rename(disk)
            until(lambda: node.figures.events.get("back", 0) >= 1)


def test_two_threads_that_reconcile_take_turns(folders: Config) -> None:
    with Node(folders) as node:
        node.disks.prepare()
        space = node.pools.reserve(DiskType.SSD, MIB, name="a")
        threads = [threading.Thread(target=node.reconcile) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT)
        assert node.figures.looks == 4
        assert node.pools.find("", "a") == space


def test_prometheus_is_told_of_pools_disks_and_namespaces(folders: Config) -> None:
    with Node(folders) as node:
        node.disks.prepare()
        node.pools.reserve(DiskType.SSD, 3 * MIB)
        node.reconcile()
        registry = CollectorRegistry()
        registry.register(Collector(node))
        pool = next(pool for pool in node.disks.pools() if pool.type is DiskType.SSD)
        labels = {"pool": pool.id, "type": "ssd"}
        assert registry.get_sample_value("zos_pool_size_bytes", labels) == pool.size
        assert registry.get_sample_value("zos_pool_reserved_bytes", labels) == 3 * MIB
        assert registry.get_sample_value("zos_pool_state", {**labels, "state": "ready"}) == 1
        assert registry.get_sample_value("zos_pool_state", {**labels, "state": "gone"}) == 0
        assert registry.get_sample_value("zos_disks", {"state": "pool"}) == 2
        assert registry.get_sample_value("zos_looks_total") == 1
        with serve_metrics(node, 0) as port:
            url = f"http://127.0.0.1:{port}/metrics"
            with urllib.request.urlopen(url, timeout=LIMIT) as answer:
                assert "zos_pool_reserved_bytes" in answer.read().decode()


def test_the_folder_of_a_node_is_its_owner_s_alone(folders: Config) -> None:
    before = os.umask(0o022)
    try:
        with Node(folders):
            assert folders.folder.stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(before)

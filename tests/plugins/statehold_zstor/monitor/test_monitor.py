"""The monitor: redundancy comes back by itself, damage is found, configurations are followed."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from zstor_servers import zdb, zdb_config
from zstor_worlds import BLOCK, LIMIT, Place, config_of, data_url, table_of, toml_of

from statehold_zstor.metadata import MetadataError
from statehold_zstor.metadata._coding import id_of
from statehold_zstor.monitor import Collector, Monitor
from statehold_zstor.monitor._evicting import evict
from statehold_zstor.objects import Zstor

DATA = os.urandom(2 * BLOCK + 5)
#: Soon lost, scrubbed only where a test wants it.
SOON = {"health": 0.1, "repair": 0.2, "scrub": 0}


def until(condition: Callable[[], object]) -> None:
    """Wait for *condition*, for as long as a test may take."""
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.01)


@contextmanager
def watched(zstor: Zstor, source: Path | None = None) -> Iterator[Monitor]:
    monitor = Monitor(zstor, source=source)
    monitor.start()
    try:
        yield monitor
    finally:
        monitor.stop()


@pytest.fixture
def place() -> Place:
    return Place()


def test_what_a_backend_had_that_does_not_come_back_is_made_anew_elsewhere(place: Place) -> None:
    """And deleted there when it does come back."""
    with place.zstor(groups=(7,), monitor=SOON) as zstor:
        infos = [zstor.store(f"key{number}", DATA) for number in range(3)]
        away = place.shelf(infos[0].backends[0])
        with watched(zstor) as monitor:
            away.down = True
            until(lambda: all(away.name not in info.backends for info in zstor.list()))
            assert all(zstor.verify(info.key).whole for info in infos)
            assert away.data()
            away.down = False
            until(lambda: not away.data() and zstor.status().garbage == 0)
            until(lambda: monitor.figures.repaired >= 1 and monitor.figures.remade >= 1)
        assert all(zstor.read(info.key) == DATA for info in infos)


def test_what_a_backend_has_that_lets_nobody_in_any_more_is_made_anew_elsewhere() -> None:
    """It answers, and nothing that it has can be read: somebody has changed its password."""
    with tempfile.TemporaryDirectory(prefix="zstor") as folder, zdb(Path(folder)) as running:
        urls = [zdb_config(running).url for _ in range(7)]
        config = config_of(
            groups=(6,), metas=1, urls=lambda n: urls[n], meta_urls=lambda _: urls[6], monitor=SOON
        )
        with Zstor(config) as zstor:
            shut = zstor.store("key", DATA).backends[0]
            running.engine.configure(shut.rpartition("/")[2], password=b"another", public=False)
        with Zstor(config) as zstor, watched(zstor):
            status = zstor.status()
            assert status.endangered == 1
            (told,) = [each for each in status.backends if each.problem]
            assert (told.name, told.reachable) == (shut, False)
            until(lambda: shut not in zstor.check("key").backends)
            assert zstor.verify("key").whole


def test_a_backend_that_hangs_is_given_up_and_keeps_nobody_from_looking_at_the_others(place: Place) -> None:
    """As a disk may: the operating system ends no call to it."""
    with place.zstor(groups=(8,), monitor=SOON, timeout=0.5) as zstor:
        info = zstor.store("key", DATA)
        hangs, away = (place.shelf(name) for name in info.backends[:2])
        hangs.gate = threading.Event()
        try:
            with watched(zstor):
                until(lambda: zstor.world.lanes[hangs.name].down_since is not None)
                away.down = True
                until(lambda: not {hangs.name, away.name}.intersection(zstor.check("key").backends))
                assert zstor.read("key") == DATA
                hangs.gate.set()
        finally:
            hangs.gate.set()
            away.down = False
        assert zstor.verify("key").whole


def test_tickets_are_repaired_as_soon_as_there_is_room(place: Place) -> None:
    """A policy acknowledged fewer shards; the monitor of another process makes the rest."""
    policy = {"acknowledge": {"minimum": 4}, "monitor": SOON}
    with place.zstor(**policy) as zstor, place.zstor(**policy) as other:
        place.data(2).down = True
        assert len(zstor.store("key", DATA).missing) == 1
        with watched(other) as monitor:
            until(lambda: monitor.figures.tickets == 1)
            assert monitor.figures.oldest_ticket > 0
            place.data(2).down = False
            until(lambda: monitor.figures.tickets == 0)
        assert zstor.verify("key").whole
        assert zstor.status().tickets == 0


def test_what_could_not_be_repaired_is_looked_at_again_soon(place: Place) -> None:
    """A backend that has just come back may not be written to yet; each time that it fails it is later."""
    with place.zstor(acknowledge={"minimum": 4}, monitor={"repair": 600.0}) as zstor:
        place.data(2).down = True
        assert len(zstor.store("key", DATA).missing) == 1
        monitor = Monitor(zstor)
        assert [monitor._repair() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
        place.data(2).down = False
        zstor.world.look()
        until(lambda: monitor._repair() == 600)
        assert zstor.verify("key").whole
        place.data(2).down = True
        zstor.store("other", DATA)
        assert monitor._repair() == 1


def test_those_that_have_least_left_are_repaired_first(place: Place) -> None:
    """Whatever the order of their names."""
    with place.zstor(groups=(5, 5), monitor=SOON) as zstor:
        infos = {key: zstor.store(key, b"x") for key in ("a", "b", "c", "d", "e", "f")}
        damaged = infos["d"].backends[:2]
        for name in damaged:
            place.shelf(name).down = True
        order: list[str] = []
        for shelf in place.datas():
            shelf.before_put = lambda key: order.append(key) if "/data/" in key else None
        left = {key: sum(name not in damaged for name in info.backends) for key, info in infos.items()}
        # Both are given up already when the monitor looks for the first time.
        zstor.world.look()
        until(lambda: all(zstor.world.lanes[name].down_for >= SOON["repair"] for name in damaged))
        with watched(zstor):
            until(lambda: all(not set(damaged) & set(info.backends) for info in zstor.list()))
        prefixes = {
            entry.meta.moved[shard].rpartition(".")[0]: entry.key
            for entry in zstor.world.metadata.scan()
            if entry.meta is not None
            for shard in entry.meta.moved
        }
        repaired = [prefixes[key.rpartition("/")[0].rpartition(".")[0]] for key in order]
        found = [left[key] for key in dict.fromkeys(repaired)]
        assert found == sorted(found)
        assert found[0] == 3


def test_scrubbing_finds_damage_that_nobody_read_and_mends_it(place: Place) -> None:
    """A backend that answers and has lost or changed what it had is not healthy."""
    with place.zstor(groups=(6,), monitor={**SOON, "scrub": 1000}) as zstor:
        infos = [zstor.store(f"key{number}", DATA) for number in range(3)]
        shelf = place.shelf(infos[0].backends[4])
        rotten = shelf.pieces(4)[0]
        shelf.values[rotten] = b"rot" + shelf.values[rotten][3:]
        emptied = place.shelf(infos[1].backends[0])
        for key in emptied.data():
            del emptied.values[key]
        with watched(zstor) as monitor:
            until(lambda: monitor.figures.scrub_ended)
            assert monitor.figures.mended >= 2
            assert monitor.figures.scrubbed == 3 * len(DATA)
            assert monitor.figures.unreadable == 0
        assert all(zstor.verify(info.key).whole for info in infos)


def test_an_object_that_cannot_be_saved_keeps_nothing_from_the_others(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told, and counted."""
    with place.zstor(groups=(7,), monitor={**SOON, "scrub": 1000}) as zstor:
        for key in ("a", "b", "c"):
            zstor.store(key, DATA)
        info = zstor.check("b")
        assert info is not None
        for shard, name in enumerate(info.backends[:3]):
            for key in place.shelf(name).pieces(shard):
                if key.rpartition("/")[0] == _shard_of(zstor, "b", shard):
                    del place.shelf(name).values[key]
        other = zstor.check("c")
        assert other is not None
        shelf = place.shelf(other.backends[4])
        for key in shelf.data():
            shelf.values[key] = b""
        with watched(zstor) as monitor:
            until(lambda: monitor.figures.scrub_ended)
            assert monitor.figures.unreadable == 1
        assert "'b' cannot be read: block 0 has 2 sound shards, 3 are needed" in caplog.text
        assert zstor.verify("c").whole


def _shard_of(zstor: Zstor, key: str, shard: int) -> str:
    entry = zstor.world.metadata.read(key)
    assert entry is not None
    assert entry.meta is not None
    return f"{entry.meta.keys}.{shard}"


def test_a_backend_that_is_removed_from_the_configuration_is_emptied(place: Place, tmp_path: Path) -> None:
    """Without a restart; and one that is new takes shards."""
    path = tmp_path / "zstor.toml"
    path.write_text(toml_of(table_of(groups=(6,), monitor=SOON)), encoding="utf-8")
    with Zstor(path, opener=place.open) as zstor:
        infos = [zstor.store(f"key{number}", DATA) for number in range(3)]
        leaving = place.shelf(infos[0].backends[0])
        number = int(leaving.name[-2:])
        with watched(zstor, path) as monitor:
            text = toml_of(table_of(groups=(8,), removed=frozenset({number}), monitor=SOON))
            (tmp_path / "new").write_text(text, encoding="utf-8")
            (tmp_path / "new").replace(path)
            until(lambda: monitor.figures.reloads == 1)
            until(lambda: not leaving.data())
            until(lambda: leaving.name not in zstor.world.lanes)
            assert zstor.status().garbage == 0
            assert monitor.figures.moved >= 1
        assert all(zstor.verify(info.key).whole for info in infos)
        assert all(leaving.name not in info.backends for info in zstor.list())
        assert {backend.name for backend in zstor.status().backends} >= {data_url(6), data_url(7)}


def test_a_configuration_that_is_wrong_changes_nothing(
    place: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What it says is told; when it is mended it counts."""
    path = tmp_path / "zstor.toml"
    path.write_text(toml_of(table_of(monitor=SOON)), encoding="utf-8")
    with Zstor(path, opener=place.open) as zstor, watched(zstor, path) as monitor:
        zstor.store("key", DATA)
        path.write_text("minimal_shards = 'many'\n", encoding="utf-8")
        until(lambda: monitor.figures.refused == 1)
        assert "the configuration before stays in use" in caplog.text
        assert "minimal_shards" in caplog.text
        assert zstor.read("key") == DATA
        path.write_text(toml_of(table_of(monitor=SOON, compression={"algorithm": "zstd"})), encoding="utf-8")
        until(lambda: monitor.figures.reloads == 1)
        assert zstor.world.config.compression == "zstd"
        monitor.reload_soon()
        zstor.store("key", DATA[::-1])
        assert zstor.read("key") == DATA[::-1]


def test_a_new_backend_of_the_metadata_gets_all_of_them(place: Place, tmp_path: Path) -> None:
    """However many pages they are, so that the one it replaces is not needed any more."""
    path = tmp_path / "zstor.toml"
    path.write_text(toml_of(table_of(monitor=SOON)), encoding="utf-8")
    with Zstor(path, opener=place.open) as zstor:
        keys = {f"key{number}" for number in range(20)}
        for key in keys:
            zstor.store(key, b"x")
        old, new = place.metas()[0], place.shelf("file:///zstor/meta-00-new")
        with watched(zstor, path) as monitor:
            old.down = True
            table = table_of(
                monitor=SOON,
                meta_urls=lambda number: new.name if number == 0 else f"file:///zstor/meta-{number:02}",
            )
            path.write_text(toml_of(table), encoding="utf-8")
            until(lambda: monitor.figures.reloads == 1)
            until(lambda: len(new.values) == len(keys))
        assert {info.key for info in zstor.list()} == keys


def test_it_ends_although_repairs_fail(place: Place) -> None:
    """Backends that are away for ever keep it from nothing, and what comes back is there."""
    with place.zstor(groups=(6,), monitor=SOON) as zstor:
        info = zstor.store("key", DATA)
        with watched(zstor) as monitor:
            for name in info.backends[:3]:
                place.shelf(name).down = True
            until(lambda: monitor.figures.failed >= 1)
        for name in info.backends[:3]:
            place.shelf(name).down = False
        assert zstor.read("key") == DATA


def test_repairs_that_fail_are_tried_later_each_time(place: Place) -> None:
    """Not all the time: how often is bounded, however long it lasts."""
    with place.zstor(monitor=SOON) as zstor:
        zstor.store("key", DATA)
        place.data(1).down = True
        with watched(zstor) as monitor:
            until(lambda: monitor.figures.failed >= 1)
            for _ in range(50):
                monitor.repair_soon()
            assert monitor.figures.failed < 20


def test_metadata_that_do_not_answer_are_waited_for(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """The monitor goes on when they do."""
    with place.zstor(groups=(6,), monitor=SOON) as zstor:
        info = zstor.store("key", DATA)
        for shelf in place.metas()[1:]:
            shelf.down = True
        with watched(zstor):
            until(lambda: "repair: " in caplog.text)
            place.shelf(info.backends[0]).down = True
            for shelf in place.metas():
                shelf.down = False
            until(lambda: place.shelf(info.backends[0]).name not in zstor.check("key").backends)
        assert zstor.read("key") == DATA


def test_files_that_are_stored_are_deleted_here_where_there_are_too_many(
    place: Place, tmp_path: Path
) -> None:
    """Those used longest ago first; none that is not stored as it is, and none that is written just now."""
    folder = tmp_path / "data"
    folder.mkdir()
    limits = {"zdb_data_dir_path": str(folder), "max_zdb_data_dir_size": 1, "root": str(tmp_path)}
    with place.zstor(monitor=SOON, block=2**20, **limits) as zstor:
        for number, name in enumerate(("oldest", "changed", "never", "newest", "fresh")):
            (folder / name).write_bytes(bytes([number]) * 400_000)
            if name != "never":
                zstor.store(f"data/{name}", folder / name)
            if name == "changed":
                (folder / name).write_bytes(b"?" * 400_000)
            if name != "fresh":
                os.utime(folder / name, (1_000_000 + number, 1_000_000 + number))
        with watched(zstor) as monitor:
            until(lambda: monitor.figures.evicted == 2)
        assert {path.name for path in folder.iterdir()} == {"changed", "never", "fresh"}


def test_a_file_of_which_shards_cannot_be_had_now_is_not_deleted_here(place: Place, tmp_path: Path) -> None:
    """It may be the last copy."""
    folder = tmp_path / "data"
    folder.mkdir()
    limits = {"zdb_data_dir_path": str(folder), "max_zdb_data_dir_size": 1, "root": str(tmp_path)}
    with place.zstor(monitor=SOON, block=2**20, **limits) as zstor:
        for name in ("one", "two"):
            (folder / name).write_bytes(name.encode() * 300_000)
            info = zstor.store(f"data/{name}", folder / name)
            os.utime(folder / name, (1_000_000, 1_000_000))
        log = logging.getLogger(__name__)
        for away in (info.backends[:1], info.backends[:3]):
            for name in away:
                place.shelf(name).down = True
            zstor.world.look()
            assert evict(zstor, log) == 0
        assert len(list(folder.iterdir())) == 2
        for name in info.backends:
            place.shelf(name).down = False
        zstor.world.look()
        assert evict(zstor, log) == 1


def test_metrics_say_how_backends_and_objects_are(place: Place) -> None:
    """Under the original's names, where it has them."""
    with place.zstor(groups=(6,), monitor=SOON, prometheus_port=0) as zstor:
        zstor.store("key", DATA)
        zstor.read("key")
        with watched(zstor) as monitor:
            until(lambda: monitor.figures.objects == 1)
            with urllib.request.urlopen(f"http://127.0.0.1:{monitor.port}/metrics", timeout=LIMIT) as answer:
                text = answer.read().decode()
    labels = '{address="file:///zstor/data-00",backend_type="data",namespace=""}'
    for line in (
        f"connection_status{labels} 1.0",
        f"zstor_backend_errors_total{labels} 0.0",
        'zstor_store_commands_finished_total{success="true"} 1.0',
        'zstor_read_commands_finished_total{success="true"} 1.0',
        "zstor_objects 1.0",
        f"zstor_object_bytes {float(len(DATA))}",
        "zstor_underprotected_objects 0.0",
        'zstor_repairs_total{success="false"} 0.0',
        "zstor_scrub_progress 1.0",
    ):
        assert line in text
    assert f"zstor_backend_seconds_count{labels}" in text
    assert 'backend_type="meta"' in text


def test_metrics_of_a_zstor_without_a_monitor_and_of_backends_by_address(
    place: Place, tmp_path: Path
) -> None:
    """For programs that bring a server of their own."""
    config = config_of(urls=lambda number: f"zdb://10.0.0.{number}:9900/ns", zdbfs_mountpoint=str(tmp_path))
    with Zstor(config, opener=place.open) as zstor:
        registry = CollectorRegistry()
        registry.register(Collector(zstor))
        text = generate_latest(registry).decode()
    assert 'connection_status{address="10.0.0.1:9900",backend_type="data",namespace="ns"} 1.0' in text
    assert "fs_size_bytes" in text


def test_a_pace_holds_back_and_ends_with_the_monitor() -> None:
    """What is read faster than the rate waits."""
    from statehold_zstor.monitor._pace import Pace, StoppedError

    stop = threading.Event()
    pace = Pace(stop, 1_000_000.0)
    start = time.monotonic()
    pace(1_000_000)
    pace(200_000)
    assert time.monotonic() - start >= 0.15
    stop.set()
    with pytest.raises(StoppedError):
        pace(1)


def test_an_object_whose_metadata_are_lost_keeps_no_other_from_being_scrubbed(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told, and counted among those that cannot be read."""
    with place.zstor(groups=(6,), monitor={**SOON, "scrub": 1000}) as zstor:
        for number in range(4):
            zstor.store(f"key{number}", DATA)
        id_ = id_of("key2")
        for shelf in place.metas()[:3]:
            shelf.values[f"test/meta/{id_}"] = b"rot"
        with watched(zstor) as monitor:
            until(lambda: monitor.figures.scrub_ended)
            assert monitor.figures.unreadable == 1
            assert monitor.figures.scrubbed == 3 * len(DATA)
        assert f"the metadata under {id_}: " in caplog.text


@pytest.mark.parametrize("what", ["list", "sweep"])
def test_what_of_it_fails_is_not_put_off_until_its_next_turn(
    place: Place, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """A scrub that metadata ended which did not answer, and a sweep, are begun again."""
    monkeypatch.setattr("statehold_zstor.monitor._monitor._REFRESH_EVERY", 0.0)
    with place.zstor(groups=(6,), monitor={**SOON, "scrub": 1000}) as zstor:
        zstor.store("key", DATA)
        for shelf in place.metas():
            shelf.down = what == "list"
        sweep, failures = zstor.sweep, []

        def fail_once() -> int:
            failures.append(1)
            if len(failures) == 1:
                raise MetadataError("not now")
            return sweep()

        monkeypatch.setattr(zstor, "sweep", fail_once)
        with watched(zstor) as monitor:
            if what == "list":
                until(lambda: monitor.figures.scrub_done == 0.0)
                for shelf in place.metas():
                    shelf.down = False
                until(lambda: monitor.figures.scrub_ended)
            until(lambda: len(failures) == 2)


def test_it_ends_also_where_it_is_told_to_just_when_a_repair_begins(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for the next repair, which is due in ten minutes."""
    with place.zstor(groups=(6,), monitor={"health": 1000, "repair": 1000, "scrub": 0}) as zstor:
        monitor = Monitor(zstor)
        repair = monitor._repair
        begun, told = threading.Event(), threading.Event()

        def repair_after() -> float:
            begun.set()
            assert told.wait(LIMIT)
            return repair()

        monkeypatch.setattr(monitor, "_repair", repair_after)
        monitor.start()
        assert begun.wait(LIMIT)
        stopping = threading.Thread(target=monitor.stop)
        stopping.start()
        until(monitor._reload.is_set)
        told.set()
        stopping.join(LIMIT)
        assert not stopping.is_alive()

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from watching import Node, node_on

from statehold_zos.model import Config, EventKind, NoSpaceError, PoolState
from statehold_zos.watch import Watch

MIB = 2**20
_MANY = 8192


@pytest.fixture
def node(folders: Config) -> Iterator[Node]:
    with node_on(folders) as made:
        yield made


def test_a_folder_that_is_moved_away_is_a_disk_that_was_pulled_and_is_back_with_its_contents(
    node: Node, tmp_path: Path
) -> None:
    fast = node.names[0]
    pool = node.pool_of(fast)
    (pool.path / "space").mkdir()
    (pool.path / "space" / "file").write_bytes(b"kept")
    assert node.look() == []

    Path(fast).rename(tmp_path / "elsewhere")
    assert node.look() == [(EventKind.REMOVED, fast), (EventKind.REMOVED, "pool")]
    assert node.look() == []
    assert node.disks.pool(pool.id).state is PoolState.GONE
    assert not Path(fast).exists(), "nothing was made in its place"

    (tmp_path / "elsewhere").rename(fast)
    assert node.look() == [(EventKind.BACK, fast), (EventKind.BACK, "pool")]
    assert (pool.path / "space" / "file").read_bytes() == b"kept"
    assert node.disks.pool(pool.id).state is PoolState.READY
    told = [event.message for event in node.events if event.kind is EventKind.REMOVED]
    assert told == [
        f"disk {fast} is gone",
        f"pool {pool.id} cannot be read now: without {fast} it cannot be read",
    ]


def test_an_empty_folder_in_its_place_is_not_taken_for_the_disk(node: Node, tmp_path: Path) -> None:
    fast = node.names[0]
    pool = node.pool_of(fast)
    node.look()
    Path(fast).rename(tmp_path / "elsewhere")
    Path(fast).mkdir()
    assert node.look() == [(EventKind.REMOVED, fast), (EventKind.REMOVED, "pool")]
    assert node.disks.pool(pool.id).state is PoolState.GONE
    assert list(Path(fast).iterdir()) == []


def test_the_other_pools_stay_as_they_are(node: Node, tmp_path: Path) -> None:
    fast, slow = node.names
    Path(fast).rename(tmp_path / "elsewhere")
    node.look()
    assert node.pool_of(slow).state is PoolState.READY


def test_pools_of_both_types_are_watched(node: Node, tmp_path: Path) -> None:
    node.look()
    for name in node.names:
        Path(name).rename(tmp_path / f"{Path(name).name}-elsewhere")
    assert sorted(node.look(), key=str) == sorted(
        [(EventKind.REMOVED, name) for name in (*node.names, "pool", "pool")], key=str
    )


def test_a_folder_that_is_marked_takes_no_reservations_until_the_mark_is_gone(node: Node) -> None:
    fast = node.names[0]
    pool = node.pool_of(fast)
    node.look()
    node.disks.mark(fast, "smells")
    assert node.look() == [(EventKind.FAILING, fast), (EventKind.FAILING, "pool")]
    found = node.disks.pool(pool.id)
    assert (found.state, found.free) == (PoolState.FAILING, 0)
    assert "smells" in found.reason
    node.disks.mark(fast, "")
    assert node.look() == [(EventKind.BACK, fast), (EventKind.BACK, "pool")]
    assert node.disks.pool(pool.id).state is PoolState.READY


def test_a_pool_that_fills_is_told_once(folders: Config) -> None:
    small = tuple(attrs.evolve(plain, size=MIB) for plain in folders.plain)
    with node_on(attrs.evolve(folders, plain=small)) as node:
        pool = node.pool_of(node.names[0])
        assert node.look() == []
        space = pool.path / "spaces" / "space" / "data"
        space.mkdir(parents=True)
        (space / "file").write_bytes(os.urandom(MIB * 95 // 100))
        assert node.look() == [(EventKind.FILLING, "pool")]
        assert node.look() == []
        shutil.rmtree(space)
        assert node.look() == []


def test_a_node_that_starts_without_a_disk_says_so(folders: Config, tmp_path: Path) -> None:
    with node_on(folders) as node:
        fast = node.names[0]
    Path(fast).rename(tmp_path / "elsewhere")
    with node_on(folders, prepare=False) as node:
        assert node.look() == [(EventKind.REMOVED, fast), (EventKind.REMOVED, "pool")]
        (tmp_path / "elsewhere").rename(fast)
        assert node.look() == [(EventKind.BACK, fast), (EventKind.BACK, "pool")]


def test_a_thread_looks_and_whoever_subscribed_is_told(folders: Config, tmp_path: Path) -> None:
    with node_on(attrs.evolve(folders, every=0.05)) as node:
        fast = node.names[0]
        with node.watch.monitor() as subscription:
            node.watch.start()
            node.watch.start()
            Path(fast).rename(tmp_path / "elsewhere")
            told = [subscription.get(60), subscription.get(60)]
        # The folder may go in the middle of a look, which then tells of the pool before it tells of the disk.
        assert {event and (event.kind, event.disk) for event in told} == {
            (EventKind.REMOVED, fast),
            (EventKind.REMOVED, ""),
        }
        node.watch.stop()
        node.watch.stop()


def test_a_thread_looks_also_where_more_files_are_open_than_select_takes(
    folders: Config, tmp_path: Path
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = soft if soft == resource.RLIM_INFINITY or soft > _MANY else _MANY
    if hard != resource.RLIM_INFINITY and most > hard:
        pytest.skip(f"no more than {hard} files may be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    held = []
    try:
        while not held or held[-1] < 1024:
            held.append(os.open(os.devnull, os.O_RDONLY))
        with node_on(attrs.evolve(folders, every=0.05)) as node, node.watch.monitor() as subscription:
            node.look()
            node.watch.start()
            for way in ((node.names[0], "elsewhere"), ("elsewhere", node.names[0])):
                (tmp_path / way[0]).rename(tmp_path / way[1])
                assert {subscription.get(60), subscription.get(60)} != {None}
    finally:
        for each in held:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_thread_goes_on_after_a_look_that_failed(
    folders: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with node_on(attrs.evolve(folders, every=0.05)) as node:
        scan, failed = node.disks.scan, []

        def fails_once() -> object:
            if not failed:
                failed.append(True)
                raise NoSpaceError("the first look")
            return scan()

        monkeypatch.setattr(node.disks, "scan", fails_once)
        with node.watch.monitor() as subscription:
            node.watch.start()
            Path(node.names[0]).rename(tmp_path / "elsewhere")
            assert subscription.get(60) is not None
        assert failed


def test_a_second_watch_tells_the_same_and_leaves_the_pools_to_the_first(node: Node, tmp_path: Path) -> None:
    fast = node.names[0]
    pool = node.pool_of(fast)
    second = Watch(node.config, node.disks, node.ledger)
    node.look()
    second.look()
    Path(fast).rename(tmp_path / "elsewhere")
    assert [event.kind for event in second.look()] == [EventKind.REMOVED, EventKind.REMOVED]
    assert node.ledger.pools.get(pool.id).state is PoolState.READY, "nothing was kept by the second"
    node.look()
    assert node.ledger.pools.get(pool.id).state is PoolState.GONE
    node.watch.stop()
    (tmp_path / "elsewhere").rename(fast)
    second.look()
    assert node.ledger.pools.get(pool.id).state is PoolState.READY, "the second took over"
    second.stop()

"""Disks that are pulled while they are in use, and put back."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import attrs
import file_systems
import pytest
import zos_disks
from watching import contents, node_on, pull, put_back, space, write

from statehold_zos.model import Config, EventKind, Policy, PoolState, Raid
from statehold_zos.watch._btrfs import Btrfs
from statehold_zos.watch._uevents import Uevents

REMOVED, BACK, FAILING = EventKind.REMOVED, EventKind.BACK, EventKind.FAILING
DATA = os.urandom(8 * 2**20)


def test_the_only_disk_of_a_pool_is_pulled_in_use_and_back_with_its_contents(images: Config) -> None:
    with node_on(images) as node:
        (pool,) = node.disks.pools()
        (name,) = pool.disks
        node.look()
        file = space(node) / "file"
        write(file, DATA)
        Btrfs(pool.path).commit()
        pull(node, name)
        assert node.look() == [(REMOVED, name), (REMOVED, "pool")]
        assert node.disks.pool(pool.id).state is PoolState.GONE
        assert node.look() == []
        write(file.with_name("lost"), DATA)

        put_back(node, name)
        assert node.until(PoolState.READY, pool.id) == [(BACK, name), (BACK, "pool")]
        assert contents(file) == DATA
        write(file.with_name("new"), DATA)
        assert contents(file.with_name("new")) == DATA
        assert not node.info(name).health.reason, "what happened while it was away is not held against it"
        assert node.look() == []


@pytest.mark.parametrize("raid", [Raid.SINGLE, Raid.RAID1])
def test_a_disk_that_was_away_between_two_looks_is_mended_and_its_errors_are_not_held_against_it(
    images: Config, tmp_path: Path, raid: Raid
) -> None:
    images = attrs.evolve(
        images, images=images.images[:2], policy=Policy(raid=raid, disks=raid.least, pools=1)
    )
    with node_on(images) as node:
        (pool,) = node.disks.pools()
        name = pool.disks[-1]
        old, new = space(node) / "old", pool.path / "space" / "new"
        write(old, DATA)
        Btrfs(pool.path).commit()
        node.look()
        pull(node, name)
        write(new, DATA[::-1])
        with contextlib.suppress(OSError):
            Btrfs(pool.path).commit()
        assert any(member.errors.lost for member in Btrfs(pool.path).members)
        # What is plugged in again is another device to the kernel, which keeps the old one while it is used.
        file_systems.run("cp", "--sparse=always", name, tmp_path / "again")
        (tmp_path / "again").rename(name)
        told = node.until(PoolState.READY, pool.id)
        assert FAILING not in {kind for kind, _ in told}
        assert not node.info(name).health.reason
        assert not any(member.errors.any for member in Btrfs(pool.path).members)
        if raid.survives:
            pull(node, pool.disks[0])
            assert contents(new) == DATA[::-1], "the disk has what was written while it was away"
        assert contents(old) == DATA
        for each in pool.disks:
            put_back(node, each)


def test_a_pool_that_is_open_when_its_disk_is_back_is_mounted_anew_once_nobody_uses_it(
    images: Config,
) -> None:
    with node_on(images) as node:
        (pool,) = node.disks.pools()
        (name,) = pool.disks
        file = space(node) / "file"
        write(file, DATA)
        Btrfs(pool.path).commit()
        with file.open("rb"):
            node.look()
            pull(node, name)
            node.look()
            write(file.with_name("lost"), DATA)
            with contextlib.suppress(OSError):
                Btrfs(pool.path).commit()
            assert os.statvfs(pool.path).f_flag & os.ST_RDONLY, "btrfs gave the pool up"
            put_back(node, name)
            assert node.look() == [(BACK, name)]
            found = node.disks.pool(pool.id)
            assert found.state is PoolState.GONE
            assert "as soon as nothing on it is open" in found.reason
        assert node.until(PoolState.READY, pool.id) == [(BACK, "pool")]
        assert contents(file) == DATA
        write(file.with_name("new"), DATA)


def test_a_mirror_serves_without_a_disk_and_gives_it_what_it_missed_when_it_is_back(mirror: Config) -> None:
    with node_on(mirror) as node:
        (pool,) = node.disks.pools()
        first, second = pool.disks
        node.look()
        old, new = space(node) / "old", pool.path / "space" / "new"
        write(old, DATA)

        pull(node, second)
        assert node.look() == [(REMOVED, second)]
        found = node.disks.pool(pool.id)
        assert (found.state, found.free) == (PoolState.DEGRADED, 0)
        assert second in found.reason
        write(new, DATA[::-1])
        assert contents(old) == DATA
        assert contents(new) == DATA[::-1]

        put_back(node, second)
        assert node.until(PoolState.READY, pool.id) == [(BACK, second), (BACK, "pool")]
        pull(node, first)
        node.look()
        assert contents(old) == DATA
        assert contents(new) == DATA[::-1], "the disk that was back has what was written meanwhile"
        put_back(node, first)
        node.until(PoolState.READY, pool.id)


def test_a_mirror_that_started_without_a_disk_is_whole_again_when_it_is_back(
    mirror: Config, tmp_path: Path
) -> None:
    with node_on(mirror) as node:
        (pool,) = node.disks.pools()
        first, second = map(Path, pool.disks)
        space(node)
    zos_disks.restart(mirror)
    second.rename(tmp_path / "elsewhere")
    with node_on(mirror, prepare=False) as node:
        assert node.look() == [(REMOVED, str(second))]
        assert node.disks.pool(pool.id).state is PoolState.DEGRADED
        file = pool.path / "space" / "file"
        files = 0
        while not Btrfs(pool.path).is_mixed(pool.raid):  # until what is spread over both disks is full
            assert files < 40
            write(file.with_name(f"file{files}"), DATA)
            Btrfs(pool.path).commit()
            files += 1

        (tmp_path / "elsewhere").rename(second)
        assert node.until(PoolState.READY, pool.id) == [(BACK, str(second)), (BACK, "pool")]
        assert not Btrfs(pool.path).is_mixed(pool.raid)
    zos_disks.restart(mirror)
    first.rename(tmp_path / "elsewhere")
    with node_on(mirror, prepare=False) as node:
        assert node.disks.pool(pool.id).state is PoolState.DEGRADED
        for number in range(files):
            assert contents(file.with_name(f"file{number}")) == DATA


def test_a_mirror_that_is_open_stays_in_use_until_it_can_be_mounted_with_both_disks(
    mirror: Config, tmp_path: Path
) -> None:
    with node_on(mirror) as node:
        (pool,) = node.disks.pools()
        second = Path(pool.disks[1])
        space(node)
    zos_disks.restart(mirror)
    second.rename(tmp_path / "elsewhere")
    with node_on(mirror, prepare=False) as node:
        node.look()
        file = pool.path / "space" / "file"
        write(file, DATA)
        with file.open("rb") as opened:
            (tmp_path / "elsewhere").rename(second)
            assert node.look() == [(BACK, str(second))]
            found = node.disks.pool(pool.id)
            assert found.state is PoolState.DEGRADED
            assert "as soon as nothing on it is open" in found.reason
            assert opened.read() == DATA
        assert node.until(PoolState.READY, pool.id) == [(BACK, "pool")]


def test_an_image_that_is_moved_away_is_a_disk_that_was_pulled(images: Config, tmp_path: Path) -> None:
    with node_on(images) as node:
        (pool,) = node.disks.pools()
        (name,) = pool.disks
        file = space(node) / "file"
        write(file, DATA)
        node.look()
        Path(name).rename(tmp_path / "elsewhere")
        assert node.look() == [(REMOVED, name), (REMOVED, "pool")]
        assert not Path(name).exists(), "nothing was made in its place"
        (tmp_path / "elsewhere").rename(name)
        assert node.look() == [(BACK, name), (BACK, "pool")]
        assert contents(file) == DATA


def test_a_pool_that_was_gone_at_the_start_is_there_as_soon_as_its_disk_is(
    images: Config, tmp_path: Path
) -> None:
    with node_on(images) as node:
        (pool,) = node.disks.pools()
        name = Path(pool.disks[0])
        write(space(node) / "file", DATA)
    zos_disks.restart(images)
    name.rename(tmp_path / "elsewhere")
    with node_on(images, prepare=False) as node:
        assert node.look() == [(REMOVED, str(name)), (REMOVED, "pool")]
        (tmp_path / "elsewhere").rename(name)
        assert node.look() == [(BACK, str(name)), (BACK, "pool")]
        assert contents(pool.path / "space" / "file") == DATA


def test_a_pool_that_somebody_unmounted_is_mounted_again(images: Config) -> None:
    with node_on(images) as node:
        (pool,) = node.disks.pools()
        write(space(node) / "file", DATA)
        node.disks.unmount(pool.id)
        node.look()
        assert contents(pool.path / "space" / "file") == DATA
        assert node.disks.pool(pool.id).state is PoolState.READY


def test_a_pool_that_was_wiped_does_not_stay_in_what_is_told(images: Config) -> None:
    with node_on(images) as node:
        (pool,) = node.disks.pools()
        assert node.look() == []
        (old,) = node.disks.plan().pools
        node.disks.wipe(pool.id, token=old.token)
        assert (REMOVED, "pool") in node.look()
        assert node.look() == []


def test_the_kernel_s_word_is_enough_to_look(images: Config) -> None:
    with node_on(attrs.evolve(images, every=3600.0)) as node:
        (name,) = node.disks.pools()[0].disks
        heard = Uevents.open()
        if heard is None:
            pytest.skip("nothing can be heard of the kernel here")
        looked = threading.Event()
        look = node.watch.look
        node.watch.look = lambda: (look(), looked.set())[0]  # type: ignore[method-assign]
        try:
            with node.watch.monitor() as subscription:
                node.watch.start()
                assert looked.wait(120)
                heard.drain()
                pull(node, name)
                event = subscription.get(60)
                if event is None and not heard.drain():
                    pytest.skip("the kernel tells its events elsewhere only")
                assert event is not None
                assert (event.kind, event.disk) == (REMOVED, name)
                put_back(node, name)
                while (event := subscription.get(60)) is not None and event.kind is not BACK:
                    pass
                assert event is not None
                assert event.disk == name
        finally:
            heard.close()


@pytest.mark.parametrize("away", [False, True])
@pytest.mark.parametrize("left", [False, True])
def test_a_disk_that_joined_or_left_just_before_the_machine_stopped_is_known_by_what_the_pool_says(
    images: Config, tmp_path: Path, *, left: bool, away: bool
) -> None:
    with node_on(images) as node:
        (pool,) = node.disks.pools()
        (old,) = pool.disks
        new = next(name for name in node.names if name != old)
        file = space(node) / "file"
        write(file, DATA)
        node.disks.devices[new].make()
        file_systems.run("btrfs", "device", "add", node.disks.devices[new].attach(), pool.path)
        if left:
            node.disks.change_disks(pool.id, [old, new])
            file_systems.run("btrfs", "device", "remove", node.disks.devices[old].find(), pool.path)
    zos_disks.restart(images)
    stays = Path(new)
    if away:
        stays.rename(tmp_path / "elsewhere")
    with node_on(images, prepare=False) as node:
        if away:
            assert node.disks.pool(pool.id).state is PoolState.GONE
            assert (REMOVED, "pool") in node.look()
            (tmp_path / "elsewhere").rename(stays)
            assert (BACK, "pool") in node.until(PoolState.READY, pool.id)
        found = node.disks.pool(pool.id)
        assert found.state is PoolState.READY
        assert found.disks == ((new,) if left else (old, new))
        assert found.size == node.ledger.pools.get(pool.id).size
        assert 0.5 < found.size / pool.size / len(found.disks) < 1.5
        assert contents(file) == DATA

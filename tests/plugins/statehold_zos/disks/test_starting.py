from __future__ import annotations

import threading

import attrs
import pytest
from file_systems import mount, run, unmount_all
from zos_disks import MIB, loops_of, restart

from statehold_quota import Group
from statehold_zos.disks import DiskModule
from statehold_zos.ledger import ClaimKind, Ledger, Request
from statehold_zos.model import (
    DiskState,
    DiskType,
    Image,
    NotFoundError,
    Policy,
    PoolState,
    RefusedError,
    ZosError,
)

ONE = Policy(pools=1)


def made(disks, policy=ONE):
    return disks.prepare(policy, tokens=disks.plan(policy).tokens)


def write(disks, pool, text):
    backend, group = disks.backend(pool.id), Group(pool.path / "space")
    backend.make_group(group)
    backend.set_limit(group, 4 * MIB)
    file = backend.make_folder(group, "data") / "file"
    file.write_text(text)
    return file


def test_pools_are_there_again_after_a_restart_of_the_machine(opened, four_disks, tmp_path):
    disks = opened(four_disks)
    before = made(disks, Policy(pools=2))
    file = write(disks, before[0], "what stays")
    restart(four_disks)
    assert loops_of(tmp_path) == []
    disks = opened(four_disks)
    assert [pool.state for pool in disks.pools()] == [PoolState.GONE] * 2
    after = disks.start()
    assert [attrs.evolve(pool, used=0) for pool in after] == before
    assert file.read_text() == "what stays"
    assert disks.backend(before[0].id).limit(Group(before[0].path / "space")) == 4 * MIB
    assert disks.start() == after


def test_a_pool_that_is_not_mounted_keeps_its_size_and_says_why_it_has_no_room(disks):
    (pool,) = made(disks)
    disks.unmount(pool.id)
    away = disks.pool(pool.id)
    assert (away.size, away.free, away.state, away.reason) == (pool.size, 0, PoolState.GONE, "is not mounted")
    with pytest.raises(ZosError, match="is not mounted"):
        disks.backend(pool.id)
    assert disks.mount(pool.id) == pool == disks.mount(pool.id)


def test_one_pool_that_cannot_be_mounted_keeps_no_other_from_it(opened, four_disks):
    disks = opened(four_disks)
    gone, stays = made(disks, Policy(pools=2))
    restart(four_disks)
    image = next(image.path for image in four_disks.images if str(image.path) == gone.disks[0])
    image.rename(image.with_suffix(".away"))
    disks = opened(four_disks)
    states = {pool.id: pool for pool in disks.start()}
    assert states[stays.id].state is PoolState.READY
    assert states[gone.id].state is PoolState.GONE
    assert "lacks 1 of 1 disks" in states[gone.id].reason
    assert not image.exists()
    assert next(disk for disk in disks.scan() if disk.name == str(image)).state is DiskState.GONE
    image.with_suffix(".away").rename(image)
    assert {pool.state for pool in disks.start()} == {PoolState.READY}


def test_a_mirror_that_lacks_a_disk_is_mounted_and_takes_no_reservations(opened, two_mirrors, tmp_path):
    disks = opened(two_mirrors)
    (pool,) = made(disks, attrs.evolve(two_mirrors.policy, pools=1))
    file = write(disks, pool, "kept twice")
    restart(two_mirrors)
    image = tmp_path / "disk0.img"
    image.rename(tmp_path / "away")
    (pool,) = opened(two_mirrors).start()
    assert (pool.state, pool.free) == (PoolState.DEGRADED, 0)
    assert "lacks 1 of 2 disks" in pool.reason
    assert file.read_text() == "kept twice"


def test_disks_are_known_by_what_is_on_them_not_by_their_names(opened, four_disks, tmp_path):
    disks = opened(four_disks)
    pools = made(disks, Policy(pools=2))
    files = [write(disks, pool, pool.id) for pool in pools]
    restart(four_disks)
    first, second = (tmp_path / f"disk{number}.img" for number in range(2))
    first.rename(tmp_path / "other")
    second.rename(first)
    (tmp_path / "other").rename(second)
    disks = opened(four_disks)
    after = disks.start()
    assert [file.read_text() for file in files] == [pool.id for pool in pools]
    assert [pool.disks for pool in after] == [pool.disks for pool in reversed(pools)]


def test_a_pool_is_taken_up_again_when_the_ledger_was_lost(opened, two_mirrors, tmp_path):
    disks = opened(two_mirrors)
    (pool,) = made(disks, attrs.evolve(two_mirrors.policy, pools=1))
    file = write(disks, pool, "still here")
    restart(two_mirrors)
    for lost in (tmp_path / "node").glob("ledger.db*"):
        lost.unlink()
    disks = opened(two_mirrors)
    assert set(pool.disks).isdisjoint(disks.plan().new[0].disks)
    (again,) = disks.start()
    assert attrs.evolve(again, used=0) == pool
    assert file.read_text() == "still here"


def test_what_is_mounted_in_place_of_a_pool_is_not_taken_for_it(opened, four_disks, tmp_path):
    disks = opened(four_disks)
    (pool,) = made(disks)
    disks.unmount(pool.id)
    other = tmp_path / "other.img"
    with other.open("wb") as file:
        file.truncate(256 * MIB)
    run("mkfs.btrfs", "-q", other)
    pool.path.mkdir()
    mount(other, pool.path, "btrfs")
    (seen,) = disks.start()
    assert seen.state is PoolState.GONE
    assert "does not say whose it is" in seen.reason
    unmount_all(pool.path)
    (seen,) = disks.start()
    assert seen.state is PoolState.READY


def test_somebody_who_empties_a_disk_does_not_get_a_new_pool_on_it_unasked(opened, four_disks, tmp_path):
    disks = opened(four_disks)
    (pool,) = made(disks)
    restart(four_disks)
    with (tmp_path / "disk0.img").open("wb") as file:
        file.truncate(256 * MIB)
    disks = opened(four_disks)
    (seen,) = disks.start()
    assert seen.state is PoolState.GONE
    first = disks.scan()[0]
    assert (first.state, first.pool) == (DiskState.REFUSED, pool.id)
    assert first.name not in [name for new in disks.plan().new for name in new.disks]


def test_nothing_is_known_about_a_pool_that_is_not_there(disks):
    for ask in (disks.pool, disks.record, disks.backend, disks.mount, disks.unmount):
        with pytest.raises(NotFoundError, match="there is no pool 'nothing'"):
            ask("nothing")
    with pytest.raises(NotFoundError):
        disks.wipe("nothing", token="")
    with pytest.raises(NotFoundError, match="no disk"):
        disks.mark("nothing", "why not")


def test_what_was_mounted_to_make_a_pool_is_not_left_behind_when_that_fails(disks, monkeypatch, tmp_path):
    def fails(*_):
        raise ZosError("no limits are kept")

    monkeypatch.setattr("statehold_zos.disks._ground.Ground.probe", fails)
    (failed,) = made(disks)
    assert (failed.state, failed.size) == (PoolState.FAILING, 0)
    assert "no limits are kept" in failed.reason
    assert loops_of(tmp_path) == []
    assert disks.pools() == []
    monkeypatch.undo()
    assert [pool.state for pool in made(disks)] == [PoolState.READY]


def test_those_who_prepare_at_once_make_each_pool_once(opened, four_disks):
    several = [opened(four_disks) for _ in range(3)]
    tokens = several[0].plan(ONE).tokens
    found = []

    def prepare(disks):
        found.append(disks.prepare(ONE, tokens=tokens))

    threads = [threading.Thread(target=prepare, args=(disks,)) for disks in several]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert found[0] == found[1] == found[2]
    assert [pool.state for pool in found[0]] == [PoolState.READY]


def test_stats_are_exact_and_resource_units_follow_from_them(disks, four_disks):
    pools = made(disks, Policy(pools=3))
    taken = next(pool for pool in pools if pool.type is DiskType.SSD)
    with Ledger(four_disks.folder) as ledger:
        claim = ledger.claims.reserve(Request(kind=ClaimKind.SPACE, type=DiskType.SSD, size=10 * MIB))
        ledger.claims.settle(claim.id)
    write(disks, taken, "x" * 100_000)
    run("sync", "-f", taken.path)
    stats = disks.stats()
    ssd, hdd = stats.types[DiskType.SSD], stats.types[DiskType.HDD]
    assert (ssd.disks, ssd.pools, hdd.disks, hdd.pools) == (2, 2, 2, 1)
    assert ssd.size == sum(pool.size for pool in pools if pool.type is DiskType.SSD)
    assert (ssd.reserved, ssd.free) == (10 * MIB, ssd.size - 10 * MIB)
    assert ssd.used == disks.pool(taken.id).used >= 100_000
    assert (hdd.reserved, hdd.used, hdd.free) == (0, 0, hdd.size)
    assert (stats.sru, stats.hru) == (ssd.size / 2**30, hdd.size / 2**30)
    disks.unmount(taken.id)
    assert disks.stats().types[DiskType.SSD].pools == 1


def test_over_provisioning_lets_more_be_reserved_than_there_is(opened, four_disks):
    disks = opened(attrs.evolve(four_disks, over_provision={DiskType.SSD: 1.5}))
    (pool,) = made(disks)
    assert pool.free == int(pool.size * 1.5)


def test_a_disk_that_is_marked_takes_no_reservations_until_the_mark_goes(disks):
    (pool,) = made(disks)
    disks.mark(pool.disks[0], "clicks")
    marked = disks.pool(pool.id)
    assert (marked.state, marked.free) == (PoolState.FAILING, 0)
    assert "clicks" in marked.reason
    assert disks.scan()[0].health.reason == "clicks"
    disks.mark(pool.disks[0], "")
    assert disks.pool(pool.id) == pool


@pytest.mark.parametrize(
    ("images", "why"),
    [
        ([("/one", 1), ("/one", 2)], "twice"),
        ([("one", 1)], "absolute"),
        ([("/one", 0)], "no size"),
    ],
)
def test_a_configuration_that_allows_no_such_disk_is_refused(four_disks, images, why):
    from pathlib import Path

    allowed = tuple(Image(path=Path(path), size=size) for path, size in images)
    with Ledger(four_disks.folder) as ledger, pytest.raises(RefusedError, match=why):
        DiskModule(attrs.evolve(four_disks, images=allowed), ledger)

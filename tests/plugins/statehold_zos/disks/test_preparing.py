from __future__ import annotations

from pathlib import Path

import attrs
import pytest
from file_systems import run
from zos_disks import MIB, four_disks_in, loops_of

from statehold_zos.disks import _health
from statehold_zos.model import DiskState, DiskType, Health, Policy, PoolState, Raid, RefusedError, ZosError


def made(disks, policy=None):
    return disks.prepare(policy, tokens=disks.plan(policy).tokens)


def states(disks):
    return [disk.state for disk in disks.scan()]


def test_a_plan_says_what_would_be_made_and_changes_nothing(disks, four_disks):
    plan = disks.plan()
    assert [pool.type for pool in plan.new] == [DiskType.SSD] * 2 + [DiskType.HDD] * 2
    assert len(set(plan.tokens)) == 4
    assert not any(image.path.exists() for image in four_disks.images)
    assert plan.tokens == disks.plan().tokens


def test_nothing_is_made_without_the_token_of_a_plan(disks):
    assert disks.prepare() == []
    with pytest.raises(RefusedError, match="make-000"):
        disks.prepare(tokens=[*disks.plan().tokens, "make-000"])
    assert states(disks) == [DiskState.FREE] * 4


def test_each_disk_becomes_a_pool_and_preparing_again_leaves_it_so(disks, four_disks, tmp_path):
    tokens = disks.plan().tokens
    pools = disks.prepare(tokens=tokens)
    assert [pool.state for pool in pools] == [PoolState.READY] * 4
    assert sorted(disk for pool in pools for disk in pool.disks) == [str(i.path) for i in four_disks.images]
    assert {pool.limits for pool in pools} == {"btrfs simple quota"}
    assert states(disks) == [DiskState.POOL] * 4
    assert disks.plan().new == ()
    assert disks.prepare(tokens=tokens) == pools == disks.prepare()
    for pool in pools:
        disks.unmount(pool.id)
    assert loops_of(tmp_path) == []


def test_only_what_was_confirmed_is_made(disks):
    token = disks.plan().tokens[2]
    (pool,) = disks.prepare(tokens=[token])
    assert pool.type is DiskType.HDD
    assert states(disks).count(DiskState.FREE) == 3


@pytest.mark.parametrize("place", [17, 123 * MIB])
def test_a_token_is_another_one_as_soon_as_there_is_something_on_the_disk(disks, four_disks, place):
    made(disks, Policy(pools=3))
    free = next(Path(disk.name) for disk in disks.scan() if disk.state is DiskState.FREE)
    with free.open("wb") as file:
        file.truncate(256 * MIB)
    before = disks.plan().tokens
    with free.open("r+b") as file:
        file.seek(place)
        file.write(b"something without a signature")
    assert disks.plan().tokens != before
    with pytest.raises(RefusedError):
        disks.prepare(tokens=before)


def test_a_disk_that_fails_keeps_no_other_from_becoming_a_pool(disks, four_disks, monkeypatch):
    bad = str(four_disks.images[1].path)
    policy, plain = Policy(pools=2), _health.read_health
    monkeypatch.setattr(
        "statehold_zos.disks._making.read_health",
        lambda path: Health(good=False, reason="cannot be read") if path == bad else plain(path),
    )
    pools = made(disks, policy)
    assert [pool.state for pool in pools] == [PoolState.READY, PoolState.FAILING]
    assert pools[-1].disks == (bad,)
    assert "cannot be read" in pools[-1].reason
    (failing,) = [disk for disk in disks.scan() if disk.state is DiskState.FAILING]
    assert (failing.name, failing.health.good) == (bad, False)
    assert len(disks.pools()) == 1
    disks.mark(bad, "")
    monkeypatch.undo()
    assert [pool.state for pool in made(disks, policy)] == [PoolState.READY] * 2


@pytest.mark.parametrize(
    ("raid", "count", "sizes"),
    [
        (Raid.SINGLE, 2, (256, 160)),
        (Raid.RAID0, 2, (160, 160)),
        (Raid.RAID1, 2, (160, 256)),
        (Raid.RAID10, 4, (160, 160, 160, 192)),
    ],
)
def test_every_level_is_made_of_disks_of_unlike_sizes_where_the_policy_says_so(
    opened, tmp_path, raid, count, sizes
):
    with four_disks_in(tmp_path, sizes=tuple(size * MIB for size in sizes)) as config:
        types = dict.fromkeys((str(image.path) for image in config.images), DiskType.SSD)
        disks = opened(attrs.evolve(config, types=types))
        (pool,) = made(disks, Policy(raid=raid, disks=count, mixed_sizes=True))
        assert (pool.raid, len(pool.disks), pool.state) == (raid, count, PoolState.READY)
        told = run("btrfs", "filesystem", "df", pool.path).stdout.lower()
        assert f"data, {raid.value}" in told
        assert "metadata, raid1" in told


def test_without_mixed_sizes_unlike_disks_stay_free_and_the_plan_says_why(opened, tmp_path):
    with four_disks_in(tmp_path, sizes=(160 * MIB, 256 * MIB)) as config:
        types = dict.fromkeys((str(image.path) for image in config.images), DiskType.SSD)
        disks = opened(attrs.evolve(config, types=types))
        plan = disks.plan(Policy(raid=Raid.RAID1, disks=2))
        assert plan.new == ()
        assert all("same size" in reason for reason in plan.left.values())
        assert len(plan.left) == 2


def test_a_policy_that_makes_no_sense_is_refused(disks):
    with pytest.raises(ZosError, match="raid1 does not work with 3 disks"):
        disks.plan(Policy(raid=Raid.RAID1, disks=3))


def test_pools_there_are_count_for_how_many_there_may_be(disks):
    assert len(made(disks, Policy(pools=1))) == 1
    assert disks.plan(Policy(pools=1)).new == ()
    assert len(made(disks, Policy(pools=2))) == 2


def test_where_there_is_no_btrfs_a_disk_becomes_an_ext4_with_images(disks, monkeypatch):
    monkeypatch.setattr("statehold_zos.disks._btrfs.supported", lambda: False)
    with pytest.raises(ZosError, match="needs btrfs") as error:
        disks.plan(Policy(raid=Raid.RAID1, disks=2))
    assert "btrfs-progs" in str(error.value)
    (pool,) = made(disks, Policy(pools=1))
    assert (pool.state, pool.limits) == (PoolState.READY, "loop image")
    assert disks.record(pool.id).file_system.value == "ext4"
    assert 200 * MIB < pool.size < 256 * MIB

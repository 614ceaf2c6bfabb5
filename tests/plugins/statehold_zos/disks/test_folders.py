"""The embedded default: folders, without root and without btrfs."""

from __future__ import annotations

import pkgutil
import shutil

import attrs
import pytest
from zos_disks import MIB, folders_in

from statehold_quota import Group
from statehold_zos.ledger import ClaimKind, Ledger, Request
from statehold_zos.model import DiskState, DiskType, PoolState, Raid, RefusedError


def test_folders_become_pools_without_a_token_whatever_the_level_of_disks(opened, folders):
    disks = opened(attrs.evolve(folders, policy=attrs.evolve(folders.policy, raid=Raid.RAID1, disks=2)))
    assert [disk.state for disk in disks.scan()] == [DiskState.FREE] * 2
    assert not any(plain.path.exists() for plain in folders.plain)
    pools = disks.prepare()
    assert {pool.type: pool.path for pool in pools} == {
        DiskType.SSD: folders.plain[0].path,
        DiskType.HDD: folders.plain[1].path,
    }
    assert all(pool.state is PoolState.READY and pool.size == 256 * MIB for pool in pools)
    assert all("advisory" in pool.limits for pool in pools)
    assert not any(disks.backend(pool.id).enforced for pool in pools)
    assert disks.prepare() == pools == disks.start()


def test_what_a_folder_holds_is_counted(opened, folders):
    disks = opened(folders)
    pool = disks.prepare()[0]
    backend, group = disks.backend(pool.id), Group(pool.path / "spaces" / "space")
    backend.make_group(group)
    (backend.make_folder(group, "data") / "file").write_bytes(b"x" * 123_456)
    assert disks.pool(pool.id).used == backend.used(group) >= 123_456
    assert disks.stats().types[pool.type].used == backend.used(group)


def test_a_folder_is_not_larger_than_the_room_there_is(opened, tmp_path):
    disks = opened(folders_in(tmp_path, size=2**60))
    assert all(0 < pool.size < 2**60 for pool in disks.prepare())


def test_a_folder_that_holds_files_is_left_alone(opened, folders):
    mine = folders.plain[0].path
    mine.mkdir()
    (mine / "letters").write_text("private")
    disks = opened(folders)
    assert [disk.state for disk in disks.scan()] == [DiskState.FOREIGN, DiskState.FREE]
    assert len(disks.prepare()) == 1
    assert [path.name for path in mine.iterdir()] == ["letters"]


def test_a_folder_of_another_node_is_left_alone(opened, folders, tmp_path):
    theirs = opened(folders)
    pools = theirs.prepare()
    ours = opened(attrs.evolve(folders, folder=tmp_path / "another"))
    assert ours.start() == ours.prepare() == []
    assert {disk.state for disk in ours.scan()} == {DiskState.FOREIGN}
    assert theirs.start() == pools


def test_a_folder_that_is_gone_is_told_and_used_again_when_it_is_back(opened, folders):
    disks = opened(folders)
    pools = disks.prepare()
    path = pools[0].path
    path.rename(path.with_name("away"))
    gone = next(pool for pool in disks.start() if pool.id == pools[0].id)
    assert (gone.state, gone.free) == (PoolState.GONE, 0)
    assert not path.exists()
    assert DiskState.GONE in {disk.state for disk in disks.scan()}
    assert len(disks.prepare()) == 2
    assert not path.exists()
    path.with_name("away").rename(path)
    assert disks.start() == pools


def test_a_folder_that_does_not_come_back_is_given_up_once_all_in_it_is_released(opened, folders):
    disks = opened(folders)
    pool = disks.prepare()[0]
    with Ledger(folders.folder) as ledger:
        claim = ledger.claims.reserve(Request(kind=ClaimKind.SPACE, type=pool.type, size=MIB))
        ledger.claims.settle(claim.id)
        shutil.rmtree(pool.path)
        disks = opened(folders)
        disks.start()
        assert disks.pool(pool.id).state is PoolState.GONE
        planned = next(old for old in disks.plan().pools if old.id == pool.id)
        with pytest.raises(RefusedError, match="release them first"):
            disks.wipe(pool.id, token=planned.token)
        ledger.claims.begin_release(claim.id)
        ledger.claims.leave(claim.id)
        disks.wipe(pool.id, token=next(old.token for old in disks.plan().pools if old.id == pool.id))
        assert ledger.claims.all() == []
    assert pool.id not in {each.id for each in disks.pools()}


def test_a_folder_is_taken_up_again_when_the_ledger_was_lost(opened, folders):
    pools = opened(folders).prepare()
    for lost in folders.folder.glob("ledger.db*"):
        lost.unlink()
    assert opened(folders).start() == pools


class Ended(BaseException):
    """A process that ends at once."""


@pytest.mark.parametrize("place", ["_identity.sign", "_ground.Ground.tell", "_making.make"])
def test_a_folder_that_was_half_made_is_made(opened, folders, monkeypatch, place):
    def ends(*arguments, **named):
        plain(*arguments, **named)
        raise Ended

    module, _, name = f"statehold_zos.disks.{place}".rpartition(".")
    owner = pkgutil.resolve_name(module)
    plain = getattr(owner, name)
    monkeypatch.setattr(owner, name, ends)
    for _ in range(2):
        with pytest.raises(Ended):
            opened(folders).prepare()
    monkeypatch.undo()
    disks = opened(folders)
    disks.start()
    disks.prepare()
    assert [pool.state for pool in disks.pools()] == [PoolState.READY] * 2
    assert sorted(disk.pool for disk in disks.scan()) == [pool.id for pool in disks.pools()]


def test_a_folder_is_given_back_with_what_is_not_ours_in_it(opened, folders):
    disks = opened(folders)
    pool = disks.prepare()[0]
    (pool.path / "spaces").mkdir()
    (pool.path / "letters").write_text("private")
    (old,) = [old for old in disks.plan().pools if old.id == pool.id]
    with pytest.raises(RefusedError):
        disks.wipe(pool.id, token="wipe-0")
    disks.wipe(pool.id, token=old.token)
    assert [path.name for path in pool.path.iterdir()] == ["letters"]
    assert len(disks.pools()) == 1
    assert DiskState.FOREIGN in {disk.state for disk in disks.scan()}

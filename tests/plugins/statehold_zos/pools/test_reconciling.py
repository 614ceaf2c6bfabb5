from __future__ import annotations

import os
import time

import pytest
from file_systems import run
from zos_pools import MIB, POOL, write

from statehold_quota import Btrfs
from statehold_quota._btrfs import _backend, _ioctl
from statehold_zos.ledger import ClaimKind, Ledger, Request
from statehold_zos.model import DiskType, SpaceState, ZosError
from statehold_zos.pools import StoragePools

LOST = "space-00000000000000aa"
SERVER = "server-00000000000000bb"


def killed(node):
    """Return a ledger of somebody who will be killed: what it leaves is stale once it is closed."""
    return Ledger(node.folder)


def request(name=""):
    return Request(kind=ClaimKind.SPACE, type=DiskType.SSD, size=MIB, name=name)


def test_nothing_is_done_where_all_is_as_it_should_be(node):
    space = node.pools.reserve(DiskType.SSD, MIB)
    for _ in range(2):
        report = node.pools.reconcile()
        assert report.clean, report
    assert node.pools.look_up(space.id).state is SpaceState.READY


@pytest.mark.parametrize("how_far", ["booked", "made"])
def test_a_space_whose_maker_was_killed_is_undone(node, how_far):
    ledger = killed(node)
    claim = ledger.claims.reserve(request())
    if how_far == "made":
        StoragePools(ledger, node.land)._site(POOL).make(claim.id, claim.size)
    assert node.pools.reconcile().undone == ()  # who makes it lives
    ledger.close()
    assert node.pools.reconcile().undone == (claim.id,)
    assert node.pools._site(POOL).claims() == []
    assert node.free() == 64 * MIB
    assert node.pools.reconcile().clean


def test_a_space_whose_maker_was_killed_is_made_by_who_asks_for_its_name_again(node):
    ledger = killed(node)
    claim = ledger.claims.reserve(request("logs"))
    StoragePools(ledger, node.land)._site(POOL).make(claim.id, claim.size)
    ledger.close()
    space = node.pools.reserve(DiskType.SSD, MIB, name="logs")
    assert (space.id, space.state) == (claim.id, SpaceState.READY)
    assert write(space.path, MIB) == MIB
    assert node.pools.reconcile().clean


def test_a_space_whose_release_was_begun_by_who_was_killed_is_removed(node):
    space = node.pools.reserve(DiskType.SSD, MIB)
    write(space.path, 1000)
    ledger = killed(node)
    ledger.claims.begin_release(space.id)
    ledger.close()
    assert node.pools.look_up(space.id).state is SpaceState.RELEASING
    assert node.pools.reconcile().finished == (space.id,)
    assert not space.path.exists()
    assert node.free() == 64 * MIB


def test_the_room_of_a_released_space_is_not_given_away_while_a_file_of_it_is_open(btrfs_node, monkeypatch):
    monkeypatch.setattr(_backend, "_CLEANED", 0.2)
    space = btrfs_node.pools.reserve(DiskType.SSD, 4 * MIB, name="logs")
    with (space.path / "file").open("wb") as held:
        held.write(bytes(2 * MIB))
        held.flush()
        os.fsync(held.fileno())
        with pytest.raises(ZosError, match=f"{space.id} held still takes"):
            btrfs_node.pools.release(space.id)
        assert not btrfs_node.pools.reconcile().finished
        assert btrfs_node.free() == 60 * MIB
        assert btrfs_node.pools.look_up(space.id).state is SpaceState.RELEASING
    end = time.monotonic() + 60
    while btrfs_node.pools.reconcile().finished != (space.id,):
        assert time.monotonic() < end
        btrfs_node.pools._site(POOL).backend.commit()
    assert btrfs_node.free() == 64 * MIB


def test_who_was_killed_between_the_room_and_the_limit_has_made_nothing_larger_or_smaller_in_part(node):
    space = node.pools.reserve(DiskType.SSD, 2 * MIB)
    ledger = killed(node)
    ledger.claims.take(space.id)
    ledger.claims.resize(space.id, 4 * MIB, room=ledger.claims.get(space.id).room + 3 * MIB)
    ledger.close()
    node.pools.reconcile()
    assert write(space.path, 4 * MIB) == 4 * MIB
    assert node.pools.look_up(space.id).size == 4 * MIB
    assert node.pools.reconcile().limited == ()


def test_an_empty_folder_of_ours_that_no_reservation_knows_is_removed(node):
    site = node.pools._site(POOL)
    site.make(LOST, MIB)
    report = node.pools.reconcile()
    assert report.removed == (str(site.path(LOST)),)
    assert site.claims() == []
    assert node.pools.reconcile().clean


def test_a_folder_that_holds_something_stays_even_if_no_reservation_knows_it(node):
    # As after a ledger was lost, or taken back to an older one: these are somebody's data.
    site = node.pools._site(POOL)
    site.make(LOST, MIB)
    write(site.path(LOST), 1000)
    assert node.pools.reconcile().unknown == (str(site.path(LOST)),)
    assert (site.path(LOST) / "file").stat().st_size == 1000
    assert node.pools.reconcile(unknown=True).removed == (str(site.path(LOST)),)
    assert site.claims() == []


def test_what_is_not_ours_stays(node):
    root = node.land.pools[POOL][0] / "spaces"
    node.pools.reserve(DiskType.SSD, MIB)
    others = ["other", "space-1", "space-00000000000000AA", "space-00000000000000aa-copy", "lost+found"]
    for name in others:
        (root / name).mkdir()
    assert node.pools.reconcile(unknown=True).clean
    assert all((root / name).is_dir() for name in others)


def test_the_folder_of_a_server_that_no_claim_knows_is_treated_alike(node):
    site = node.pools._site(POOL)
    site.make(SERVER, MIB)
    assert node.pools.reconcile().removed == (str(site.path(SERVER)),)


def test_a_space_whose_folder_is_not_there_is_reported_and_its_room_kept(btrfs_node):
    node = btrfs_node
    space = node.pools.reserve(DiskType.SSD, MIB)
    _ioctl.remove_subvolume(space.path.parent, space.path.name)
    assert node.pools.reconcile().gone == (space.id,)
    assert node.pools.look_up(space.id).state is SpaceState.GONE
    assert node.free() == 63 * MIB
    node.pools.release(space.id)
    assert node.free() == 64 * MIB
    assert node.pools.reconcile().clean


def test_quota_groups_of_ours_without_a_folder_are_removed_and_no_others(btrfs_node):
    node = btrfs_node
    node.pools.reserve(DiskType.SSD, MIB)
    root, before = node.land.pools[POOL][0], node.groups
    theirs, ours = 1 << 48 | 100_000_001, 1 << 48 | 100_000_002
    _ioctl.make_qgroup(root, theirs)
    _ioctl.make_qgroup(root, ours)
    _ioctl.set_limit(root, ours, MIB)
    run("btrfs", "qgroup", "limit", "5M", "1/100000001", root)
    assert node.pools.reconcile().removed == (f"{POOL} 1/100000002",)
    backend = node.land.pools[POOL][1]
    assert isinstance(backend, Btrfs)
    assert backend._state().limit(theirs) == 5 * MIB
    assert node.groups == before
    _ioctl.remove_qgroup(root, theirs)


def test_a_quota_group_that_lost_its_limit_or_is_missing_is_made_again(btrfs_node):
    node = btrfs_node
    space = node.pools.reserve(DiskType.SSD, MIB)
    run("btrfs", "qgroup", "limit", "none", f"1/{_ioctl.subvolume_of(space.path.parent)}", space.path)
    assert node.pools.reconcile().limited == (space.id,)
    assert write(space.path, 4 * MIB) == MIB


def test_a_pool_that_fails_does_not_keep_the_others_from_being_put_right(btrfs_node, tmp_path):
    from statehold_quota import Accounting

    node = btrfs_node
    node.add("another", tmp_path / "another", Accounting(root=tmp_path / "another"))
    space = node.pools.reserve(DiskType.SSD, MIB, pool="another")
    ledger = killed(node)
    ledger.claims.begin_release(space.id)
    ledger.close()
    node.land.away.add(POOL)
    node.pools._sites.clear()
    report = node.pools.reconcile()
    assert report.finished == (space.id,)
    assert report.faults == (f"pool {POOL} is not mounted",)
    node.land.away.clear()

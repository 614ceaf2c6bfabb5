from __future__ import annotations

import subprocess

import pytest
from zos_pools import MIB, POOL, write

from statehold_quota import Btrfs
from statehold_zos.model import DiskType, NoSpaceError, NotFoundError, RefusedError, SpaceState


def test_a_space_is_a_folder_that_holds_its_size_and_is_gone_when_released(node):
    space = node.pools.reserve(DiskType.SSD, "4 MiB", owner="app", name="logs")
    assert (space.size, space.type, space.pool, space.state) == (
        4 * MIB,
        DiskType.SSD,
        POOL,
        SpaceState.READY,
    )
    assert 4 * MIB <= 64 * MIB - node.free() <= 9 * MIB
    assert write(space.path, 4 * MIB) == 4 * MIB
    found = node.pools.look_up(space.id)
    assert 4 * MIB <= node.pools.usage(space.id) <= 4 * MIB + 64 * 1024
    assert (found.path, found.size, found.owner, found.name) == (space.path, space.size, "app", "logs")
    node.pools.release(space.id)
    assert not space.path.exists()
    assert node.pools._site(POOL).claims() == []
    assert node.free() == 64 * MIB
    assert node.ledger.check() == []


def test_what_a_released_space_had_counted_is_removed_with_it(btrfs_node):
    before = btrfs_node.groups
    space = btrfs_node.pools.reserve(DiskType.SSD, "1 MiB")
    write(space.path, MIB)
    assert len(btrfs_node.groups) > len(before)
    btrfs_node.pools.release(space.id)
    assert btrfs_node.groups == before


def test_the_same_name_again_is_the_same_space_and_another_size_or_type_is_refused(node):
    space = node.pools.reserve(DiskType.SSD, MIB, owner="app", name="logs")
    assert node.pools.reserve(DiskType.SSD, "1 MiB", owner="app", name="logs") == space
    with pytest.raises(RefusedError, match="of size 1048576, not 2097152"):
        node.pools.reserve(DiskType.SSD, 2 * MIB, owner="app", name="logs")
    with pytest.raises(RefusedError, match="of type ssd, not hdd"):
        node.pools.reserve(DiskType.HDD, MIB, owner="app", name="logs")
    assert node.pools.reserve(DiskType.SSD, MIB, owner="other", name="logs").id != space.id
    found = node.pools.find("app", "logs")
    assert found is not None
    assert found.id == space.id
    assert node.pools.find("app", "other") is None


def test_a_name_may_be_used_anew_after_its_space_was_released(node):
    first = node.pools.reserve(DiskType.SSD, MIB, name="logs")
    write(first.path, 1000)
    node.pools.release(first.id)
    second = node.pools.reserve(DiskType.SSD, 2 * MIB, name="logs")
    assert second.id != first.id
    assert list(second.path.glob("file")) == []


def test_a_space_grows_with_what_is_in_it(node):
    space = node.pools.reserve(DiskType.SSD, MIB)
    assert write(space.path, MIB) == MIB
    grown = node.pools.resize(space.id, "3 MiB")
    assert (grown.id, grown.path, grown.size) == (space.id, space.path, 3 * MIB)
    assert write(space.path, 2 * MIB) == 2 * MIB
    assert (space.path / "file").stat().st_size == 3 * MIB
    assert node.pools.look_up(space.id).size == 3 * MIB


def test_a_space_shrinks_with_what_is_in_it_and_gives_the_room_back(node):
    space = node.pools.reserve(DiskType.SSD, 8 * MIB)
    free = node.free()
    write(space.path, MIB)
    assert node.pools.resize(space.id, 4 * MIB).size == 4 * MIB
    assert node.free() >= free + 3 * MIB
    assert write(space.path, 3 * MIB) == 3 * MIB
    site = node.pools._site(POOL)
    assert site.keeps(space.id, 4 * MIB)
    assert node.ledger.check() == []


def test_a_space_is_not_made_smaller_than_what_it_holds(node):
    space = node.pools.reserve(DiskType.SSD, 4 * MIB)
    write(space.path, 3 * MIB)
    free = node.free()
    with pytest.raises(RefusedError, match="holds"):
        node.pools.resize(space.id, 2 * MIB)
    assert node.free() == free
    assert node.pools.look_up(space.id).size == 4 * MIB
    assert write(space.path, MIB) == MIB


def test_a_space_grows_only_into_room_that_its_pool_has(node):
    space = node.pools.reserve(DiskType.SSD, 4 * MIB)
    with pytest.raises(NoSpaceError, match="free"):
        node.pools.resize(space.id, 65 * MIB)
    assert node.pools.look_up(space.id).size == 4 * MIB
    assert node.pools._site(POOL).keeps(space.id, 4 * MIB)
    assert node.ledger.check() == []


def test_what_is_resized_to_its_size_stays_as_it_is(node):
    space = node.pools.reserve(DiskType.SSD, 2 * MIB)
    assert node.pools.resize(space.id, 2 * MIB) == space


def test_what_is_full_grows_though_its_own_data_fill_the_pool(in_folders):
    # Reservations are compared with reservations: what is written already does not count twice.
    node = in_folders(size=4 * MIB)
    space = node.pools.reserve(DiskType.SSD, 3 * MIB)
    write(space.path, 3 * MIB)
    assert node.pools.resize(space.id, 4 * MIB).size == 4 * MIB


@pytest.mark.parametrize("space_id", ["space-0123456789abcdef", "../etc", "", "nothing"])
def test_what_is_not_there_is_not_found_whatever_is_asked_of_it(in_folders, space_id):
    pools = in_folders().pools
    for ask in (pools.look_up, pools.release, pools.usage, lambda one: pools.resize(one, MIB)):
        with pytest.raises(NotFoundError, match="there is no reservation"):
            ask(space_id)


def test_what_was_released_is_not_found_the_second_time(node):
    space = node.pools.reserve(DiskType.SSD, MIB)
    node.pools.release(space.id)
    with pytest.raises(NotFoundError):
        node.pools.release(space.id)


def test_spaces_of_all_pools_are_listed(in_folders):
    node = in_folders(pools=("p1", "p2", "p3"))
    made = {node.pools.reserve(DiskType.SSD, MIB, pool=pool, owner=pool).id for pool in ("p1", "p2", "p3")}
    assert {space.id for space in node.pools.list()} == made
    assert [space.pool for space in node.pools.list(owner="p2")] == ["p2"]
    assert [space.pool for space in node.pools.list(pool="p3", used=True)] == ["p3"]


def test_no_name_is_kept_from_those_who_reserve_or_left_out_of_a_list(in_folders):
    # The original refuses what begins with zdb, and hides what it has made itself.
    pools = in_folders().pools
    names = {"zdb", "zdb-1", "zos-cache", "vdisks", "server-1", "..", "a/b"}
    made = [pools.reserve(DiskType.SSD, 1024, name=name) for name in sorted(names)]
    assert {space.name for space in pools.list()} == names
    assert len({space.path for space in made}) == len(names)
    assert {space.path.parent.parent for space in made} == {made[0].path.parent.parent}


def test_no_program_is_run_for_a_space_on_btrfs(btrfs_node, monkeypatch):
    btrfs_node.pools.release(btrfs_node.pools.reserve(DiskType.SSD, MIB).id)  # it is open and tried

    def refuse(*words, **_):
        raise AssertionError(f"{words} is run")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    space = btrfs_node.pools.reserve(DiskType.SSD, MIB, name="logs")
    assert btrfs_node.pools.resize(space.id, 2 * MIB).size == 2 * MIB
    assert [each.id for each in btrfs_node.pools.list(used=True)] == [space.id]
    assert btrfs_node.pools.usage(space.id) < MIB
    btrfs_node.pools.release(space.id)


@pytest.mark.parametrize("size", [0, -1, "", "ten", "1.5 B", "-1 GiB"])
def test_what_is_no_size_is_refused_before_anything_is_booked(in_folders, size):
    node = in_folders()
    with pytest.raises(RefusedError):
        node.pools.reserve(DiskType.SSD, size)
    assert node.free() == 64 * MIB


def test_a_small_space_on_btrfs_gets_what_can_be_kept_and_says_so(btrfs_node):
    space = btrfs_node.pools.reserve(DiskType.SSD, 100, name="small")
    assert space.size == 512 * 1024
    assert "512 KiB at least" in space.limits
    assert btrfs_node.free() == 64 * MIB - 512 * 1024
    assert btrfs_node.pools.reserve(DiskType.SSD, 100, name="small") == space
    assert write(space.path, MIB) == 512 * 1024
    odd = btrfs_node.pools.reserve(DiskType.SSD, MIB + 1)
    assert odd.size == MIB + 4096


def test_every_kind_says_how_its_limits_are_kept(node):
    space = node.pools.reserve(DiskType.SSD, MIB)
    backend = node.land.pools[POOL][1]
    assert ("advisory" in space.limits) is not backend.enforced
    assert isinstance(backend, Btrfs) == ("btrfs" in space.limits)

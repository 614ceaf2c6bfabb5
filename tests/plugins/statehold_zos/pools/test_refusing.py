from __future__ import annotations

import threading
from contextlib import suppress

import pytest
from zos_pools import MIB, POOL, write

from statehold_quota import Accounting
from statehold_zos.model import (
    DiskType,
    NoSpaceError,
    NotFoundError,
    Placement,
    PoolState,
    Space,
    SpaceState,
    ZosError,
)


@pytest.fixture
def two(in_folders, tmp_path):
    """A node with two SSD pools of 64 MiB and an HDD pool of 16 MiB, all plain folders."""
    node = in_folders(pools=("fast", "faster"))
    root = tmp_path / "slow"
    node.add("slow", root, Accounting(root=root), size=16 * MIB, disk_type=DiskType.HDD)
    return node


@pytest.mark.parametrize(
    ("disk_type", "most"), [(DiskType.SSD, 64 * MIB), (DiskType.HDD, 16 * MIB)], ids=["ssd", "hdd"]
)
def test_what_fits_nowhere_is_refused_with_the_type_asked_for_and_the_largest_room(two, disk_type, most):
    with pytest.raises(NoSpaceError) as refused:
        two.pools.reserve(disk_type, "1 GiB")
    assert disk_type.value in refused.value.message
    assert str(most) in refused.value.message.replace(",", "")
    other = ({"ssd", "hdd"} - {disk_type.value}).pop()
    assert other not in refused.value.message


def test_each_pool_is_filled_to_the_last_byte(two):
    for pool, size in (("fast", 64 * MIB), ("faster", 64 * MIB), ("slow", 16 * MIB)):
        disk_type = two.land.pools[pool][2]
        two.pools.reserve(disk_type, size - 1, pool=pool)
        two.pools.reserve(disk_type, 1)
        assert two.free(pool) == 0
    for disk_type in DiskType:
        with pytest.raises(NoSpaceError, match="none has any"):
            two.pools.reserve(disk_type, 1)


def test_a_pool_that_cannot_make_a_space_leaves_it_to_another(two):
    two.land.away.add("fast")
    assert [two.pools.reserve(DiskType.SSD, MIB).pool for _ in range(3)] == ["faster"] * 3
    assert two.free("fast") < 64 * MIB  # what could not even be undone keeps its room
    two.land.away.clear()
    assert len(two.pools.reconcile().finished) == 3
    assert two.free("fast") == 64 * MIB
    assert two.ledger.check() == []


def test_that_no_pool_can_make_a_space_says_of_each_why(two):
    two.land.away |= {"fast", "faster"}
    with pytest.raises(ZosError) as refused:
        two.pools.reserve(DiskType.SSD, MIB, name="logs")
    for pool in ("fast", "faster"):
        assert f"{pool}: pool {pool} is not mounted" in refused.value.message
    two.land.away.clear()
    assert two.pools.reserve(DiskType.SSD, 2 * MIB, name="logs").state is SpaceState.READY


def test_a_pool_that_is_named_is_the_only_one(two):
    assert two.pools.reserve(DiskType.SSD, MIB, pool="faster").pool == "faster"
    with pytest.raises(NotFoundError, match="no pool 'nowhere'"):
        two.pools.reserve(DiskType.SSD, MIB, pool="nowhere")
    two.land.away.add("fast")
    with pytest.raises(ZosError, match="not mounted"):
        two.pools.reserve(DiskType.SSD, MIB, pool="fast")


def test_a_placement_may_be_said_for_one_reservation(two):
    two.pools.reserve(DiskType.SSD, MIB, pool="fast")
    assert two.pools.reserve(DiskType.SSD, MIB).pool == "fast"
    assert two.pools.reserve(DiskType.SSD, MIB, placement=Placement.WORST_FIT).pool == "faster"
    assert two.pools.reserve(DiskType.HDD, MIB, placement=Placement.SSD_FIRST).type is DiskType.SSD


def test_a_space_of_a_pool_that_is_away_says_gone_and_is_back_with_it(two):
    space = two.pools.reserve(DiskType.SSD, MIB, pool="fast")
    (two.land.pools["fast"][0]).rename(two.folder / "elsewhere")
    two.ledger.pools.set_state("fast", PoolState.GONE)
    assert two.pools.look_up(space.id).state is SpaceState.GONE
    assert two.pools.look_up(space.id).path == space.path
    assert two.pools.reconcile().clean
    with pytest.raises(ZosError):
        two.pools.resize(space.id, 2 * MIB)
    (two.folder / "elsewhere").rename(two.land.pools["fast"][0])
    assert two.pools.look_up(space.id) == space


def test_a_space_that_is_released_while_its_pool_is_away_goes_when_that_is_back(two):
    space = two.pools.reserve(DiskType.SSD, MIB, pool="fast", name="logs")
    two.land.away.add("fast")
    two.ledger.pools.set_state("fast", PoolState.GONE)
    two.pools.release(space.id)
    assert two.pools.find("", "logs") is None
    assert two.free("fast") == 63 * MIB
    assert two.pools.reconcile().clean
    two.land.away.clear()
    two.ledger.pools.set_state("fast", PoolState.READY)
    assert two.pools.reconcile().finished == (space.id,)
    assert not space.path.exists()
    assert two.free("fast") == 64 * MIB


def test_a_plain_folder_says_advisory_reports_who_is_over_and_takes_no_more_meanwhile(in_folders):
    node = in_folders()
    space = node.pools.reserve(DiskType.SSD, MIB)
    assert "advisory" in space.limits
    write(space.path, 2 * MIB)
    assert node.pools.reconcile().over == (space.id,)
    with pytest.raises(NoSpaceError, match=f"no reservations: {space.id} holds more than it may") as refused:
        node.pools.reserve(DiskType.SSD, MIB)
    assert POOL in refused.value.message
    assert node.pools.list() != ()
    node.pools.resize(space.id, 3 * MIB)
    node.pools.reserve(DiskType.SSD, MIB)
    assert node.pools.reconcile().clean


def test_a_plain_folder_takes_reservations_again_once_what_was_over_is_removed(in_folders):
    node = in_folders()
    space = node.pools.reserve(DiskType.SSD, MIB)
    write(space.path, 2 * MIB)
    assert node.pools.look_up(space.id).used > MIB
    with pytest.raises(NoSpaceError):
        node.pools.reserve(DiskType.SSD, MIB)
    (space.path / "file").unlink()
    node.pools.reserve(DiskType.SSD, MIB)


def test_threads_that_reserve_at_once_get_all_there_is_and_no_more(in_folders):
    node = in_folders(size=20 * MIB, pools=("p1", "p2"))
    made: list[Space] = []

    def work(number: int) -> None:
        # The same names from all of them, and as many without.
        for turn in range(5):
            made.append(node.pools.reserve(DiskType.SSD, MIB, name=f"shared-{turn}"))
            with suppress(NoSpaceError):
                made.append(node.pools.reserve(DiskType.SSD, MIB))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({space.id for space in made}) == 40
    assert len({space.id for space in made if space.name}) == 5
    assert (node.free("p1"), node.free("p2")) == (0, 0)
    assert node.ledger.check() == []
    assert node.pools.reconcile().clean

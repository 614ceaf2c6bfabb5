from __future__ import annotations

import pytest

from statehold_zos.model import DiskType, Placement
from statehold_zos.planning import Demand, MemoryShelf, Place, Room, choose, choose_served

POOLS = (
    Room("small", DiskType.SSD, 10, 1),
    Room("middle", DiskType.SSD, 20, 5),
    Room("large", DiskType.SSD, 30, 3),
    Room("slow", DiskType.HDD, 12, 0),
)


@pytest.mark.parametrize(
    ("placement", "room", "pool"),
    [
        (Placement.BEST_FIT, 10, "small"),
        (Placement.BEST_FIT, 11, "middle"),
        (Placement.WORST_FIT, 1, "large"),
        (Placement.SPREAD, 1, "small"),
        (Placement.SPREAD, 11, "large"),
        (Placement.SSD_FIRST, 11, "middle"),
    ],
)
def test_a_policy_says_which_of_the_pools_with_room_gets_a_reservation(
    placement: Placement, room: int, pool: str
) -> None:
    demand = Demand(type=DiskType.SSD, room=room, placement=placement)
    assert choose(MemoryShelf(POOLS), demand) == pool


@pytest.mark.parametrize("placement", [Placement.BEST_FIT, Placement.WORST_FIT, Placement.SPREAD])
def test_a_reservation_gets_no_pool_of_another_type(placement: Placement) -> None:
    shelf = MemoryShelf(POOLS)
    assert choose(shelf, Demand(type=DiskType.HDD, room=12, placement=placement)) == "slow"
    assert choose(shelf, Demand(type=DiskType.HDD, room=13, placement=placement)) is None


def test_ssd_first_takes_an_hdd_where_no_ssd_has_room() -> None:
    shelf = MemoryShelf([Room("fast", DiskType.SSD, 10), Room("slow", DiskType.HDD, 100)])
    for asked in DiskType:
        small = Demand(type=asked, room=10, placement=Placement.SSD_FIRST)
        large = Demand(type=asked, room=11, placement=Placement.SSD_FIRST)
        assert choose(shelf, small) == "fast"
        assert choose(shelf, large) == "slow"


def test_pools_that_are_to_be_avoided_get_nothing() -> None:
    demand = Demand(type=DiskType.SSD, room=1, avoid={"small", "middle"})
    assert choose(MemoryShelf(POOLS), demand) == "large"


def test_a_pool_that_is_put_again_is_where_its_room_puts_it() -> None:
    shelf = MemoryShelf(POOLS)
    shelf.put(Room("large", DiskType.SSD, 5))
    assert [room.pool for room in shelf.tightest(DiskType.SSD, 0)] == ["large", "small", "middle"]
    shelf.remove("small")
    shelf.remove("unknown")
    assert [room.pool for room in shelf.widest(DiskType.SSD, 0)] == ["middle", "large"]
    assert len(shelf) == len(list(shelf)) == 3


def test_a_namespace_goes_to_the_tightest_pool_with_a_server_before_another_is_started() -> None:
    served = MemoryShelf([Room("a", DiskType.HDD, 50), Room("b", DiskType.HDD, 40)])
    unserved = MemoryShelf([Room("c", DiskType.HDD, 41), Room("d", DiskType.HDD, 90)])

    def place(room: int, placement: Placement = Placement.BEST_FIT) -> Place | None:
        demand = Demand(type=DiskType.HDD, room=room, placement=placement)
        return choose_served(served, unserved, demand, overhead=10)

    assert place(40) == Place(pool="b", served=True)
    assert place(40, Placement.WORST_FIT) == Place(pool="b", served=True)
    assert place(45) == Place(pool="a", served=True)
    assert place(51) == Place(pool="d", served=False)
    assert place(80) == Place(pool="d", served=False)
    assert place(81) is None, "the server needs 10 itself"

from __future__ import annotations

import pytest

from statehold_zos.model import DiskInfo, DiskState, DiskType, Policy, Raid, ZosError
from statehold_zos.planning import Grouping, group

GIB = 1024**3


def _disk(
    name: str, size: float, kind: DiskType | None = DiskType.SSD, state: DiskState = DiskState.FREE
) -> DiskInfo:
    return DiskInfo(name=name, device="", type=kind, size=int(size * GIB), state=state)


def _pools(grouping: Grouping) -> list[tuple[str, ...]]:
    return [made.disks for made in grouping.groups]


def test_each_disk_is_a_pool_unless_the_policy_says_more_and_the_largest_come_first() -> None:
    grouping = group([_disk("a", 1), _disk("b", 4), _disk("c", 2, DiskType.HDD)], Policy())
    assert _pools(grouping) == [("b",), ("a",), ("c",)]
    assert [made.type for made in grouping.groups] == [DiskType.SSD, DiskType.SSD, DiskType.HDD]
    assert [made.size for made in grouping.groups] == [4 * GIB, GIB, 2 * GIB]
    assert not grouping.left


def test_only_disks_that_are_free_and_of_a_known_type_are_looked_at() -> None:
    disks = [_disk(state.value, 1, state=state) for state in DiskState]
    grouping = group([*disks, _disk("unmeasured", 1, None)], Policy())
    assert _pools(grouping) == [("free",)]
    assert not grouping.left


def test_a_pool_is_of_one_type_and_of_one_size() -> None:
    disks = [
        _disk("a", 4),
        _disk("b", 3.99),
        _disk("c", 3),
        _disk("d", 4, DiskType.HDD),
        _disk("e", 4, DiskType.HDD),
    ]
    grouping = group(disks, Policy(raid=Raid.RAID1, disks=2))
    assert _pools(grouping) == [("a", "b"), ("d", "e")]
    assert grouping.groups[0].size < 4 * GIB
    assert "of the same size" in grouping.left.pop("c")
    assert not grouping.left


def test_disks_of_unlike_sizes_share_a_pool_with_their_neighbours_where_the_policy_lets_them() -> None:
    disks = [_disk("a", 1), _disk("b", 8), _disk("c", 2), _disk("d", 7)]
    grouping = group(disks, Policy(raid=Raid.RAID1, disks=2, mixed_sizes=True))
    assert _pools(grouping) == [("b", "d"), ("c", "a")]
    assert [made.size for made in grouping.groups] == [7 * GIB, GIB]


def test_no_more_pools_are_made_than_the_policy_allows_with_those_there_are() -> None:
    disks = [_disk("a", 1), _disk("b", 2), _disk("c", 3)]
    grouping = group(disks, Policy(pools=3), pools=1)
    assert _pools(grouping) == [("c",), ("b",)]
    assert grouping.left == {"a": "the policy allows 3 pools"}
    assert not group(disks, Policy(pools=3), pools=4).groups


def test_types_are_made_in_the_order_of_the_policy_and_others_are_left_with_the_reason() -> None:
    disks = [_disk("a", 1), _disk("b", 2, DiskType.HDD)]
    both = group(disks, Policy(types=(DiskType.HDD, DiskType.SSD)))
    assert _pools(both) == [("b",), ("a",)]
    one = group(disks, Policy(types=(DiskType.HDD,)))
    assert _pools(one) == [("b",)]
    assert one.left == {"a": "the policy makes no pools of ssd"}


@pytest.mark.parametrize(
    ("raid", "disks"),
    [(Raid.SINGLE, 0), (Raid.RAID0, 1), (Raid.RAID1, 1), (Raid.RAID1, 3), (Raid.RAID10, 2), (Raid.RAID10, 5)],
)
def test_a_number_of_disks_with_which_a_level_does_not_work_is_refused(raid: Raid, disks: int) -> None:
    with pytest.raises(ZosError, match=rf"{raid.value} does not work with {disks} disks"):
        group([], Policy(raid=raid, disks=disks))

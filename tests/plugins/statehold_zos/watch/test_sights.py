from __future__ import annotations

import attrs
import pytest

from statehold_zos.model import EventKind, PoolEvent, PoolState
from statehold_zos.watch._sights import DiskSight, PoolSight, Sight, compare

ADDED, REMOVED, BACK = EventKind.ADDED, EventKind.REMOVED, EventKind.BACK
FAILING, FILLING = EventKind.FAILING, EventKind.FILLING


def after(*sights: Sight) -> list[tuple[EventKind, str, str]]:
    """Return what the last of these looks tells."""
    seen, events = None, []
    for sight in sights:
        seen, events = compare(seen, sight, filling=0.9, at=1.0)
    return [(event.kind, event.disk, event.pool) for event in events]


def disk(*, there: bool = True, pool: str = "p", failing: str = "") -> Sight:
    return Sight(disks={"d": DiskSight(there=there, pool=pool, failing=failing)})


def pool(state: PoolState = PoolState.READY, filled: float = 0.0) -> Sight:
    return Sight(pools={"p": PoolSight(state=state, filled=filled)})


def test_a_first_look_tells_nothing_of_what_is_as_it_should_be() -> None:
    assert after(Sight(disks=disk().disks, pools=pool().pools)) == []


@pytest.mark.parametrize(
    ("sight", "told"),
    [
        (disk(there=False), (REMOVED, "d", "p")),
        (disk(failing="old"), (FAILING, "d", "p")),
        (pool(PoolState.GONE), (REMOVED, "", "p")),
        (pool(PoolState.FAILING), (FAILING, "", "p")),
        (pool(filled=0.95), (FILLING, "", "p")),
    ],
)
def test_a_first_look_tells_what_is_wrong(sight: Sight, told: tuple[EventKind, str, str]) -> None:
    assert after(sight) == [told]
    assert after(sight, sight) == []


def test_a_free_disk_that_is_not_there_at_first_is_no_news() -> None:
    assert after(disk(there=False, pool="")) == []


def test_a_disk_that_comes_is_added() -> None:
    assert after(disk(there=False, pool=""), disk(pool="")) == [(ADDED, "d", "")]
    assert after(Sight(), disk(pool="")) == [(ADDED, "d", "")]


def test_a_disk_of_a_pool_that_went_and_comes_is_back() -> None:
    assert after(disk(), disk(there=False)) == [(REMOVED, "d", "p")]
    assert after(disk(), disk(there=False), disk()) == [(BACK, "d", "p")]


def test_a_disk_without_a_pool_that_went_and_comes_is_added() -> None:
    free = disk(pool="")
    assert after(free, disk(there=False, pool=""), free) == [(ADDED, "d", "")]


def test_a_disk_that_may_be_relied_on_again_is_back() -> None:
    assert after(disk(failing="old"), disk()) == [(BACK, "d", "p")]


def test_a_pool_that_cannot_be_read_is_told_to_be_gone_and_to_be_back() -> None:
    assert after(pool(), pool(PoolState.GONE)) == [(REMOVED, "", "p")]
    assert after(pool(PoolState.GONE), pool()) == [(BACK, "", "p")]
    assert after(pool(PoolState.GONE), pool(PoolState.DEGRADED)) == [(BACK, "", "p")]


def test_a_pool_that_is_mended_is_back() -> None:
    assert after(pool(), pool(PoolState.DEGRADED)) == []  # its disk was told to be gone
    assert after(pool(PoolState.DEGRADED), pool()) == [(BACK, "", "p")]


def test_a_pool_that_was_made_is_added_and_one_that_was_wiped_does_not_stay() -> None:
    assert after(Sight(), pool()) == [(ADDED, "", "p")]
    assert after(pool(), Sight()) == [(REMOVED, "", "p")]
    assert after(pool(), Sight(), Sight()) == []


def test_a_pool_is_told_to_be_filling_once_for_each_time_it_gets_full() -> None:
    low, over, near = pool(filled=0.5), pool(filled=0.91), pool(filled=0.87)
    assert after(low, over) == [(FILLING, "", "p")]
    assert after(low, over, over) == []
    assert after(low, over, near, over) == []
    assert after(low, over, low, over) == [(FILLING, "", "p")]


def test_what_is_told_cannot_be_changed_and_is_another_object_each_time() -> None:
    _, first = compare(None, pool(filled=0.95), filling=0.9, at=1.0)
    _, second = compare(None, pool(filled=0.95), filling=0.9, at=1.0)
    assert first == second
    assert first[0] is not second[0]
    assert attrs.fields(PoolEvent)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        first[0].message = "something else"  # type: ignore[misc]

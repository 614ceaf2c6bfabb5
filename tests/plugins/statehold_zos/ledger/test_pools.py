from __future__ import annotations

import pytest
from zos_claims import settled, space

from statehold_zos.ledger import ClaimKind, Ledger, Request, Sealed
from statehold_zos.model import DiskType, Mode, NotFoundError, Placement, PoolState, RefusedError


def test_a_pool_that_is_put_again_keeps_its_claims_and_its_state(ledger: Ledger) -> None:
    ledger.pools.put("a", type=DiskType.SSD, size=100)
    settled(ledger, space(60))
    ledger.pools.set_state("a", PoolState.DEGRADED, "a disk is gone")
    row = ledger.pools.put("a", type=DiskType.SSD, size=50)
    assert (row.size, row.reserved, row.free, row.claims) == (50, 60, -10, 1)
    assert (row.state, row.reason) == (PoolState.DEGRADED, "a disk is gone")
    row = ledger.pools.put("a", type=DiskType.SSD, size=50, state=PoolState.READY)
    assert (row.state, row.reason) == (PoolState.READY, "")
    assert ledger.pools.find("a") == row
    assert ledger.pools.find("b") is None
    with pytest.raises(NotFoundError, match="no pool 'b'"):
        ledger.pools.set_state("b", PoolState.READY)


def test_more_may_be_reserved_than_there_is_where_that_is_said(ledger: Ledger) -> None:
    row = ledger.pools.put("a", type=DiskType.SSD, size=100, over_provision=1.5)
    assert (row.size, row.budget, row.free) == (100, 150, 150)
    settled(ledger, space(150))
    assert ledger.pools.put("a", type=DiskType.SSD, size=100).free == -50


def test_with_worst_fit_more_is_reserved_than_there_is_only_once_no_disk_has_room(ledger: Ledger) -> None:
    for pool in ("a", "b", "c"):
        ledger.pools.put(pool, type=DiskType.SSD, size=100, over_provision=2)
    asked = space(40, placement=Placement.WORST_FIT)
    assert sorted(settled(ledger, asked).pool for _ in range(6)) == ["a", "a", "b", "b", "c", "c"]
    assert ledger.pools.get(settled(ledger, asked).pool).reserved == 120


def test_the_largest_pool_may_be_over_provisioned(ledger: Ledger) -> None:
    row = ledger.pools.put("a", type=DiskType.SSD, size=2**60, over_provision=1000)
    assert (row.budget, row.free) == (2**62, 2**62)


def test_a_pool_stays_of_its_type(ledger: Ledger) -> None:
    ledger.pools.put("a", type=DiskType.SSD, size=100)
    with pytest.raises(RefusedError, match="pool a is of ssd, not of hdd"):
        ledger.pools.put("a", type=DiskType.HDD, size=100)


def test_a_pool_with_claims_is_neither_wiped_nor_removed(ledger: Ledger) -> None:
    ledger.pools.put("a", type=DiskType.SSD, size=100)
    claim = settled(ledger, space(60))
    with pytest.raises(RefusedError, match="cannot be wiped: 1 reservations of 60 bytes"):
        ledger.pools.begin_wipe("a")
    with pytest.raises(RefusedError, match="cannot be removed"):
        ledger.pools.remove("a")
    ledger.claims.forget(claim.id)
    assert ledger.pools.begin_wipe("a").state is PoolState.WIPING
    ledger.pools.remove("a")
    ledger.pools.remove("a")
    assert ledger.pools.all() == []


def test_what_was_released_keeps_no_pool_from_being_wiped_that_is_gone_for_good(ledger: Ledger) -> None:
    ledger.pools.put("a", type=DiskType.SSD, size=100)
    released, kept = (settled(ledger, space(20)) for _ in range(2))
    asked = Request(kind=ClaimKind.NAMESPACE, type=DiskType.SSD, size=10, mode=Mode.USER)
    namespace = ledger.claims.settle(ledger.namespaces.reserve(asked, overhead=10).id)
    ledger.namespaces.seal(namespace.id, Sealed(secret=b"sealed"))
    ledger.claims.release_later(namespace.id, 1e12)
    ledger.claims.begin_release(released.id)
    ledger.claims.leave(released.id)
    assert ledger.pools.kept("a") == 4
    ledger.pools.set_state("a", PoolState.GONE)
    assert ledger.pools.kept("a") == 1
    for refused in (ledger.pools.begin_wipe, ledger.pools.remove):
        with pytest.raises(RefusedError, match="4 reservations of 60 bytes"):
            refused("a")
    ledger.claims.begin_release(kept.id)
    assert ledger.pools.begin_wipe("a").state is PoolState.WIPING
    assert ledger.pools.kept("a") == 0
    ledger.pools.remove("a")
    assert (ledger.pools.all(), ledger.claims.all(), ledger.pools.kept("a")) == ([], [], 0)
    ledger.claims.forget(kept.id)  # by who was at work on it
    ledger.claims.leave(kept.id)


def test_notes_stay_by_topic_and_key(ledger: Ledger) -> None:
    assert ledger.notes.get("type", "sda") is None
    ledger.notes.put("type", "sda", "hdd")
    ledger.notes.put("type", "sda", "ssd")
    ledger.notes.put("token", "sda", "1")
    assert ledger.notes.get("type", "sda") == "ssd"
    assert ledger.notes.all("type") == {"sda": "ssd"}
    ledger.notes.remove("type", "sda")
    ledger.notes.remove("type", "sda")
    assert ledger.notes.all("type") == {}

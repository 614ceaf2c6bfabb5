from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
import pytest
from zos_claims import settled, space

from statehold_zos.ledger import Claim, ClaimKind, ClaimState, Ledger
from statehold_zos.model import (
    DiskType,
    NoSpaceError,
    NotFoundError,
    Placement,
    PoolState,
    RefusedError,
    ZosError,
)


@pytest.fixture(autouse=True)
def pools(ledger: Ledger) -> None:
    ledger.pools.put("large", type=DiskType.SSD, size=1000)
    ledger.pools.put("small", type=DiskType.SSD, size=100)
    ledger.pools.put("slow", type=DiskType.HDD, size=500)


def test_a_reservation_is_pending_until_it_is_settled_and_takes_its_room_at_once(ledger: Ledger) -> None:
    claim = ledger.claims.reserve(space(60, owner="app", name="data"))
    assert re.fullmatch(r"space-[0-9a-f]{16}", claim.id)
    assert (claim.pool, claim.size, claim.room, claim.state, claim.mine) == (
        "small",
        60,
        60,
        ClaimState.PENDING,
        True,
    )
    row = ledger.pools.get("small")
    assert (row.reserved, row.free, row.claims) == (60, 40, 1)
    done = ledger.claims.settle(claim.id)
    assert (done.state, done.mine, done.worker) == (ClaimState.READY, False, "")
    assert ledger.claims.get(claim.id) == done == ledger.claims.find(ClaimKind.SPACE, "app", "data")


def test_what_is_reserved_to_the_last_byte_leaves_nothing_and_says_so(ledger: Ledger) -> None:
    settled(ledger, space(100))
    settled(ledger, space(990))
    with pytest.raises(NoSpaceError, match="no pool of ssd has 11 bytes free; the one with the most has 10"):
        ledger.claims.reserve(space(11))
    settled(ledger, space(10))
    with pytest.raises(NoSpaceError, match="none has any"):
        ledger.claims.reserve(space(1))
    assert [row.free for row in ledger.pools.all()] == [0, 500, 0]


def test_the_error_for_an_hdd_names_the_hdd(ledger: Ledger) -> None:
    with pytest.raises(NoSpaceError, match=r"no pool of hdd has 501 bytes free; the .* most has 500"):
        ledger.claims.reserve(space(501, type=DiskType.HDD))
    with pytest.raises(NoSpaceError, match="no pool of ssd or hdd has 5,000 bytes"):
        ledger.claims.reserve(space(5000, placement=Placement.SSD_FIRST))


def test_the_same_name_again_is_the_same_claim(ledger: Ledger) -> None:
    first = settled(ledger, space(60, owner="app", name="data"))
    assert ledger.claims.reserve(space(60, owner="app", name="data")) == first
    assert settled(ledger, space(60, owner="other", name="data")).id != first.id
    assert settled(ledger, space(60)).id != settled(ledger, space(60)).id
    assert sum(row.claims for row in ledger.pools.all()) == 4


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (space(61, name="data"), "of size 60, not 61"),
        (space(60, name="data", type=DiskType.HDD), "of type ssd, not hdd"),
    ],
)
def test_the_same_name_for_something_else_is_refused(ledger: Ledger, other: object, says: str) -> None:
    settled(ledger, space(60, name="data"))
    with pytest.raises(RefusedError, match=says):
        ledger.claims.reserve(other)  # type: ignore[arg-type]
    assert ledger.pools.get("small").claims == 1


def test_with_ssd_first_the_same_request_again_is_the_same_claim_also_on_an_hdd(ledger: Ledger) -> None:
    settled(ledger, space(950))
    request = space(400, name="data", placement=Placement.SSD_FIRST)
    first = settled(ledger, request)
    assert (first.pool, first.type) == ("slow", DiskType.SSD)
    assert ledger.claims.reserve(request) == first


@pytest.mark.parametrize("size", [0, -1])
def test_a_size_that_is_not_above_0_is_refused(ledger: Ledger, size: int) -> None:
    with pytest.raises(ValueError, match="above 0"):
        ledger.claims.reserve(space(size))
    claim = settled(ledger, space(5))
    with pytest.raises(ValueError, match="above 0"):
        ledger.claims.resize(claim.id, size)


def test_a_pool_may_be_asked_for_or_avoided(ledger: Ledger) -> None:
    assert settled(ledger, space(1, pool="large")).pool == "large"
    assert settled(ledger, space(1, avoid=frozenset({"small"}))).pool == "large"
    with pytest.raises(NoSpaceError, match="pool small has 100 bytes free, 101 are needed"):
        ledger.claims.reserve(space(101, pool="small"))
    with pytest.raises(NotFoundError, match="no pool 'other'"):
        ledger.claims.reserve(space(1, pool="other"))
    ledger.pools.set_state("small", PoolState.FAILING, "errors")
    with pytest.raises(NoSpaceError, match="it is failing"):
        ledger.claims.reserve(space(1, pool="small"))


@pytest.mark.parametrize("state", [state for state in PoolState if state is not PoolState.READY])
@pytest.mark.parametrize("placement", Placement)
def test_a_pool_that_is_not_ready_gets_nothing_new(
    ledger: Ledger, state: PoolState, placement: Placement
) -> None:
    held = settled(ledger, space(10))
    ledger.pools.set_state("small", state, "for a test")
    assert settled(ledger, space(10, placement=placement)).pool == "large"
    with pytest.raises(NoSpaceError, match=f"pool small is {state.value}"):
        ledger.claims.resize(held.id, 11)
    ledger.claims.resize(held.id, 9)
    ledger.claims.forget(ledger.claims.begin_release(held.id).id)


def test_growing_books_only_what_its_pool_has_and_shrinking_gives_back(ledger: Ledger) -> None:
    claim = settled(ledger, space(60))
    settled(ledger, space(30))
    with pytest.raises(NoSpaceError, match="cannot grow by 11 bytes: pool small has 10 free"):
        ledger.claims.resize(claim.id, 71)
    assert ledger.claims.get(claim.id) == claim
    assert ledger.claims.resize(claim.id, 70).size == 70
    assert ledger.pools.get("small").free == 0
    assert ledger.claims.resize(claim.id, 20, room=25).room == 25
    assert ledger.pools.get("small").free == 45


def test_growing_never_counts_what_is_written_twice(ledger: Ledger) -> None:
    claim = settled(ledger, space(90))  # whether or not all of it was written
    assert ledger.claims.resize(claim.id, 100).size == 100


def test_what_is_released_keeps_its_room_until_it_is_forgotten_and_its_name_is_free(ledger: Ledger) -> None:
    claim = settled(ledger, space(60, name="data"))
    going = ledger.claims.begin_release(claim.id)
    assert (going.state, going.mine) == (ClaimState.RELEASING, True)
    assert ledger.pools.get("small").free == 40
    assert ledger.claims.find(ClaimKind.SPACE, "", "data") is None
    again = settled(ledger, space(61, name="data"))
    assert again.id != claim.id
    with pytest.raises(RefusedError, match="was released"):
        ledger.claims.resize(claim.id, 70)
    with pytest.raises(RefusedError, match="was released, and is releasing"):
        ledger.claims.settle(claim.id)
    ledger.claims.forget(claim.id)
    ledger.claims.forget(claim.id)
    assert ledger.pools.get("small").free == 100
    with pytest.raises(NotFoundError, match=claim.id):
        ledger.claims.begin_release(claim.id)


def test_a_claim_in_its_grace_time_is_due_when_that_is_over(ledger: Ledger) -> None:
    claim = settled(ledger, space(60, name="data"))
    other = settled(ledger, space(30))
    kept = ledger.claims.release_later(claim.id, 100.0)
    assert (kept.state, kept.due) == (ClaimState.RELEASED, 100.0)
    assert ledger.claims.release_later(claim.id, 500.0).due == 100.0, "asking again prolongs nothing"
    ledger.claims.release_later(other.id, 50.0)
    assert ledger.claims.due(49.9) == []
    assert [claim.id for claim in ledger.claims.due(100.0)] == [other.id, claim.id]
    assert ledger.claims.stale() == []
    pending = ledger.claims.reserve(space(1))
    with pytest.raises(RefusedError, match="is pending"):
        ledger.claims.release_later(pending.id, 1.0)


def test_claims_are_listed_by_what_they_are(ledger: Ledger) -> None:
    first = settled(ledger, space(60, owner="a"))
    second = settled(ledger, space(60, owner="b"))
    assert {claim.id for claim in ledger.claims.all()} == {first.id, second.id}
    assert ledger.claims.all(owner="a") == [first]
    assert ledger.claims.all(ClaimKind.SPACE, pool="large") == [second]
    assert ledger.claims.all(ClaimKind.NAMESPACE) == []


@pytest.mark.parametrize("same", [True, False], ids=["same process", "another"])
def test_what_its_maker_left_is_stale_and_whoever_asks_again_makes_it(
    ledger: Ledger, tmp_path: Path, *, same: bool
) -> None:
    with Ledger(tmp_path / "node", patience=0) as another:
        other = ledger if same else another
        claim = ledger.claims.reserve(space(60, name="data"))
        assert other.claims.stale() == []
        ledger.claims.leave(claim.id)
        assert [left.id for left in other.claims.stale()] == [claim.id]
        again = other.claims.reserve(space(60, name="data"))
        assert (again.id, again.mine) == (claim.id, True)
        assert other.claims.stale() == ledger.claims.stale() == []
        other.claims.settle(claim.id)
        assert other.claims.stale() == []


def test_what_a_ledger_that_was_closed_was_at_work_on_is_stale(ledger: Ledger, tmp_path: Path) -> None:
    with Ledger(tmp_path / "node") as other:
        making = other.claims.reserve(space(10))
        resizing = settled(other, space(10))
        other.claims.take(resizing.id)
        removing = settled(other, space(10))
        other.claims.begin_release(removing.id)
        assert ledger.claims.stale() == []
    left = {claim.id: claim.state for claim in ledger.claims.stale()}
    assert left == {
        making.id: ClaimState.PENDING,
        resizing.id: ClaimState.READY,
        removing.id: ClaimState.RELEASING,
    }
    for claim in left:
        with ledger.claims.at_work(claim) as taken:
            assert taken.mine
    assert {claim.id for claim in ledger.claims.stale()} == {making.id, removing.id}


def test_whoever_asks_for_a_name_that_is_being_made_waits_and_gets_it(tmp_path: Path, ledger: Ledger) -> None:
    claim = ledger.claims.reserve(space(60, name="data"))
    with Ledger(tmp_path / "node", patience=120) as other, ThreadPoolExecutor(2) as threads:
        waiting = [threads.submit(each.claims.reserve, space(60, name="data")) for each in (ledger, other)]
        ledger.claims.settle(claim.id)
        got: list[Claim] = [future.result(120) for future in waiting]
    assert [(each.id, each.mine) for each in got] == [(claim.id, False)] * 2


def test_whoever_waits_for_longer_than_its_patience_is_told(ledger: Ledger, tmp_path: Path) -> None:
    claim = ledger.claims.reserve(space(60, name="data"))
    with Ledger(tmp_path / "node", patience=0) as other:
        with pytest.raises(ZosError, match=r"at work on space 'data' for 0 s"):
            other.claims.reserve(space(60, name="data"))
        for act in (other.claims.take, other.claims.begin_release):
            with pytest.raises(ZosError, match=f"at work on {claim.id}"):
                act(claim.id)
    assert ledger.claims.get(claim.id) == attrs.evolve(claim, mine=False)


def test_one_works_on_a_claim_at_a_time_also_among_threads(ledger: Ledger) -> None:
    claim = settled(ledger, space(1))
    sizes: list[int] = []

    def grow(_: int) -> None:
        with ledger.claims.at_work(claim.id) as taken:
            sizes.append(taken.size)
            ledger.claims.resize(claim.id, taken.size + 1)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(grow, range(20)))
    assert sizes == list(range(1, 21))


def test_what_can_be_neither_made_nor_undone_is_given_up_for_who_reconciles(
    ledger: Ledger, tmp_path: Path
) -> None:
    claim = ledger.claims.reserve(space(60, name="data"))
    ledger.claims.abandon(claim.id)
    with Ledger(tmp_path / "node", patience=0) as another:
        for each in (ledger, another):
            left = [(claim.id, claim.state) for claim in each.claims.stale()]
            assert left == [(claim.id, ClaimState.RELEASING)]
        with another.claims.at_work(claim.id) as taken:
            assert taken.mine
    assert settled(ledger, space(60, name="data")).id != claim.id
    other = settled(ledger, space(1))
    ledger.claims.abandon(other.id)
    assert ledger.claims.get(other.id) == other, "of nobody's who is at work on it"


def test_a_refusal_leaves_nobody_at_work(ledger: Ledger) -> None:
    settled(ledger, space(60, name="data"))
    with pytest.raises(RefusedError):
        ledger.claims.reserve(space(61, name="data"))
    with pytest.raises(NoSpaceError):
        ledger.claims.reserve(space(5000))
    with pytest.raises(NotFoundError):
        ledger.claims.settle("space-0")
    assert ledger.claims.stale() == []
    assert len(ledger.claims.all()) == 1

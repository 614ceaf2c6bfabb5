from __future__ import annotations

import pytest
from zos_claims import namespace, space

from statehold_zos.ledger import ClaimKind, ClaimState, Ledger, Sealed
from statehold_zos.model import DiskType, Mode, NoSpaceError, NotFoundError, RefusedError


@pytest.fixture(autouse=True)
def pools(ledger: Ledger) -> None:
    ledger.pools.put("a", type=DiskType.HDD, size=100)
    ledger.pools.put("b", type=DiskType.HDD, size=200)


def test_namespaces_share_the_server_of_their_pool_and_a_full_one_makes_the_next(ledger: Ledger) -> None:
    first = ledger.namespaces.reserve(namespace(40, name="x"), overhead=10)
    assert (first.pool, first.state, first.mine) == ("a", ClaimState.PENDING, True)
    server = ledger.claims.get(first.server)
    assert (server.kind, server.pool, server.room, server.state) == (
        ClaimKind.SERVER,
        "a",
        10,
        ClaimState.PENDING,
    )
    assert ledger.pools.get("a").server == server.id
    second = ledger.namespaces.reserve(namespace(50), overhead=10)
    assert second.server == server.id
    assert ledger.pools.get("a").free == 0
    assert ledger.namespaces.room(server.id) == 100
    third = ledger.namespaces.reserve(namespace(1), overhead=10)
    assert (third.pool, third.server == server.id) == ("b", False)
    assert {claim.id for claim in ledger.claims.all(server=server.id)} == {first.id, second.id}
    with pytest.raises(NoSpaceError, match=r"190 bytes free beside a server, or 200 .* most has 189"):
        ledger.namespaces.reserve(namespace(190), overhead=10)


def test_no_server_is_started_where_its_namespace_would_not_fit_beside_it(ledger: Ledger) -> None:
    with pytest.raises(NoSpaceError):
        ledger.namespaces.reserve(namespace(195), overhead=10)
    assert ledger.claims.all() == []
    ledger.namespaces.reserve(namespace(190), overhead=10)


def test_the_room_of_a_namespace_may_be_more_than_its_size(ledger: Ledger) -> None:
    made = ledger.namespaces.reserve(namespace(40, room=45), overhead=10)
    assert (made.size, made.room, ledger.pools.get("a").reserved) == (40, 45, 55)
    grown = ledger.claims.resize(made.id, 70, room=80)
    assert (grown.size, ledger.namespaces.room(made.server)) == (70, 90)


def test_the_same_name_again_is_the_same_namespace_and_for_another_mode_it_is_refused(ledger: Ledger) -> None:
    made = ledger.claims.settle(ledger.namespaces.reserve(namespace(40, name="x"), overhead=10).id)
    assert ledger.namespaces.reserve(namespace(40, name="x"), overhead=10) == made
    with pytest.raises(RefusedError, match="of mode user, not seq"):
        ledger.namespaces.reserve(namespace(40, name="x", mode=Mode.SEQ), overhead=10)


def test_a_server_goes_only_after_its_last_namespace_and_takes_none_from_then_on(ledger: Ledger) -> None:
    made = ledger.namespaces.reserve(namespace(40), overhead=10)
    ledger.claims.settle(made.server)
    for remove in (ledger.claims.begin_release, ledger.claims.forget):
        with pytest.raises(RefusedError, match="has 1 namespaces"):
            remove(made.server)
    ledger.claims.forget(made.id)
    ledger.claims.begin_release(made.server)
    assert ledger.pools.get("a").server == ""
    other = ledger.namespaces.reserve(namespace(40), overhead=10)
    assert other.server != made.server
    ledger.claims.forget(made.server)
    assert ledger.pools.get(other.pool).server == other.server


def test_what_is_sealed_goes_with_its_claim(ledger: Ledger) -> None:
    made = ledger.namespaces.reserve(namespace(40), overhead=10)
    assert ledger.namespaces.sealed(made.id) == Sealed()
    ledger.namespaces.seal(made.id, Sealed(secret=b"sealed", frozen=True, port=9900))
    assert ledger.namespaces.sealed(made.id) == Sealed(secret=b"sealed", frozen=True, port=9900)
    ledger.claims.forget(made.id)
    assert ledger.namespaces.sealed(made.id) == Sealed()
    with pytest.raises(NotFoundError):
        ledger.namespaces.seal(made.id, Sealed())


def test_a_space_and_a_namespace_may_have_the_same_name(ledger: Ledger) -> None:
    ledger.namespaces.reserve(namespace(40, name="x"), overhead=10)
    assert ledger.claims.reserve(space(40, name="x", type=DiskType.HDD)).mine
    with pytest.raises(NotFoundError):
        ledger.namespaces.room("server-0")
    with pytest.raises(ValueError, match="above 0"):
        ledger.namespaces.reserve(namespace(0), overhead=10)

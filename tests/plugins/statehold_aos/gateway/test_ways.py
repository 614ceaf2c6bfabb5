"""What every way to the cloud has to do."""

from __future__ import annotations

import os
import random
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "state"))

from hearing import Hearing, wait_until
from lossy import open_states
from ways import SYSTEM, Way, certificates, way

from statehold_aos._state._batch import Change
from statehold_aos._state._states import States
from statehold_aos.database import Database
from statehold_aos.gateway import (
    ClaimId,
    Gateway,
    GatewayError,
    NewState,
    StateAcceptance,
    StateRequest,
    StateStatus,
    UpdateState,
    checksum_of,
)

__all__ = ["certificates", "way"]

ANN = ClaimId(1, "nav", '["ann"]')
BOB = ClaimId(7, "radio \u00e9\"'", "bob")


def new(state: bytes, claim: ClaimId = ANN, *, correlation: str = "c", sequence: int = 1) -> NewState:
    return NewState(
        claim=claim, correlation=correlation, checksum=checksum_of(state), state=state, sequence=sequence
    )


@pytest.fixture
def unit() -> Hearing:
    return Hearing()


@pytest.fixture
def gateway(way: Way, unit: Hearing) -> Iterator[Gateway]:
    made = way.gateway()
    made.connect(unit)
    unit.wait_connected()
    yield made
    made.close()


def test_what_is_sent_before_there_is_a_connection_is_dropped(way: Way, unit: Hearing) -> None:
    made = way.gateway()
    assert isinstance(made, Gateway)
    made.send(new(b"dropped"))
    made.connect(unit)
    unit.wait_connected()
    made.send(new(b"kept", correlation="d", sequence=2))
    unit.wait_for(unit.messages)
    made.close()
    assert way.hub.cloud(SYSTEM).state(ANN) == b"kept"
    assert [one.correlation for one in unit.messages()] == ["d"]


def test_a_new_state_is_answered_and_comes_back_when_it_is_requested(gateway: Gateway, unit: Hearing) -> None:
    gateway.send(new(b"a"))
    yes = unit.wait_for(unit.messages)[0]
    assert isinstance(yes, StateAcceptance)
    assert (yes.claim, yes.correlation, yes.checksum, yes.accepted) == (ANN, "c", checksum_of(b"a"), True)
    gateway.send(StateRequest(claim=ANN, correlation="r"))
    update = unit.wait_for(lambda: unit.messages()[1:])[0]
    assert update == UpdateState(
        claim=ANN,
        checksum=checksum_of(b"a"),
        state=b"a",
        correlation="r",
        stamp=yes.stamp,
        changed=update.changed,
    )


def test_a_rejected_state_is_answered_with_the_reason(way: Way, gateway: Gateway, unit: Hearing) -> None:
    way.hub.judge(lambda message: f"not {message.state.decode()}")
    way.hub.cloud(SYSTEM).judge(lambda message: f"not {message.state.decode()}")
    gateway.send(new(b"a"))
    no = unit.wait_for(unit.messages)[0]
    assert (no.accepted, no.reason, no.conflict) == (False, "not a", False)


def test_a_state_of_the_cloud_reaches_the_unit(way: Way, gateway: Gateway, unit: Hearing) -> None:
    gateway.send(new(b"a"))  # so that the cloud knows who is there
    unit.wait_for(unit.messages)
    way.push(ANN, b"pushed")
    update = unit.wait_for(lambda: [one for one in unit.messages() if isinstance(one, UpdateState)])[0]
    assert (update.claim, update.state, update.correlation) == (ANN, b"pushed", "")


def test_the_states_that_a_unit_says_it_has_bring_those_that_it_lacks(
    way: Way, gateway: Gateway, unit: Hearing
) -> None:
    way.hub.cloud(SYSTEM).push(ANN, b"newer")
    gateway.send(StateStatus(states=((ANN, checksum_of(b"older")), (BOB, None))))
    update = unit.wait_for(unit.messages)[0]
    assert (update.claim, update.state) == (ANN, b"newer")
    gateway.send(StateStatus(states=((ANN, update.checksum),)))
    wait_until(lambda: not way.hub.cloud(SYSTEM).unconfirmed())


@pytest.mark.parametrize(
    "state", [b"", b"\xff\xfe\0", "\u00e9\0\u2028\U0001f600".encode(), bytes(range(256))]
)
def test_whatever_a_state_is_it_comes_through_both_ways(
    state: bytes, way: Way, gateway: Gateway, unit: Hearing
) -> None:
    gateway.send(new(state, BOB))
    unit.wait_for(unit.messages)
    assert way.hub.cloud(SYSTEM).state(BOB) == state
    gateway.send(StateRequest(claim=BOB, correlation="r"))
    update = unit.wait_for(lambda: unit.messages()[1:])[0]
    assert (update.claim, update.state) == (BOB, state)


def test_a_large_state_comes_through_both_ways(way: Way, gateway: Gateway, unit: Hearing) -> None:
    state = os.urandom(5 * 2**20)
    gateway.send(new(state))
    unit.wait_for(unit.messages)
    assert way.hub.cloud(SYSTEM).state(ANN) == state
    gateway.send(StateRequest(claim=ANN, correlation="r"))
    assert unit.wait_for(lambda: unit.messages()[1:])[0].state == state


def test_what_comes_twice_counts_once(way: Way, gateway: Gateway, unit: Hearing) -> None:
    counted: list[bytes] = []
    way.hub.cloud(SYSTEM).judge(lambda message: counted.append(message.state) or "")
    for number, state in enumerate([b"a", b"a", b"b"], 1):
        gateway.send(new(state, correlation=state.decode(), sequence=number if state == b"b" else 1))
    unit.wait_for(lambda: any(one.correlation == "b" for one in unit.messages()))
    assert way.hub.cloud(SYSTEM).state(ANN) == b"b"
    assert counted[-1] == b"b"
    assert counted.count(b"a") <= 1


def test_messages_of_many_claims_and_threads_are_all_answered(
    way: Way, gateway: Gateway, unit: Hearing
) -> None:
    claims = [ClaimId(1, f"s{n}", f"u{n}") for n in range(200)]

    def send(some: list[ClaimId]) -> None:
        for claim in some:
            gateway.send(new(claim.users.encode(), claim, correlation=claim.users))

    threads = [threading.Thread(target=send, args=(claims[at::4],)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    unit.wait_for(lambda: len(unit.messages()) >= len(claims))
    assert {one.correlation for one in unit.messages()} == {claim.users for claim in claims}
    assert {way.hub.cloud(SYSTEM).state(claim) for claim in claims} == {one.users.encode() for one in claims}


def test_the_last_of_many_states_of_a_claim_stands(way: Way, gateway: Gateway, unit: Hearing) -> None:
    for number in range(1, 101):
        gateway.send(new(b"%d" % number, correlation=str(number), sequence=number))
    unit.wait_for(lambda: any(one.correlation == "100" for one in unit.messages()))
    assert way.hub.cloud(SYSTEM).state(ANN) == b"100"


def test_nothing_is_heard_of_a_gateway_that_was_closed(way: Way, gateway: Gateway, unit: Hearing) -> None:
    gateway.send(new(b"a"))
    unit.wait_for(unit.messages)
    gateway.close()
    gateway.close()
    before = list(unit.heard)
    gateway.send(new(b"b", correlation="d", sequence=2))
    way.push(ANN, b"pushed")
    assert unit.heard == before
    assert way.hub.cloud(SYSTEM).state(ANN) == b"pushed"


def test_a_gateway_can_be_closed_that_was_never_connected(way: Way) -> None:
    made = way.gateway()
    made.close()
    made.close()


def test_a_message_that_is_too_large_is_refused_where_there_is_a_largest(way: Way, unit: Hearing) -> None:
    made = way.gateway(largest=10_000)
    made.connect(unit)
    unit.wait_connected()
    if way.cut is None:
        made.send(new(b"a" * 20_000))
    else:
        with pytest.raises(GatewayError, match="10,000 are allowed"):
            made.send(new(b"a" * 20_000))
        made.send(new(b"a" * 5_000, sequence=2))
    unit.wait_for(unit.messages)
    made.close()


def networked(way: Way) -> None:
    if way.cut is None:
        pytest.skip("within the process there is no connection that could break")


def test_a_connection_that_breaks_is_told_and_made_again(way: Way, gateway: Gateway, unit: Hearing) -> None:
    networked(way)
    gateway.send(new(b"a"))
    unit.wait_for(unit.messages)
    for times in range(1, 4):
        assert way.cut is not None
        wait_until(way.cut)
        unit.wait_for(lambda times=times: unit.count("disconnected") >= times)
        unit.wait_connected(times + 1)
        told = [one for one in unit.heard if isinstance(one, str)]
        assert told == (["connected", "disconnected"] * len(told))[: len(told)]
    gateway.send(new(b"b", correlation="d", sequence=2))
    unit.wait_for(lambda: any(one.correlation == "d" for one in unit.messages()))


def test_a_cloud_that_ends_is_found_again_when_it_is_back(way: Way, gateway: Gateway, unit: Hearing) -> None:
    networked(way)
    assert way.stop is not None
    assert way.start is not None
    way.stop()
    unit.wait_for(lambda: unit.count("disconnected") >= 1)
    gateway.send(new(b"dropped"))
    way.start()
    unit.wait_connected(2)
    gateway.send(new(b"b", correlation="d", sequence=2))
    unit.wait_for(lambda: any(one.correlation == "d" for one in unit.messages()))
    assert way.hub.cloud(SYSTEM).state(ANN) == b"b"


def test_a_connection_is_lost_in_the_midst_of_messages_and_sending_goes_on(
    way: Way, gateway: Gateway, unit: Hearing
) -> None:
    networked(way)
    assert way.cut is not None
    number = 0
    for _ in range(5):
        for _ in range(40):
            number += 1
            gateway.send(new(os.urandom(10_000), correlation=str(number), sequence=number))
        way.cut()
    last = new(b"last", correlation="last", sequence=number + 1)

    def answered() -> bool:
        gateway.send(last)  # as States do, until there is an answer
        return any(one.correlation == "last" for one in unit.messages())

    wait_until(answered)
    assert way.hub.cloud(SYSTEM).state(ANN) == b"last"


# -- With states ---------------------------------------------------------------------------------------------


@attrs.define
class Host:
    """States that are looked after, over the way of the test."""

    states: States
    folder: Path

    def path(self, claim: ClaimId) -> Path:
        return self.folder / claim.service / claim.users / "state.dat"

    def facts(self, claim: ClaimId) -> Any:
        found = self.states.look(claim)
        assert found is not None
        return found[0]


@pytest.fixture
def host(way: Way, tmp_path: Path) -> Iterator[Host]:
    with Database.open(tmp_path / "aos.db") as database:
        states = open_states(database, tmp_path / "folders")
        stop = threading.Event()
        thread = threading.Thread(target=states.run, args=(stop,))
        thread.start()
        try:
            states.connect(way.gateway())
            yield Host(states, tmp_path / "folders")
        finally:
            stop.set()
            states.wake()
            thread.join()
            states.close()


def test_the_three_diagrams(way: Way, host: Host) -> None:
    """Accepted, rejected, and updated from the cloud; file, database and cloud agree each time."""
    claim = ClaimId(1, "nav", "ann")
    cloud = way.hub.cloud(SYSTEM)
    cloud.judge(lambda new: "too far" if new.state == b"zoom=9" else "")

    def settled(state: bytes) -> bool:
        facts = host.facts(claim)
        return (
            facts.pending is None
            and facts.accepted == checksum_of(state)
            and host.path(claim).read_bytes() == state
            and cloud.state(claim) == state
        )

    host.states.change({claim: Change(state=b"zoom=1")})
    wait_until(lambda: settled(b"zoom=1"))
    host.path(claim).write_bytes(b"zoom=2")
    wait_until(lambda: settled(b"zoom=2"))
    host.path(claim).write_bytes(b"zoom=9")
    wait_until(lambda: any(kept.kind == "rejected" for kept in host.states.kept(claim)))
    wait_until(lambda: settled(b"zoom=2"))
    way.push(claim, b"zoom=5")
    wait_until(lambda: settled(b"zoom=5"))


def test_what_changes_while_the_cloud_is_away_comes_to_it_later(way: Way, host: Host) -> None:
    networked(way)
    assert way.stop is not None
    assert way.start is not None
    claims = [ClaimId(1, "nav", f"u{n}") for n in range(20)]
    host.states.change({claim: Change(state=b"first") for claim in claims})
    cloud = way.hub.cloud(SYSTEM)
    wait_until(lambda: all(cloud.state(claim) == b"first" for claim in claims))
    way.stop()
    dice = random.Random(3)
    for claim in dice.sample(claims, len(claims)):
        host.path(claim).write_bytes(f"{claim.users} offline".encode())
    cloud.push(claims[0], b"pushed while it was away")
    way.start()
    wait_until(lambda: all(cloud.state(claim) == f"{claim.users} offline".encode() for claim in claims[1:]))
    wait_until(lambda: host.path(claims[0]).read_bytes() == cloud.state(claims[0]))
    wait_until(lambda: all(host.facts(claim).pending is None for claim in claims))

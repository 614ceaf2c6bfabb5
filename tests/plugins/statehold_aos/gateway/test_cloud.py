from __future__ import annotations

import pytest
from msgspec.structs import replace

from statehold_aos.gateway import (
    ClaimId,
    Cloud,
    Gateway,
    GatewayError,
    InProcess,
    NewState,
    StateAcceptance,
    StateRequest,
    StateStatus,
    UpdateState,
    checksum_of,
    state_of,
    text_of,
)

CLAIM = ClaimId(1, "nav", '["ann"]')


def new(state: bytes, *, correlation: str = "c", sequence: int = 1, base: int = 0) -> NewState:
    return NewState(
        claim=CLAIM,
        correlation=correlation,
        checksum=checksum_of(state),
        state=state,
        sequence=sequence,
        base=base,
    )


def answer(cloud: Cloud, message: NewState) -> StateAcceptance:
    (one,) = cloud.received(message)
    assert isinstance(one, StateAcceptance)
    return one


def test_a_new_state_is_accepted_and_comes_back_when_it_is_requested() -> None:
    cloud = Cloud()
    yes = answer(cloud, new(b"a"))
    assert (yes.accepted, yes.correlation, yes.checksum) == (True, "c", checksum_of(b"a"))
    (update,) = cloud.received(StateRequest(claim=CLAIM, correlation="r"))
    assert isinstance(update, UpdateState)
    assert (update.state, update.correlation, update.stamp) == (b"a", "r", yes.stamp)


def test_the_judge_rejects_with_a_reason_and_nothing_changes() -> None:
    cloud = Cloud()
    answer(cloud, new(b"a"))
    cloud.judge(lambda message: f"not {message.state.decode()}")
    no = answer(cloud, new(b"b", correlation="d", sequence=2))
    assert (no.accepted, no.reason, no.conflict) == (False, "not b", False)
    assert cloud.state(CLAIM) == b"a"


def test_what_comes_twice_is_answered_alike_and_what_comes_late_undoes_nothing() -> None:
    cloud = Cloud()
    first = new(b"a")
    assert answer(cloud, first) == answer(cloud, first)
    late = new(b"b", correlation="d", sequence=2)
    answer(cloud, new(b"c", correlation="e", sequence=3))
    assert cloud.received(late) == []
    assert cloud.state(CLAIM) == b"c"


def test_a_state_that_does_not_know_of_a_push_is_a_conflict() -> None:
    cloud = Cloud()
    push = cloud.push(CLAIM, b"u")
    no = answer(cloud, new(b"a", base=push.stamp - 1))
    assert (no.accepted, no.conflict) == (False, True)
    assert answer(cloud, new(b"a", correlation="d", sequence=2, base=push.stamp)).accepted
    assert cloud.state(CLAIM) == b"a"


def test_a_push_is_sent_again_until_the_unit_has_it() -> None:
    cloud = Cloud()
    push = cloud.push(CLAIM, b"u")
    assert cloud.unconfirmed() == [push]
    assert cloud.received(StateStatus(states=((CLAIM, None),))) == [push]
    assert cloud.received(StateStatus(states=((CLAIM, push.checksum),))) == []
    assert cloud.unconfirmed() == []


def test_a_wrong_checksum_is_rejected() -> None:
    torn = replace(new(b"a"), state=b"b")
    assert not answer(Cloud(), torn).accepted


def test_a_claim_without_a_state_gets_the_default_or_no_answer() -> None:
    request = StateRequest(claim=CLAIM, correlation="r")
    assert Cloud().received(request) == []
    cloud = Cloud(default=b"d")
    (update,) = cloud.received(request)
    assert isinstance(update, UpdateState)
    assert update.state == b"d"
    answer(cloud, new(b"a"))
    (again,) = cloud.received(replace(request, default=True))
    assert isinstance(again, UpdateState)
    assert again.state == b"d"


@pytest.mark.parametrize("state", [b"", b"text", "é\0".encode(), b"\xff\xfe", bytes(range(256))])
def test_a_state_goes_through_json_whatever_it_is(state: bytes) -> None:
    assert state_of(*text_of(state)) == state


def test_text_stays_as_in_aos_and_what_is_none_says_so() -> None:
    assert text_of(b"text") == ("text", "")
    assert text_of(b"\xff") == ("/w==", "base64")
    for text, encoding in (("*", "base64"), ("a", "rot13"), ("\ud800", "")):
        with pytest.raises(GatewayError):
            state_of(text, encoding)


class Recorder:
    def __init__(self) -> None:
        self.heard: list[object] = []

    def connected(self) -> None:
        self.heard.append("connected")

    def disconnected(self) -> None:
        self.heard.append("disconnected")

    def received(self, message: object) -> None:
        self.heard.append(message)


def test_within_the_process_everything_arrives_until_it_is_closed() -> None:
    gateway, unit = InProcess(Cloud()), Recorder()
    assert isinstance(gateway, Gateway)
    gateway.send(new(b"dropped, for nobody is connected"))
    gateway.connect(unit)
    gateway.send(new(b"a"))
    gateway.push(CLAIM, b"u")
    gateway.close()
    gateway.close()
    gateway.send(new(b"b", correlation="d", sequence=2))
    gateway.push(CLAIM, b"v")
    kinds = [one if isinstance(one, str) else type(one) for one in unit.heard]
    assert kinds == ["connected", StateAcceptance, UpdateState]

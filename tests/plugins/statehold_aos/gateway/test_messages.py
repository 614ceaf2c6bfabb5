"""The messages in JSON: the names of AOS, nothing lost on the way, and bad ones told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from statehold_aos.gateway import (
    Ack,
    ClaimId,
    Frame,
    GatewayError,
    MessageError,
    Nack,
    NewState,
    Protocol2,
    Protocol7,
    StateAcceptance,
    StateRequest,
    StateStatus,
    UpdateState,
    checksum_of,
    new_number,
)

CLAIM = ClaimId(1, "nav", '["ann"]')
SUM = checksum_of(b"zoom=3")
NEW = NewState(claim=CLAIM, correlation="c", checksum=SUM, state=b"zoom=3")
EACH = [
    NEW,
    replace(NEW, state=b"\xff\0", checksum=checksum_of(b"\xff\0"), sequence=7, base=2**63 - 1),
    StateRequest(claim=CLAIM, correlation="r"),
    StateRequest(claim=CLAIM._replace(workspace=0), correlation="r", default=True),
    StateAcceptance(claim=CLAIM, correlation="c", checksum=SUM, accepted=True, stamp=5),
    StateAcceptance(
        claim=CLAIM, correlation="c", checksum=SUM, accepted=False, reason="too far", conflict=True
    ),
    UpdateState(claim=CLAIM, checksum=SUM, state=b"zoom=3"),
    UpdateState(
        claim=CLAIM._replace(workspace=9),
        checksum=SUM,
        state=b"zoom=3",
        correlation="r",
        stamp=1,
        changed=0,
    ),
    StateStatus(states=((CLAIM, SUM), (ClaimId(2, "radio", "bob"), None))),
    StateStatus(states=()),
]
SEVEN = Protocol7(system="s1")
TWO = Protocol2(system="s1")


def names(body: bytes) -> Any:
    return json.loads(body)


@pytest.mark.parametrize("message", EACH, ids=lambda one: type(one).__name__)
def test_each_message_comes_through_both_protocols_unchanged(message: Any) -> None:
    assert SEVEN.decode(SEVEN.encode(message, "t")) == Frame(system="s1", number="t", content=message)
    assert TWO.decode(*TWO.encode(message)) == message


@given(
    state=st.binary(max_size=64) | st.text(max_size=64).map(str.encode),
    service=st.text(min_size=1, max_size=8),
    users=st.text(min_size=1, max_size=8),
    workspace=st.integers(0, 2**63 - 1),
    number=st.integers(0, 2**63 - 1),
)
def test_whatever_a_message_has_comes_through_both_protocols(
    state: bytes, service: str, users: str, workspace: int, number: int
) -> None:
    message = NewState(
        claim=ClaimId(workspace, service, users),
        correlation=service,
        checksum=checksum_of(state),
        state=state,
        sequence=number,
        base=number,
    )
    assert SEVEN.decode(SEVEN.encode(message, users)).content == message
    assert TWO.decode(*TWO.encode(message)) == message


@pytest.mark.parametrize("system", ["0000", "unit-10000-0000", '"0000"', ""])
def test_an_acknowledgement_names_its_unit_whatever_that_is_called(system: str) -> None:
    seven = Protocol7(system=system)
    assert seven.decode(seven.encode(Ack(), "0000")) == Frame(system=system, number="0000", content=Ack())


def test_a_new_state_of_protocol_7_has_the_names_of_aos() -> None:
    said = names(SEVEN.encode(NEW, "a-number"))
    assert said["header"].pop("createdAt").endswith("Z")
    assert said == {
        "header": {"version": 7, "systemId": "s1", "txn": "a-number"},
        "data": {
            "messageType": "newState",
            "correlationId": "c",
            "item": {"id": "nav"},
            "subject": {"id": '["ann"]'},
            "instance": 0,
            "stateChecksum": SUM.hex(),
            "state": "zoom=3",
        },
    }


def test_other_messages_of_protocol_7_have_the_names_of_aos() -> None:
    def data(content: Any) -> Any:
        return names(SEVEN.encode(content, "t"))["data"]

    whose = {"item": {"id": "nav"}, "subject": {"id": '["ann"]'}, "instance": 0}
    assert data(StateRequest(claim=CLAIM, correlation="")) == {
        **whose,
        "messageType": "stateRequest",
        "default": False,
    }
    assert data(replace(EACH[4], stamp=0)) == {
        **whose,
        "messageType": "stateAcceptance",
        "correlationId": "c",
        "checksum": SUM.hex(),
        "result": "accepted",
        "reason": "",
    }
    assert data(EACH[6]) == {
        **whose,
        "messageType": "updateState",
        "stateChecksum": SUM.hex(),
        "state": "zoom=3",
    }
    assert data(StateStatus(states=((CLAIM, SUM),))) == {
        "messageType": "unitStatus",
        "isDeltaInfo": True,
        "instances": [
            {
                "item": {"id": "nav"},
                "subject": {"id": '["ann"]'},
                "instances": [{"instance": 0, "stateChecksum": SUM.hex()}],
            }
        ],
    }
    assert data(Ack()) == {"messageType": "ack"}
    assert data(Nack(250)) == {"messageType": "nack", "retryAfter": 250}
    for answer in (Ack(), Nack(250)):
        assert SEVEN.decode(SEVEN.encode(answer, "t")).content == answer


def test_messages_of_protocol_2_have_the_names_of_aos_and_a_correlation_id_beside_them() -> None:
    body, correlation = TWO.encode(NEW)
    assert correlation == "c"
    assert names(body) == {
        "header": {"version": 2, "systemId": "s1", "messageType": "newState"},
        "data": {
            "serviceId": "nav",
            "users": '["ann"]',
            "stateChecksum": SUM.hex(),
            "state": "zoom=3",
        },
    }
    assert names(TWO.encode(replace(EACH[4], stamp=0))[0])["data"] == {
        "serviceId": "nav",
        "users": '["ann"]',
        "checksum": SUM.hex(),
        "result": "accepted",
        "reason": "",
    }
    assert names(TWO.encode(EACH[2])[0])["data"]["default"] is False
    assert names(TWO.encode(EACH[8])[0]) == {
        "header": {"version": 2, "systemId": "s1", "messageType": "unitStatus"},
        "data": {
            "services": [
                {"id": "nav", "users": '["ann"]', "stateChecksum": SUM.hex()},
                {"id": "radio", "users": "bob", "workspace": 2},
            ]
        },
    }


def test_a_message_of_aos_without_our_fields_is_read_and_unknown_fields_are_passed_over() -> None:
    seven = {
        "header": {"version": 7, "systemId": "s1", "createdAt": "...", "txn": "t", "more": 1},
        "data": {
            "messageType": "stateAcceptance",
            "item": {"id": "nav", "more": {}},
            "subject": {"id": '["ann"]'},
            "instance": 0,
            "checksum": SUM.hex().upper(),
            "result": "Accepted",
            "more": [1],
        },
    }
    accepted = StateAcceptance(claim=CLAIM, correlation="", checksum=SUM, accepted=True)
    assert SEVEN.decode(json.dumps(seven).encode()).content == accepted
    two = {
        "header": {"version": 2, "systemId": "s1", "messageType": "stateAcceptance"},
        "data": {"serviceId": "nav", "checksum": SUM.hex(), "result": "accepted", "more": 1},
    }
    of_ann = Protocol2(system="s1", users='["ann"]')
    assert of_ann.decode(json.dumps(two).encode(), "") == accepted
    with pytest.raises(MessageError, match="the claim of no users: 'nav' for ''"):
        TWO.decode(json.dumps(two).encode(), "")
    two["data"]["result"] = "whatever"
    rejected = of_ann.decode(json.dumps(two).encode(), "")
    assert isinstance(rejected, StateAcceptance)
    assert not rejected.accepted


def spoilt(**changes: Any) -> bytes:
    said = names(SEVEN.encode(NEW, "t"))
    for place, value in changes.items():
        part, field = place.split("__")
        said[part][field] = value
    return json.dumps(said).encode()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "truncated"),
        (b"\xff\xfe", "cannot be read"),
        (b"[]", "Expected `object`, got `array`"),
        (b"{}", "missing required field `header`"),
        (b"[" * 100_000, "cannot be read"),
        (b'{"header":{"version":7},"data":' + b"[" * 100_000, "cannot be read"),
        (spoilt(header__version=6), "has version 6, expected 7"),
        (spoilt(header__version="7"), r"Expected `int`, got `str` - at `\$.header.version`"),
        (spoilt(header__systemId="s2"), "for unit 's2', expected 's1'"),
        (spoilt(data__messageType="alert"), r"Invalid value 'alert' - at `\$.data.messageType`"),
        (spoilt(data__state=1), r"Expected `str`, got `int` - at `\$.data.state`"),
        (spoilt(data__stateChecksum="abc"), "has the stateChecksum 'abc', expected 56 hex"),
        (spoilt(data__stateChecksum="ab" * 32), "expected 56 hex"),
        (spoilt(data__stateEncoding="rot13"), "'rot13', expected none or 'base64'"),
        (spoilt(data__stateEncoding="base64"), "cannot be read"),
        (spoilt(data__instance=1), "means instance 1 of a service, expected 0"),
        (spoilt(data__item={"id": ""}), "claim of no service"),
        (spoilt(data__sequence=-1), "Expected `int` >= 0"),
        (spoilt(data__workspace=2**64), "Expected `int` <="),
    ],
)
def test_a_message_that_cannot_be_read_says_what_is_wrong_with_it(body: bytes, told: str) -> None:
    with pytest.raises(MessageError, match=told) as found:
        SEVEN.decode(body)
    assert len(str(found.value)) < 600
    assert isinstance(found.value, GatewayError)


def test_a_message_of_protocol_2_that_cannot_be_read_says_what_is_wrong_with_it() -> None:
    def body(kind: str = "newState", version: int = 2, system: str = "s1", **data: Any) -> bytes:
        header = {"version": version, "systemId": system, "messageType": kind}
        return json.dumps({"header": header, "data": {**names(TWO.encode(NEW)[0])["data"], **data}}).encode()

    for given_, told in (
        (b"{", "cannot be read"),
        (body("desiredStatus"), "is 'desiredStatus', expected one of newState"),
        (body(version=7), "has version 7, expected 2"),
        (body(system="s2"), "for unit 's2'"),
        (body(serviceId=""), "claim of no service"),
        (body(serviceId=5), r"newState, cannot be read: Expected `str`, got `int` - at `\$.serviceId`"),
        (body(stateChecksum="zz"), "expected 56 hex"),
    ):
        with pytest.raises(MessageError, match=told):
            TWO.decode(given_, "c")


def test_a_message_that_is_too_large_is_neither_written_nor_read() -> None:
    large = replace(NEW, state=b"a" * 2000, checksum=checksum_of(b"a" * 2000))
    for small in (Protocol7(largest=1000), Protocol2(largest=1000)):
        with pytest.raises(MessageError, match="bytes, 1,000 are allowed"):
            small.encode(large, "t") if isinstance(small, Protocol7) else small.encode(large)
    with pytest.raises(MessageError, match="1,000 are allowed"):
        Protocol7(largest=1000).decode(SEVEN.encode(large, "t"))
    with pytest.raises(MessageError, match="1,000 are allowed"):
        Protocol2(largest=1000).decode(*TWO.encode(large))


def test_what_cannot_be_used_can_still_be_answered() -> None:
    assert Protocol7.number_of(spoilt(data__messageType="alert")) == "t"
    assert Protocol7.number_of(b"{") == ""
    assert Protocol7.number_of(b"[" * 100_000) == ""
    assert new_number() != new_number()

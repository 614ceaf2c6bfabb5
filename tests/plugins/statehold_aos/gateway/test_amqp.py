"""AMQP, with a real RabbitMQ."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path

import attrs

sys.path.insert(0, str(Path(__file__).parent))

from amqp_sides import ANN, TERMS, Logged, Recorder, gateway, new, plain_cloud
from rabbit_server import RabbitServer, wait_for

from statehold.testing import open_storage
from statehold_aos import service_state
from statehold_aos._cloud._running import Running, Settings
from statehold_aos.gateway import (
    ClaimId,
    CloudHub,
    Gateway,
    Options,
    StateAcceptance,
    StateRequest,
    StateStatus,
    UpdateState,
    checksum_of,
)
from statehold_aos.gateway.amqp import AmqpCloud, AmqpGateway, AmqpTrouble

A = checksum_of(b"a")


def test_what_a_unit_sends_is_what_a_cloud_of_aos_reads(rabbit: RabbitServer) -> None:
    with plain_cloud(rabbit) as cloud, gateway(cloud.url()) as (unit, recorder):
        assert isinstance(unit, Gateway)
        recorder.wait_up()
        unit.send(new(b"a", correlation="c1"))
        beside, message = cloud.next()
        assert message["header"] == {"version": 2, "systemId": "u1", "messageType": "newState"}
        own = {"users": '["ann"]'}
        assert (
            message["data"]
            == {"serviceId": "nav", "stateChecksum": A.hex(), "state": "a", "sequence": 1} | own
        )
        assert (beside.correlation_id, beside.content_type, beside.delivery_mode) == (
            "c1",
            "application/json",
            2,
        )
        assert beside.user_id == "unit"

        unit.send(StateRequest(claim=ANN, correlation="c2"))
        beside, message = cloud.next()
        assert message["header"]["messageType"] == "stateRequest"
        assert message["data"] == {"serviceId": "nav", "default": False} | own
        assert beside.correlation_id == "c2"

        unit.send(StateStatus(states=((ANN, A), (ClaimId(1, "map", '["bob"]'), None))))
        beside, message = cloud.next()
        assert message["header"]["messageType"] == "unitStatus"
        assert message["data"] == {
            "services": [{"id": "nav", "stateChecksum": A.hex()} | own, {"id": "map", "users": '["bob"]'}]
        }
        assert not beside.correlation_id


def test_what_a_cloud_of_aos_sends_is_what_a_unit_reads(rabbit: RabbitServer) -> None:
    with plain_cloud(rabbit) as cloud:
        answer = {"serviceId": "nav", "checksum": A.hex(), "result": "Accepted", "reason": ""}
        cloud.send("stateAcceptance", answer, correlation="c1")
        cloud.send("stateAcceptance", answer | {"result": "rejected", "reason": "no"}, correlation="c2")
        cloud.send("updateState", {"serviceId": "nav", "stateChecksum": A.hex(), "state": "a"})
        with gateway(cloud.url(), users='["ann"]') as (_, recorder):
            said = recorder.wait(3)
        assert said == [
            StateAcceptance(claim=ANN, correlation="c1", checksum=A, accepted=True),
            StateAcceptance(claim=ANN, correlation="c2", checksum=A, accepted=False, reason="no"),
            UpdateState(claim=ANN, checksum=A, state=b"a"),
        ]
        assert cloud.count() == 0


def test_all_messages_go_through_our_own_cloud_and_back(rabbit: RabbitServer) -> None:
    name = uuid.uuid4().hex
    hub = CloudHub(judge=lambda message: "no" if message.state == b"bad" else "")
    cloud = AmqpCloud(hub, f"{rabbit.url()}?exchange={name}", units=["u1"], terms=TERMS)
    try:
        assert cloud.wait(60)
        url = f"{rabbit.url()}?exchange={name}&queue={name}.u1"
        with gateway(url) as (unit, recorder):
            recorder.wait_up()
            unit.send(new(b"a", correlation="1"))
            (yes,) = recorder.wait(1)
            assert isinstance(yes, StateAcceptance)
            assert (yes.accepted, yes.correlation, yes.claim) == (True, "1", ANN)
            unit.send(new(b"bad", correlation="2", sequence=2))
            no = recorder.wait(2)[1]
            assert isinstance(no, StateAcceptance)
            assert (no.accepted, no.reason, no.correlation) == (False, "no", "2")
            unit.send(StateRequest(claim=ANN, correlation="3"))
            asked = recorder.wait(3)[2]
            assert isinstance(asked, UpdateState)
            assert (asked.state, asked.correlation) == (b"a", "3")
            hub.push("u1", ANN, b"\xff")
            pushed = recorder.wait(4)[3]
            assert isinstance(pushed, UpdateState)
            assert (pushed.state, pushed.correlation) == (b"\xff", "")
            unit.send(StateStatus(states=((ANN, A),)))  # not the pushed one
            assert recorder.wait(5)[4] == pushed
            # One that is connected later has what was pushed before.
            cloud.add("u2")
            hub.push("u2", ANN, b"early")
            with gateway(f"{rabbit.url()}?exchange={name}&queue={name}.u2", system="u2") as (_, second):
                got = second.wait(1)[0]
                assert isinstance(got, UpdateState)
                assert got.state == b"early"
    finally:
        cloud.close()
        cloud.close()
    assert not hub.is_connected("u1")


def test_what_cannot_be_read_is_dropped_with_a_word_and_the_rest_arrives(rabbit: RabbitServer) -> None:
    logged = Logged()
    with plain_cloud(rabbit) as cloud, gateway(cloud.url(), logger=logged.logger) as (_, recorder):
        good = {"serviceId": "nav", "users": '["ann"]', "stateChecksum": A.hex(), "state": "a"}
        cloud.send("updateState", good, version=3)
        cloud.send("desiredStatus", {"services": ""})
        cloud.send("updateState", good | {"stateChecksum": "abc"})
        cloud.send("stateRequest", {"serviceId": "nav", "users": '["ann"]'})
        cloud.send("updateState", good, systemId="u2")
        cloud.channel.basic_publish("", cloud.queue, b"\xff{")
        cloud.send("updateState", good)
        assert recorder.wait(1) == [UpdateState(claim=ANN, checksum=A, state=b"a")]
        for part in (
            "version 3",
            "desiredStatus",
            "stateChecksum",
            "none for a unit",
            "'u2'",
            "cannot be read",
        ):
            assert logged.says("dropped", part), part
        wait_for(lambda: cloud.count() == 0)


def test_a_message_that_comes_twice_arrives_twice_and_a_state_counts_once(rabbit: RabbitServer) -> None:
    with plain_cloud(rabbit) as cloud, gateway(cloud.url()) as (_, recorder):
        for _ in range(2):
            cloud.send(
                "updateState", {"serviceId": "nav", "users": "[]", "stateChecksum": A.hex(), "state": "a"}
            )
        first, second = recorder.wait(2)
        assert first == second


def test_a_unit_that_has_no_room_gets_the_message_again(rabbit: RabbitServer) -> None:
    with plain_cloud(rabbit) as cloud, gateway(cloud.url()) as (_, recorder):
        recorder.room = False
        cloud.send("updateState", {"serviceId": "nav", "users": "[]", "stateChecksum": A.hex(), "state": "a"})
        wait_for(lambda: len(recorder.refused) >= 2)
        assert recorder.messages == []
        recorder.room = True
        assert recorder.wait(1)[0] == recorder.refused[0]
        wait_for(lambda: cloud.count() == 0)


def test_what_one_unit_did_not_take_before_its_end_the_next_one_gets(rabbit: RabbitServer) -> None:
    with plain_cloud(rabbit) as cloud:
        with gateway(cloud.url()) as (_, full):
            full.room = False
            cloud.send(
                "updateState", {"serviceId": "nav", "users": "[]", "stateChecksum": A.hex(), "state": "a"}
            )
            wait_for(lambda: full.refused)
        with gateway(cloud.url()) as (_, recorder):
            assert recorder.wait(1)[0] == full.refused[0]


def test_only_so_many_messages_are_handed_out_at_a_time(rabbit: RabbitServer) -> None:
    few = attrs.evolve(TERMS, prefetch=2)
    with plain_cloud(rabbit) as cloud, gateway(cloud.url(), few) as (_, recorder):
        recorder.room = False
        for n in range(5):
            data = {"serviceId": f"s{n}", "users": "[]", "stateChecksum": A.hex(), "state": "a"}
            cloud.send("updateState", data)
        wait_for(lambda: len(recorder.refused) >= 6)  # the same ones again and again
        recorder.room = True
        assert {one.claim.service for one in recorder.wait(5)} == {f"s{n}" for n in range(5)}


def test_close_waits_until_the_broker_has_what_was_sent_and_then_the_unit_hears_nothing(
    rabbit: RabbitServer,
) -> None:
    few = attrs.evolve(TERMS, window=4, parting=60)
    with plain_cloud(rabbit) as cloud, gateway(cloud.url(), few) as (unit, recorder):
        recorder.wait_up()
        for n in range(50):
            unit.send(new(b"a", claim=ClaimId(1, f"s{n}", "[]")))
        unit.close()
        unit.close()
        sent = {message["data"]["serviceId"] for message in cloud.rest()}
        assert sent == {f"s{n}" for n in range(50)}
        heard = list(recorder.links)
        cloud.send("updateState", {"serviceId": "nav", "users": "[]", "stateChecksum": A.hex(), "state": "a"})
        unit.send(new(b"b"))
        assert cloud.count() == 1
        assert (recorder.links, recorder.messages, cloud.rest()) == (heard, [], [])


def test_what_is_sent_before_there_is_a_connection_is_dropped() -> None:
    unit = AmqpGateway("amqp://127.0.0.1:9/", Options(system="u1", logger=Logged().logger))
    unit.send(new(b"a"))
    unit.close()
    unit.connect(Recorder())
    unit.close()


def test_where_nobody_listens_it_is_tried_again_and_ended_at_once() -> None:
    with gateway("amqp://127.0.0.1:9/") as (unit, recorder):
        trouble = wait_for(lambda: unit.trouble)
        assert trouble.trouble is AmqpTrouble.UNREACHABLE
        assert "127.0.0.1:9" in trouble.message
        assert recorder.links == []


def test_a_storage_that_names_a_broker_has_its_states_in_the_cloud(rabbit: RabbitServer) -> None:
    name, hub = uuid.uuid4().hex, CloudHub()
    cloud = AmqpCloud(hub, f"{rabbit.url()}?exchange={name}", units=["u1"], terms=TERMS)
    url = f"{rabbit.url()}?exchange={name}&queue={name}.u1".replace("unit:unit@", "")
    config = {"Cloud": url, "SystemId": "u1", "CloudUser": "unit", "CloudPassword": "unit"}
    try:
        assert cloud.wait(60)
        with open_storage(service_state, config=config) as storage:
            key = storage.key(1, Service="nav", Users='["ann"]')
            storage.insert(key, {"State": b"a"})
            wait_for(lambda: storage.facade.get(key).Status == "accepted")
            assert hub.cloud("u1").state(ANN) == b"a"
            hub.push("u1", ANN, b"b")
            wait_for(lambda: storage.facade.get(key).State == b"b")
            wait_for(lambda: not hub.cloud("u1").unconfirmed())
    finally:
        cloud.close()


def test_the_cloud_of_the_command_line_serves_a_broker(rabbit: RabbitServer, tmp_path: Path) -> None:
    name, happened = uuid.uuid4().hex, []
    url = f"{rabbit.url()}?exchange={name}"
    for state in (b"a", b"b"):  # the second one knows what the first one knew
        running = Running(Settings(folder=tmp_path, broker=url, units=("u1",)), happened.append)
        try:
            with gateway(f"{url}&queue={name}.u1") as (unit, recorder):
                wait_for(lambda running=running: running.hub.is_connected("u1"))
                recorder.wait_up()
                unit.send(new(state, correlation=state.decode(), sequence=state[0]))
                wait_for(lambda said=recorder.messages: said and isinstance(said[0], StateAcceptance))
                assert running.hub.cloud("u1").state(ANN) == state
        finally:
            running.close()
    assert [one.what for one in happened].count("accepted") == 2

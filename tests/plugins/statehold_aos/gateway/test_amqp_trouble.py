"""What may go wrong between a unit and a real RabbitMQ."""

from __future__ import annotations

import json
import ssl
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import attrs
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from amqp_sides import TERMS, Logged, gateway, new, plain_cloud
from proxy import proxy
from rabbit_server import RabbitServer, wait_for

from statehold.sdk import Secret
from statehold_aos.gateway import ClaimId, GatewayError, Options, checksum_of
from statehold_aos.gateway.amqp import AmqpError, AmqpGateway, AmqpTrouble

A = checksum_of(b"a")
UPDATE = {"serviceId": "nav", "users": '["ann"]', "stateChecksum": A.hex(), "state": "a"}


def trouble_of(unit: AmqpGateway, kind: AmqpTrouble) -> AmqpError:
    def found() -> AmqpError | None:
        trouble = unit.trouble
        return trouble if trouble is not None and trouble.trouble is kind else None

    return wait_for(found, f"no trouble of the kind {kind}: {unit.trouble}")


# -- Who one is ----------------------------------------------------------------------------------------------


def test_a_wrong_password_is_told_and_not_shown(rabbit: RabbitServer) -> None:
    logged = Logged()
    with (
        plain_cloud(rabbit) as cloud,
        gateway(cloud.url("unit", "hunter2"), logger=logged.logger) as (unit, recorder),
    ):
        trouble = trouble_of(unit, AmqpTrouble.CREDENTIALS)
        assert trouble.hint == "Look at user and password"
        assert "'unit'" in trouble.message
        assert f"127.0.0.1:{rabbit.port}" in trouble.message
        assert logged.says("as 'unit'")
        assert not logged.says("hunter2")
        assert recorder.links == []


def test_user_and_password_may_come_from_elsewhere(rabbit: RabbitServer) -> None:
    with plain_cloud(rabbit) as cloud:
        url = cloud.url().replace("unit:unit@", "")
        with gateway(url, user="unit", password=Secret("unit")) as (_, recorder):
            recorder.wait_up()
        assert "secret" not in repr(Options(system="u1", password=Secret("secret")))


def test_a_user_who_may_do_nothing_is_told(rabbit: RabbitServer) -> None:
    with plain_cloud(rabbit) as cloud, gateway(cloud.url("nobody")) as (unit, _):
        trouble_of(unit, AmqpTrouble.DENIED)


def test_a_user_who_may_not_write_is_told_when_he_does(rabbit: RabbitServer) -> None:
    with plain_cloud(rabbit) as cloud, gateway(cloud.url("mute")) as (unit, recorder):
        recorder.wait_up()
        unit.send(new(b"a"))
        trouble = trouble_of(unit, AmqpTrouble.DENIED)
        assert "the right to write" in trouble.hint
        recorder.wait_down()


def test_a_right_that_is_taken_away_is_told_and_used_when_it_is_back(
    rabbit_alone: RabbitServer,
) -> None:
    with plain_cloud(rabbit_alone) as cloud, gateway(cloud.url()) as (unit, recorder):
        recorder.wait_up()
        rabbit_alone.control("set_permissions", "unit", ".*", "nothing", ".*")
        try:

            def denied() -> bool:
                unit.send(new(b"a"))
                return unit.trouble is not None and unit.trouble.trouble is AmqpTrouble.DENIED

            wait_for(denied, "the broker takes what it may not")  # it looks at rights now and then
        finally:
            rabbit_alone.control("set_permissions", "unit", ".*", ".*", ".*")

        def heard() -> bool:
            unit.send(new(b"b"))
            return any(message["data"]["state"] == "b" for message in cloud.rest())

        wait_for(heard)


# -- Queues and exchanges ------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["queue", "exchange"])
def test_what_is_missing_is_told_and_found_once_it_is_there(rabbit: RabbitServer, missing: str) -> None:
    with plain_cloud(rabbit) as cloud:
        name = uuid.uuid4().hex
        url = cloud.url().replace(getattr(cloud, missing), name)
        with gateway(url) as (unit, recorder):
            trouble = trouble_of(unit, AmqpTrouble.MISSING)
            assert f"no {missing} '{name}'" in trouble.message
            assert recorder.links == []
            if missing == "queue":
                cloud.channel.queue_declare(name, auto_delete=True)
            else:
                cloud.channel.exchange_declare(name, "fanout", auto_delete=True)
                cloud.channel.queue_bind(cloud.inbox, name)
            recorder.wait_up()
            assert unit.trouble is None


def test_a_queue_that_is_deleted_is_told_and_found_again(rabbit: RabbitServer) -> None:
    logged = Logged()
    with plain_cloud(rabbit) as cloud, gateway(cloud.url(), logger=logged.logger) as (unit, recorder):
        recorder.wait_up()
        cloud.channel.queue_delete(cloud.queue)
        recorder.wait_down()
        trouble_of(unit, AmqpTrouble.MISSING)
        assert logged.says(cloud.queue, "is gone")
        cloud.channel.queue_declare(cloud.queue, durable=True)
        recorder.wait_up(2)
        cloud.send("updateState", UPDATE)
        recorder.wait(1)


def test_a_message_that_no_queue_takes_is_told(rabbit: RabbitServer) -> None:
    logged = Logged()
    with plain_cloud(rabbit) as cloud, gateway(cloud.url(), logger=logged.logger) as (unit, recorder):
        recorder.wait_up()
        cloud.channel.queue_unbind(cloud.inbox, cloud.exchange)
        unit.send(new(b"a"))
        wait_for(lambda: logged.says("did not arrive", "NO_ROUTE"))
        cloud.channel.queue_bind(cloud.inbox, cloud.exchange)
        unit.send(new(b"b"))
        assert cloud.next()[1]["data"]["state"] == "b"
        assert recorder.links == ["up"]


# -- Connections ---------------------------------------------------------------------------------------------


def test_a_connection_that_an_operator_closes_is_made_again(rabbit_alone: RabbitServer) -> None:
    with plain_cloud(rabbit_alone) as cloud, gateway(cloud.url()) as (unit, recorder):
        recorder.wait_up()
        rabbit_alone.control("close_all_connections", "bye")
        recorder.wait_down()
        recorder.wait_up(2)
        unit.send(new(b"a"))
        with plain_cloud(rabbit_alone, cloud.name) as again:
            assert again.next()[1]["data"]["state"] == "a"


@pytest.mark.soak
def test_what_is_in_the_broker_survives_its_kill_9_and_is_found_again(rabbit_alone: RabbitServer) -> None:
    """Each other run does so with states: `test_amqp_stress.py`."""
    with plain_cloud(rabbit_alone) as cloud, gateway(cloud.url()) as (unit, recorder):
        recorder.room = False
        cloud.send("updateState", UPDATE)
        wait_for(lambda: recorder.refused)
        for n in range(20):
            unit.send(new(b"a", claim=ClaimId(1, f"s{n}", "[]")))
        waiting = cloud.channel.queue_declare
        wait_for(lambda: waiting(cloud.inbox, passive=True).method.message_count == 20)
        rabbit_alone.kill()
        recorder.wait_down()
        unit.send(new(b"dropped"))
        trouble_of(unit, AmqpTrouble.UNREACHABLE)
        rabbit_alone.start()
        recorder.room = True
        recorder.wait_up(2)
        recorder.wait(1)
        with plain_cloud(rabbit_alone, cloud.name) as again:
            assert len(again.rest()) == 20


def test_a_broker_that_is_full_lets_the_newest_of_each_claim_wait(rabbit_alone: RabbitServer) -> None:
    logged = Logged()
    few = attrs.evolve(TERMS, window=4, messages=10)
    with (
        plain_cloud(rabbit_alone) as cloud,
        gateway(cloud.url(), few, logger=logged.logger) as (unit, recorder),
    ):
        recorder.wait_up()
        with rabbit_alone.alarm():
            unit.send(new(b"first", claim=ClaimId(1, "first", "[]")))  # only who sends is blocked
            trouble = trouble_of(unit, AmqpTrouble.BLOCKED)
            assert "low on disk" in trouble.message
            for n in range(200):
                unit.send(new(b"%d" % n, sequence=n, claim=ClaimId(1, f"s{n % 10}", "[]")))
            unit.send(new(b"a", claim=ClaimId(1, "too many", "[]")))
            unit.send(new(b"b", claim=ClaimId(1, "too many", "[]")))
        wait_for(lambda: unit.trouble is None)
        wait_for(lambda: cloud.channel.queue_declare(cloud.inbox, passive=True).method.message_count == 11)
        states = {message["data"]["serviceId"]: message["data"]["state"] for message in cloud.rest()}
        assert states == {"first": "first", **{f"s{n}": str(190 + n) for n in range(10)}}
        assert logged.says("takes messages again")
        assert [line for line in logged.lines if "too many messages wait" in line] == [
            "AMQP of u1: too many messages wait: further ones are dropped"
        ]
        assert recorder.links == ["up"]


def test_a_gateway_ends_also_while_the_broker_takes_nothing(rabbit_alone: RabbitServer) -> None:
    hasty, name = attrs.evolve(TERMS, parting=0.2), uuid.uuid4().hex
    with plain_cloud(rabbit_alone) as cloud, gateway(cloud.url(), hasty, system=name) as (unit, recorder):
        recorder.wait_up()
        with rabbit_alone.alarm():
            unit.send(new(b"a"))
            trouble_of(unit, AmqpTrouble.BLOCKED)
            unit.close()
            wait_for(lambda: all(name not in thread.name for thread in threading.enumerate()))


@pytest.mark.soak
def test_a_broker_that_falls_silent_is_found_out_by_heartbeats(rabbit: RabbitServer) -> None:
    """It takes pika up to 12 s."""
    often = attrs.evolve(TERMS, heartbeat=1)
    with (
        plain_cloud(rabbit) as cloud,
        proxy(rabbit.port) as between,
        gateway(cloud.url(port=between.port), often) as (unit, recorder),
    ):
        recorder.wait_up()
        between.flowing.clear()
        recorder.wait_down()
        assert unit.trouble is not None
        between.flowing.set()
        recorder.wait_up(2)


def test_an_error_in_who_listens_ends_no_gateway(rabbit: RabbitServer) -> None:
    logged = Logged()
    with plain_cloud(rabbit) as cloud, gateway(cloud.url(), logger=logged.logger) as (_, recorder):
        take = recorder.received

        def fail(_: Any) -> bool:
            recorder.received = take
            raise ZeroDivisionError

        recorder.received = fail
        cloud.send("updateState", UPDATE)
        recorder.wait(1)  # it is handed out again
        assert logged.says("a defect")
        assert recorder.links == ["up"]


# -- TLS -----------------------------------------------------------------------------------------------------


def secure(rabbit: RabbitServer, url: str) -> str:
    return url.replace("amqp:", "amqps:").replace(f":{rabbit.port}/", f":{rabbit.tls_port}/")


def certificate(rabbit: RabbitServer, name: str, authority: str = "ca") -> dict[str, Any]:
    folder = rabbit.folder
    return {
        "authorities": folder / f"{authority}.pem",
        "certificate": folder / f"{name}.pem",
        "key": Secret((folder / f"{name}.key").read_text()),
    }


def test_with_certificates_of_both_sides_messages_go_through_tls(rabbit: RabbitServer) -> None:
    given = certificate(rabbit, "unit")
    with plain_cloud(rabbit) as cloud, gateway(secure(rabbit, cloud.url()), **given) as (unit, recorder):
        recorder.wait_up()
        unit.send(new(b"a" * 300_000))
        assert len(cloud.next()[1]["data"]["state"]) == 300_000
        cloud.send("updateState", UPDATE)
        recorder.wait(1)


def test_a_broker_of_another_authority_is_not_trusted(rabbit: RabbitServer) -> None:
    with plain_cloud(rabbit) as cloud:
        given = certificate(rabbit, "unit", "other")
        with gateway(secure(rabbit, cloud.url()), **given) as (unit, recorder):
            trouble = trouble_of(unit, AmqpTrouble.TLS)
            assert "certificate verify failed" in trouble.message
            assert recorder.links == []


@pytest.mark.parametrize("name", ["stranger", ""])
def test_a_unit_without_a_certificate_of_the_authority_is_refused(rabbit: RabbitServer, name: str) -> None:
    given = certificate(rabbit, name) if name else {"authorities": rabbit.folder / "ca.pem"}
    with plain_cloud(rabbit) as cloud, gateway(secure(rabbit, cloud.url()), **given) as (unit, recorder):
        trouble = trouble_of(unit, AmqpTrouble.TLS)
        assert "alert" in trouble.message.lower()
        assert recorder.links == []


@pytest.mark.parametrize(
    "url", ["amqp://broker.example/", "amqp://unit:secret@10.1.2.3:5672/", "http://10.1.2.3/"]
)
def test_nothing_goes_over_a_network_in_clear_text(url: str) -> None:
    with pytest.raises(AmqpError, match="clear text") as told:
        AmqpGateway(url, Options(system="u1"))
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    "url", ["amqps:///vhost", "mqtt://127.0.0.1/", "", "amqp://127.0.0.1:99999/", "https:///discover"]
)
def test_a_url_that_names_no_broker_is_refused(url: str) -> None:
    with pytest.raises(AmqpError):
        AmqpGateway(url, Options(system="u1"))


def test_without_its_library_there_is_a_word_how_to_mend_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("statehold_aos.gateway._amqp_carrier.find_spec", lambda _: None)
    with pytest.raises(GatewayError) as told:
        AmqpGateway("amqp://127.0.0.1/", Options(system="u1"))
    assert told.value.hint == "Install statehold[aos]"


# -- Discovery -----------------------------------------------------------------------------------------------


class Discovery(HTTPServer):
    """A discovery service of AOS."""

    def __init__(self, folder: Path, answers: list[tuple[int, Any]]) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.answers, self.asked = answers, []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem", folder / "server.key")
        context.load_verify_locations(folder / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, *_: Any) -> None:
        """Say nothing of those who are refused."""


class Asked(BaseHTTPRequestHandler):
    server: Discovery

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.server.asked.append(json.loads(self.rfile.read(length)))
        answers = self.server.answers
        status, answer = answers.pop(0) if len(answers) > 1 else answers[0]
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def discovery(rabbit: RabbitServer, *answers: tuple[int, Any]) -> Iterator[tuple[Discovery, str]]:
    server = Discovery(rabbit.folder, list(answers))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server, f"https://127.0.0.1:{server.server_port}/discover"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def connection_of(rabbit: RabbitServer, exchange: str, queue: str, user: str = "unit") -> dict[str, Any]:
    """Return what a discovery service of AOS answers."""
    who = {"host": f"127.0.0.1:{rabbit.tls_port}", "user": user, "password": user}
    more = {"durable": True, "autoDetect": False, "internal": False, "noWait": False}
    return {
        "version": 2,
        "connection": {
            "sendParams": {
                **who,
                "mandatory": True,
                "immediate": False,
                "exchange": {"name": exchange, **more},
            },
            "receiveParams": {
                **who,
                "consumer": "unit 1",
                "autoAck": True,
                "exclusive": True,
                "noLocal": False,
                "noWait": False,
                "queue": {"name": queue, "durable": True, "deleteWhenUnused": False, "exclusive": False},
            },
        },
    }


def test_a_discovery_service_says_where_the_broker_is(rabbit: RabbitServer) -> None:
    with plain_cloud(rabbit) as cloud:
        found = connection_of(rabbit, cloud.exchange, cloud.queue)
        with (
            discovery(rabbit, (200, found)) as (asked, url),
            gateway(url, users='["ann","bob"]', **certificate(rabbit, "unit")) as (unit, recorder),
        ):
            recorder.wait_up()
            assert asked.asked[0] == {
                "header": {"version": 2, "systemId": "u1", "messageType": "serviceDiscovery"},
                "data": {"users": ["ann", "bob"]},
            }
            unit.send(new(b"a"))
            assert cloud.next()[0].user_id == "unit"
            cloud.send("updateState", {"serviceId": "nav", "stateChecksum": A.hex(), "state": "a"})
            assert recorder.wait(1)[0].claim == ClaimId(1, "nav", '["ann","bob"]')


def test_a_discovery_service_that_fails_is_asked_again(rabbit: RabbitServer) -> None:
    logged = Logged()
    with plain_cloud(rabbit) as cloud:
        found = connection_of(rabbit, cloud.exchange, cloud.queue)
        lacking = {"version": 2, "connection": {"sendParams": found["connection"]["sendParams"]}}
        answers = [(503, b"later"), (200, b"<html>"), (200, lacking), (200, b" " * 2_000_000), (200, found)]
        with (
            discovery(rabbit, *answers) as (asked, url),
            gateway(url, logger=logged.logger, **certificate(rabbit, "unit")) as (_, recorder),
        ):
            recorder.wait_up()
            assert len(asked.asked) == 5
        for parts in (("503", "later"), ("malformed",), ("receiveParams",), ("1,048,576",)):
            assert logged.says("discovery service", url, *parts), parts


def test_a_discovery_service_of_another_authority_is_not_asked(rabbit: RabbitServer) -> None:
    given = certificate(rabbit, "unit", "other")
    with discovery(rabbit, (200, {})) as (asked, url), gateway(url, **given) as (unit, _):
        trouble = trouble_of(unit, AmqpTrouble.DISCOVERY)
        assert "certificate verify failed" in trouble.message
        assert asked.asked == []

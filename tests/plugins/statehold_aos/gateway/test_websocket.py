"""The way over WebSocket: who is trusted, and what a hostile or broken other side can do."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

sys.path.insert(0, str(Path(__file__).parent))

from hearing import Hearing, wait_until
from ways import SYSTEM, Certificates, Servers, certificates, quick

from statehold.sdk import Secret
from statehold_aos.gateway import (
    Ack,
    ClaimId,
    CloudHub,
    GatewayError,
    Nack,
    NewState,
    Protocol7,
    StateAcceptance,
    StateRequest,
    _channel,
    checksum_of,
    open_gateway,
)
from statehold_aos.gateway._cloud_server import CloudServer
from statehold_aos.gateway._exchange import Terms
from statehold_aos.gateway._tls import server_context
from statehold_aos.gateway._websocket import WebSocketGateway

__all__ = ["certificates"]

ANN = ClaimId(1, "nav", "ann")
NEW = NewState(claim=ANN, correlation="c", checksum=checksum_of(b"a"), state=b"a", sequence=1)
YES = StateAcceptance(claim=ANN, correlation="c", checksum=checksum_of(b"a"), accepted=True)
CLOUD = Protocol7()


@contextlib.contextmanager
def connecting(url: str, terms: Terms | None = None, **options: Any) -> Iterator[tuple[Any, Hearing, list]]:
    """Yield a gateway that connects, what hears of it, and what it has logged."""
    unit, logged = Hearing(), []
    logger = logging.Logger("test")  # noqa: LOG001 - each test its own
    handler = logging.Handler()
    handler.emit = lambda record: logged.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    gateway = WebSocketGateway(url, quick(logger=logger, **options), terms)
    gateway.connect(unit)
    try:
        yield gateway, unit, logged
    finally:
        gateway.close()


@contextlib.contextmanager
def cloud(context: ssl.SSLContext | None = None, **options: Any) -> Iterator[Servers]:
    servers = Servers(CloudHub(), context, **options)
    try:
        yield servers
    finally:
        servers.stop()


# -- Who is trusted ------------------------------------------------------------------------------------------


def refused(url: str, said: str, **options: Any) -> None:
    with connecting(url, **options) as (_, unit, logged):
        wait_until(lambda: logged)
        assert said in logged[0], logged
        assert url in logged[0]
        assert unit.heard == []


def test_a_cloud_of_an_authority_that_is_not_trusted_is_refused(
    certificates: Certificates, tmp_path: Path
) -> None:
    with cloud(certificates.context()) as servers:
        other = Certificates(tmp_path)
        refused(servers.url, "certificate verify failed", authorities=other.authorities)
        refused(servers.url, "certificate verify failed")


def test_a_cloud_whose_certificate_has_expired_is_refused(certificates: Certificates) -> None:
    past = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    expired = certificates.authority.issue_cert("127.0.0.1", not_after=past)
    with cloud(certificates.context(expired)) as servers:
        refused(servers.url, "certificate has expired", authorities=certificates.authorities)


def test_a_cloud_with_the_certificate_of_another_name_is_refused(certificates: Certificates) -> None:
    another = certificates.authority.issue_cert("cloud.example")
    with cloud(certificates.context(another)) as servers:
        refused(servers.url, "not valid for '127.0.0.1'", authorities=certificates.authorities)


def test_a_unit_shows_its_certificate_where_the_cloud_wants_one(certificates: Certificates) -> None:
    context = certificates.context()
    context.verify_mode = ssl.CERT_REQUIRED
    certificates.authority.configure_trust(context)
    path, key = certificates.unit()
    own = {"certificate": path, "key": Secret(key)}
    with cloud(context) as servers:
        with connecting(servers.url, authorities=certificates.authorities, **own) as (gateway, unit, _):
            unit.wait_connected()
            gateway.send(NEW)
            unit.wait_for(unit.messages)
        with connecting(servers.url, authorities=certificates.authorities) as (_, unit, logged):
            wait_until(lambda: logged)
            assert unit.messages() == []


def test_certificates_and_keys_that_cannot_be_used_are_told(
    certificates: Certificates, tmp_path: Path
) -> None:
    path, _ = certificates.unit()
    _, key_of_another = certificates.unit("unit-2")
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("nothing")
    for options in (
        {"authorities": tmp_path / "missing.pem"},
        {"authorities": nothing},
        {"certificate": path},
        {"certificate": path, "key": Secret(key_of_another)},
        {"certificate": path, "key": Secret("no key")},
    ):
        with pytest.raises(GatewayError) as found:
            open_gateway("wss://127.0.0.1:1", quick(**options))
        assert "PRIVATE" not in str(found.value)
    with pytest.raises(GatewayError, match=r"missing\.pem"):
        server_context(tmp_path / "missing.pem", None)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ws://cloud.example/aos", "ws:// goes to this machine alone"),
        ("ws://10.0.0.1", "ws:// goes to this machine alone"),
        ("wss://", "expected wss://HOST"),
        ("wss://cloud.example:http", "cannot be read"),
        ("wss://ann:secret@cloud.example", "has a user in it"),
        ("gopher://cloud.example", "no way to a cloud at gopher:"),
        ("wss://cloud.example#part", "expected wss://HOST"),
    ],
)
def test_urls_that_are_none_are_told_and_no_password_is_shown(url: str, said: str) -> None:
    with pytest.raises(GatewayError, match=said) as found:
        open_gateway(url, quick())
    assert "secret" not in str(found.value)


def test_a_missing_library_is_told_with_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "websockets.uri", None)
    with pytest.raises(GatewayError) as found:
        open_gateway("wss://cloud.example", quick())
    assert found.value.hint == "Install statehold[aos]"
    with pytest.raises(GatewayError, match="websockets"):
        CloudServer(CloudHub())


# -- Answers -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def scripted(script: Callable[[ServerConnection], None]) -> Iterator[str]:
    """Yield the URL of a cloud that does what a test wants, in each connection."""
    with serve(script, "127.0.0.1", 0, compression=None, close_timeout=1) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


def frames(connection: ServerConnection) -> Iterator[Any]:
    with contextlib.suppress(Exception):
        for body in connection:
            assert isinstance(body, bytes)
            yield CLOUD.decode(body)


def test_a_message_whose_answer_is_lost_comes_again_and_one_that_is_answered_does_not() -> None:
    seen: list[Any] = []

    def script(connection: ServerConnection) -> None:
        for frame in frames(connection):
            seen.append(frame)
            if len(seen) == 2:
                connection.send(CLOUD.encode(Ack(), frame.number))
                connection.send(CLOUD.encode(YES, "from the cloud"))

    last = StateRequest(claim=ANN, correlation="r")
    with scripted(script) as url, connecting(url, Terms(wait=0.05, tries=10_000)) as (gateway, unit, _):
        unit.wait_connected()
        gateway.send(NEW)
        unit.wait_for(unit.messages)
        gateway.send(last)
        wait_until(lambda: any(one.content == last for one in seen))
    news = [at for at, one in enumerate(seen) if one.content == NEW]
    assert len(news) >= 2
    assert len({seen[at].number for at in news}) == 1
    assert max(news) < min(at for at, one in enumerate(seen) if one.content == last)
    assert [one.number for one in seen if one.content == Ack()] == ["from the cloud"]


def test_a_message_that_the_cloud_does_not_want_yet_comes_again() -> None:
    seen: list[Any] = []

    def script(connection: ServerConnection) -> None:
        for frame in frames(connection):
            seen.append(frame)
            answer = Nack(20) if len(seen) < 4 else Ack()
            connection.send(CLOUD.encode(answer, frame.number))

    with scripted(script) as url, connecting(url) as (gateway, unit, _):
        unit.wait_connected()
        gateway.send(NEW)
        wait_until(lambda: len(seen) >= 4)
    assert [(one.number, one.content) for one in seen] == [(seen[0].number, NEW)] * 4


def test_what_the_unit_cannot_take_yet_is_brought_again() -> None:
    with cloud(terms=Terms(pause=20)) as servers, connecting(servers.url, Terms(pause=20)) as parts:
        gateway, unit, _ = parts
        unit.wait_connected()
        gateway.send(NEW)
        unit.wait_for(unit.messages)
        unit.refusing = True
        for number in range(50):
            servers.hub.push(SYSTEM, ClaimId(1, "nav", f"u{number}"), b"%d" % number)
        wait_until(lambda: servers.hub.cloud(SYSTEM).unconfirmed())
        unit.refusing = False
        unit.wait_for(lambda: len({one.claim for one in unit.messages()}) == 51)


def test_a_message_that_comes_twice_or_cannot_be_read_is_passed_over_and_all_are_answered() -> None:
    answers: list[Any] = []

    def script(connection: ServerConnection) -> None:
        good = CLOUD.encode(YES, "1")
        for body in (good, good, good.replace(b'"1"', b'"2"').replace(b"stateAcceptance", b"alert")):
            connection.send(body)
        connection.send(CLOUD.encode(NEW, "3"))  # what only units send
        connection.send("no JSON")
        answers.extend(frames(connection))

    with scripted(script) as url, connecting(url) as (_, unit, logged):
        unit.wait_for(unit.messages)
        wait_until(lambda: len(logged) >= 3)
        wait_until(lambda: len(answers) >= 4)
    assert unit.messages() == [YES]
    assert [one.number for one in answers][:4] == ["1", "1", "2", "3"]
    assert "alert" in logged[0]
    assert "only units send" in logged[1]
    assert "no JSON" in logged[2]


# -- Hostile and broken --------------------------------------------------------------------------------------


def test_a_cloud_that_speaks_nonsense_is_left_and_tried_again() -> None:
    connected: list[int] = []

    def script(connection: ServerConnection) -> None:
        connected.append(1)
        with contextlib.suppress(Exception):
            while True:
                connection.send(b"\xff" * 100)

    with scripted(script) as url, connecting(url) as (_, unit, logged):
        wait_until(lambda: len(connected) >= 2)
        assert unit.messages() == []
        wait_until(lambda: any("100 messages in a row" in one for one in logged))


def test_a_message_that_is_larger_than_allowed_ends_the_connection_before_it_is_read() -> None:
    codes: list[Any] = []

    def script(connection: ServerConnection) -> None:
        with contextlib.suppress(Exception):
            connection.send(b"a" * 50_000)
            connection.recv()
        codes.append(connection.close_code)

    with scripted(script) as url, connecting(url, largest=10_000) as (_, unit, _logged):
        wait_until(lambda: len(codes) >= 2)
        assert unit.messages() == []
    assert codes[0] == 1009


def test_a_large_message_in_many_parts_is_whole_again() -> None:
    body = CLOUD.encode(YES, "1")

    def script(connection: ServerConnection) -> None:
        connection.send(body[at : at + 1] for at in range(len(body)))
        list(frames(connection))

    with scripted(script) as url, connecting(url) as (_, unit, _logged):
        assert unit.wait_for(unit.messages) == [YES]


@contextlib.contextmanager
def raw(behave: Callable[[socket.socket], None]) -> Iterator[str]:
    """Yield the URL of a server that speaks whatever a test wants."""
    listener = socket.create_server(("127.0.0.1", 0))
    kept: list[socket.socket] = []

    def run() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            kept.append(sock)
            with contextlib.suppress(OSError):
                behave(sock)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for sock in kept:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        thread.join()


def some(sock: socket.socket) -> bytes:
    data = sock.recv(4096)
    if not data:
        raise ConnectionError
    return data


def shake_hands(sock: socket.socket) -> Any:
    from websockets.server import ServerProtocol

    protocol = ServerProtocol()
    while not (events := protocol.events_received()):
        protocol.receive_data(some(sock))
    protocol.send_response(protocol.accept(events[0]))
    sock.sendall(b"".join(protocol.data_to_send()))
    return protocol


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        b"\0\1\2\3" * 100 + b"\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 10_000 + b"\r\n",
        b"A" * 100_000,
        b"",
    ],
)
def test_a_server_that_speaks_no_websocket_is_told_and_tried_again(said: bytes) -> None:
    tried: list[int] = []

    def behave(sock: socket.socket) -> None:
        tried.append(1)
        sock.recv(4096)
        sock.sendall(said)
        sock.close()

    with raw(behave) as url, connecting(url) as (_, unit, logged):
        wait_until(lambda: len(tried) >= 3)
        wait_until(lambda: logged)
        assert unit.heard == []


def test_a_gateway_whose_server_never_answers_ends_at_once() -> None:
    asked = threading.Event()

    def behave(sock: socket.socket) -> None:
        sock.recv(4096)
        asked.set()

    with raw(behave) as url:
        for address in (url, url.replace("ws://", "wss://")):
            asked.clear()
            with connecting(address) as (gateway, _, _logged):
                assert asked.wait(60)
                thread = gateway._thread
                gateway.close()
                assert not thread.is_alive()


def test_a_connection_without_a_sign_of_life_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its server has answered the handshake, and then neither reads nor says anything."""
    monkeypatch.setattr(_channel, "_CLOSING_SECONDS", 0.1)
    tried: list[int] = []

    def behave(sock: socket.socket) -> None:
        tried.append(1)
        shake_hands(sock)

    with raw(behave) as url, connecting(url, alive=0.1) as (_, unit, logged):
        wait_until(lambda: len(tried) >= 3)
        wait_until(lambda: any("no sign of life" in one for one in logged))
        assert unit.count("disconnected") >= 1


def test_who_is_silent_but_alive_stays_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_channel, "_CLOSING_SECONDS", 0.1)
    asked: list[Any] = []

    def behave(sock: socket.socket) -> None:
        from websockets.frames import Opcode

        protocol = shake_hands(sock)
        while len(asked) < 3:
            protocol.receive_data(some(sock))
            asked.extend(one for one in protocol.events_received() if one.opcode is Opcode.PING)
            sock.sendall(b"".join(protocol.data_to_send()))

    with raw(behave) as url, connecting(url, alive=0.2) as (_, unit, _logged):
        wait_until(lambda: len(asked) >= 3)
        assert unit.count("connected") >= 1


def test_a_cloud_that_reads_nothing_costs_no_memory_and_nobody_waits() -> None:
    """Messages that find no room are dropped, by who sends them, at once."""
    release = threading.Event()

    def script(_: ServerConnection) -> None:
        release.wait(60)

    with scripted(script) as url, connecting(url, Terms(messages=100, size=2**20)) as (gateway, unit, _):
        unit.wait_connected()
        for number in range(500):
            claim = ClaimId(1, "nav", f"u{number}")
            state = bytes(10_000)
            gateway.send(
                NewState(claim=claim, correlation=str(number), checksum=checksum_of(state), state=state)
            )
        link = gateway._link
        assert link is not None
        exchange = link.exchange
        assert exchange._count <= 100
        assert exchange._size <= 2**20
        release.set()


def test_who_floods_with_pings_and_reads_no_answers_is_read_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_channel, "_FULL", 2**16)
    monkeypatch.setattr(_channel, "_CLOSING_SECONDS", 0.1)
    flooded = threading.Event()

    def behave(sock: socket.socket) -> None:
        shake_hands(sock)
        sock.settimeout(0.5)
        ping = struct.pack("!BB", 0x89, 125) + bytes(125)
        try:
            for _ in range(200):
                sock.sendall(ping * 1_000)
        except TimeoutError:
            flooded.set()

    with raw(behave) as url, connecting(url) as (gateway, unit, _):
        unit.wait_connected()
        assert flooded.wait(60), "25 MB were taken, and as much kept to be answered"
        gateway.close()


# -- The cloud's side ----------------------------------------------------------------------------------------


def test_units_that_speak_nonsense_or_nothing_harm_no_other_unit() -> None:
    with cloud() as servers:
        host, port = "127.0.0.1", servers.port
        silent = [socket.create_connection((host, port)) for _ in range(5)]
        for sock in silent[:3]:
            sock.sendall(b"\xff" * 10_000)
        with connecting(servers.url) as (gateway, unit, _):
            unit.wait_connected()
            gateway.send(NEW)
            unit.wait_for(unit.messages)
        for sock in silent:
            sock.close()


def test_a_unit_that_names_another_one_later_is_not_heard() -> None:
    from websockets.sync.client import connect

    with cloud() as servers, connect(servers.url, compression=None) as connection:
        connection.send(Protocol7(system="s1").encode(NEW, "1"))
        found = {type(CLOUD.decode(connection.recv(60)).content) for _ in range(2)}
        assert found == {Ack, StateAcceptance}
        connection.send(Protocol7(system="s2").encode(NEW, "2"))
        assert CLOUD.decode(connection.recv(60)) == CLOUD.decode(Protocol7(system="s1").encode(Ack(), "2"))
        assert servers.hub.systems() == ["s1"]


def test_two_units_have_states_of_their_own() -> None:
    with (
        cloud() as servers,
        connecting(servers.url) as (one, first, _),
        connecting(servers.url, system="unit-2") as (two, second, _),
    ):
        first.wait_connected()
        second.wait_connected()
        one.send(NEW)
        two.send(NewState(claim=ANN, correlation="d", checksum=checksum_of(b"b"), state=b"b", sequence=1))
        first.wait_for(first.messages)
        second.wait_for(second.messages)
        assert [servers.hub.cloud(name).state(ANN) for name in servers.hub.systems()] == [b"a", b"b"]
        servers.hub.push("unit-2", ANN, b"pushed")
        second.wait_for(lambda: second.messages()[1:])
        assert len(first.messages()) == 1

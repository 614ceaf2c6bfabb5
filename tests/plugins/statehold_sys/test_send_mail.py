from __future__ import annotations

import contextlib
import email
import email.policy
import select
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from ipaddress import ip_address
from typing import Any

import msgspec
import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import raw_server

from statehold.sdk import StorageError, Value, merge
from statehold.testing import OpenStorage, StorageConformance, open_storage
from statehold_sys._mail._message import Mail
from statehold_sys.send_mail import provider

LOCAL = {"network": ["127.0.0.1"]}


class Box:
    """Keeps the envelopes of the mails it got; refuses recipients whose address begins with `nobody`."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.logins: list[tuple[bytes, bytes]] = []

    async def handle_RCPT(self, _s: Any, _c: Any, envelope: Envelope, address: str, _o: Any) -> str:
        if address.startswith("nobody"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _s: Any, _c: Any, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        return "250 OK"

    def log_in(self, _server: Any, _session: Any, _envelope: Any, _mechanism: Any, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"hunter2", handled=False)

    def message(self) -> EmailMessage:
        (envelope,) = self.envelopes
        assert isinstance(envelope.content, bytes)
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed


@contextlib.contextmanager
def smtp_server(box: Box, *, implicit: ssl.SSLContext | None = None, **options: Any) -> Iterator[int]:
    """Serve SMTP on 127.0.0.1; yield the port."""

    class Server(Controller):
        def factory(self) -> SMTP:
            return SMTP(
                box, hostname="test", authenticator=box.log_in, **{"enable_SMTPUTF8": True, **options}
            )

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Server(box, hostname="127.0.0.1", port=port, ssl_context=implicit)
    server.start()
    try:
        yield port
    finally:
        server.stop()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


def mail(opened: OpenStorage, port: int, **key: Any) -> Any:
    """Return the key of a mail."""
    given = {"Host": "127.0.0.1", "Port": port, "From": "shop@example.com", "To": ["ann@example.com"], **key}
    return opened.key(1, **given)


def send(opened: OpenStorage, port: int, **key: Any) -> Value:
    """Send a mail at once."""
    answer = opened.facade.get(mail(opened, port, **key))
    assert answer is not None
    return answer


@pytest.fixture
def mailer() -> Iterator[OpenStorage]:
    with open_storage(provider, allowances=LOCAL) as opened:
        yield opened


def test_get_sends_the_mail_at_once(mailer: OpenStorage) -> None:
    """Everybody in To, CC and BCC gets it; the text is HTML in UTF-8, and nobody reads who is in BCC."""
    box = Box()
    with smtp_server(box) as port:
        answer = send(
            mailer,
            port,
            From="Shöp <shop@example.com>",
            To=["Ann <ann@example.com>", "bob@example.com"],
            CC=["cy@example.com"],
            BCC=["dan@example.com", "bob@example.com"],
            Subject="Rechnung für Zoë ✓",
            Body="<b>Grüße</b>\n.\nend",
        )
    assert (answer.Success, answer.ErrorMessage) == (True, "")
    (envelope,) = box.envelopes
    assert envelope.mail_from == "shop@example.com"
    assert envelope.rcpt_tos == ["ann@example.com", "bob@example.com", "cy@example.com", "dan@example.com"]
    message = box.message()
    assert message["Subject"] == "Rechnung für Zoë ✓"
    assert message["From"] == "Shöp <shop@example.com>"
    assert message["To"] == "Ann <ann@example.com>, bob@example.com"
    assert message["Cc"] == "cy@example.com"
    assert message["Bcc"] is None
    assert message["Date"] == "Tue, 14 Nov 2023 22:13:20 -0000"
    assert message["Message-ID"].endswith("@example.com>")
    assert message.get_content_type() == "text/html"
    assert message.get_content_charset() == "utf-8"
    assert message.get_content().splitlines() == ["<b>Grüße</b>", ".", "end"]


def test_an_address_beyond_ascii_needs_a_server_that_takes_it(mailer: OpenStorage) -> None:
    """Such an address is no mistake of the caller; what the server says is the answer."""
    box = Box()
    with smtp_server(box, enable_SMTPUTF8=True) as port:
        assert send(mailer, port, To=["Zoë <zoë@example.com>"]).Success
    assert [envelope.rcpt_tos for envelope in box.envelopes] == [["zoë@example.com"]]
    with smtp_server(box, enable_SMTPUTF8=False) as port:
        assert "internationalized email" in send(mailer, port, To=["zoë@example.com"]).ErrorMessage


def test_insert_sends_when_it_is_applied(mailer: OpenStorage) -> None:
    """Validating sends nothing; applying sends one mail after the other."""
    box = Box()
    with smtp_server(box) as port:
        intents = [mailer.facade.insert(mail(mailer, port, Subject=str(i)), {}) for i in range(3)]
        mailer.storage.validate(intents)
        assert box.envelopes == []
        mailer.storage.apply_batch(intents)
    assert len(box.envelopes) == 3


def test_the_first_failure_stops_a_batch_and_says_how_far_it_got(mailer: OpenStorage) -> None:
    """A mail that was sent cannot be taken back, so the error tells how many were."""
    box = Box()
    with smtp_server(box) as port:
        intents = [
            mailer.facade.insert(mail(mailer, port, To=[to]), {})
            for to in ("ann@example.com", "nobody@example.com", "bob@example.com")
        ]
        with pytest.raises(StorageError, match=r"nobody@example\.com was refused.*\(1 of 3 mails"):
            mailer.storage.apply_batch(intents)
    assert len(box.envelopes) == 1


def test_starttls_is_used_where_it_is_offered(ca_file: str, tls: ssl.SSLContext) -> None:
    """The password goes over TLS that was checked against the host's name."""
    box = Box()
    config = {"Tls": "required", "CaFile": ca_file}
    with (
        smtp_server(box, tls_context=tls, auth_required=True) as port,
        open_storage(provider, allowances={"network": ["localhost"]}, config=config) as opened,
    ):
        answer = send(opened, port, Host="localhost", Username="shop", Password="hunter2")
        assert (answer.Success, answer.ErrorMessage) == (True, "")
        wrong = send(opened, port, Host="localhost", Username="shop", Password="wrong")
    assert not wrong.Success
    assert "535" in wrong.ErrorMessage
    assert "wrong" not in wrong.ErrorMessage
    assert box.logins[0] == (b"shop", b"hunter2")
    assert len(box.envelopes) == 1


def test_tls_from_the_first_byte(ca_file: str, tls: ssl.SSLContext) -> None:
    """`implicit` speaks TLS at once, as port 465 does."""
    box = Box()
    config = {"Tls": "implicit", "CaFile": ca_file}
    with (
        smtp_server(box, implicit=tls) as port,
        open_storage(provider, allowances=LOCAL, config=config) as opened,
    ):
        assert send(opened, port).Success
    assert len(box.envelopes) == 1


@pytest.mark.parametrize("implicit", [True, False])
def test_an_unknown_authority_is_an_error(tls: ssl.SSLContext, implicit: bool) -> None:
    """Without CaFile the test's certificate is not trusted, and nothing is sent."""
    box = Box()
    server = {"implicit": tls} if implicit else {"tls_context": tls}
    with (
        smtp_server(box, **server) as port,
        open_storage(
            provider, allowances=LOCAL, config={"Tls": "implicit" if implicit else "offered"}
        ) as opened,
    ):
        answer = send(opened, port)
    assert not answer.Success
    assert "certificate" in answer.ErrorMessage.lower()
    assert box.envelopes == []


def test_required_tls_is_not_done_without() -> None:
    """A server without STARTTLS gets nothing."""
    box = Box()
    with (
        smtp_server(box) as port,
        open_storage(provider, allowances=LOCAL, config={"Tls": "required"}) as opened,
    ):
        answer = send(opened, port)
    assert "STARTTLS" in answer.ErrorMessage
    assert box.envelopes == []


def test_the_address_policy_holds() -> None:
    """Without an allowance, a server on this machine is not even connected to."""
    with socket.create_server(("127.0.0.1", 0)) as listener, open_storage(provider) as opened:
        listener.settimeout(0)
        answer = send(opened, listener.getsockname()[1])
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert not answer.Success
    assert "loopback" in answer.ErrorMessage


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ({"Host": ""}, "Host is missing"),
        ({"From": ""}, "From is missing"),
        ({"To": [""]}, "To is missing"),
        ({"Port": 0}, "Port from 1"),
        ({"Port": 70000}, "Port from 1"),
        ({"Subject": "hi\r\nBcc: eve@example.com"}, "line break in Subject"),
        ({"From": "a@example.com\nBcc: eve@example.com"}, "line break in From"),
        ({"To": ["a@example.com", "b@example.com\r\nX: y"]}, "line break in To"),
        ({"Username": "u\r\nDATA"}, "line break in Username"),
        ({"Password": "hunter2\r\n"}, "line break in Password"),
        ({"To": ["not an address"]}, "addresses in To"),
        ({"To": ["<a@b> RCPT TO:<eve@example.com>"]}, "addresses in To"),
        ({"CC": ["@"]}, "addresses in CC"),
        ({"To": ['"']}, "addresses in To"),
        ({"Subject": "a\u2028b"}, "line break in Subject"),
        ({"From": "a@example.com, b@example.com"}, "one address in From"),
        ({"Subject": "=?utf-8?q?a=0D=0ABcc:_eve@example.com?="}, "an encoded word that would forge"),
        ({"From": "=?utf-8?q?eve=40example=2Ecom=2C?= <a@example.com>"}, "an encoded word that would forge"),
        (
            {"CC": ["=?utf-8?b?ZXZlQGV4YW1wbGUuY29tLA==?= <a@example.com>"]},
            "an encoded word that would forge",
        ),
        ({"Username": "u", "Password": "hunter2ü"}, "Password in ASCII"),
    ],
)
def test_a_key_that_no_mail_can_be_made_of(mailer: OpenStorage, key: dict[str, Any], message: str) -> None:
    """GET answers with an error, INSERT is refused when it is validated; no password is shown."""
    answer = send(mailer, 25, **key)
    assert not answer.Success
    assert message in answer.ErrorMessage
    assert "hunter2" not in answer.ErrorMessage
    with pytest.raises(StorageError, match=message):
        mailer.storage.validate([mailer.facade.insert(mail(mailer, 25, **{"Port": 25, **key}), {})])


PIECES = [
    "a@example.com", "=?utf-8?q?", "=?utf-8?b?DQpCY2M6?=", "?=", "=0D=0A", "=0A", "=2C", "=40", "_", ",", ";",
    ":", '"', "<", ">", "(", ")", "\\", " ", "Bcc: eve@example.com", "é", "\r\n", "\u2028", "x" * 90,
]  # fmt: skip


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["Subject", "From", "To", "CC", "BCC"]),
    text=st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
)
def test_no_field_makes_a_header_or_a_recipient_of_its_own(mailer: OpenStorage, name: str, text: str) -> None:
    """Whatever stands in a field, the message has the headers it should, and tells of its recipients only."""
    try:
        made = Mail.of("sys.SendMail", mail(mailer, 25, **{name: text}), now=0.0)
    except StorageError:
        return
    read = email.message_from_bytes(
        made.message.as_bytes(policy=email.policy.SMTP), policy=email.policy.default
    )
    assert sorted({*read} - {"Cc"}) == [
        "Content-Transfer-Encoding", "Content-Type", "Date", "From", "MIME-Version", "Message-ID", "Subject",
        "To",
    ]  # fmt: skip
    told = [
        address.addr_spec for header in ("To", "Cc") if read[header] for address in read[header].addresses
    ]
    assert {*told} <= {*made.recipients}
    assert [address.addr_spec for address in read["From"].addresses] == [made.sender]


@pytest.mark.parametrize("milliseconds", [0, 3_600_001, 10**30])
def test_a_time_out_that_never_ends_is_an_error(milliseconds: int) -> None:
    """A mistake in the configuration shows when the version is opened."""
    with (
        pytest.raises(msgspec.ValidationError, match="TimeoutMilliseconds"),
        open_storage(provider, config={"TimeoutMilliseconds": milliseconds}),
    ):
        pass


def drip_greeting(peer: socket.socket) -> None:
    for _ in range(1500):
        peer.sendall(b"220-hello\r\n")
        time.sleep(0.02)


def hang_up(_: socket.socket) -> None:
    pass


def not_smtp(peer: socket.socket) -> None:
    peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@pytest.mark.parametrize(
    ("talk", "message"),
    [
        (drip_greeting, "not done in 200 ms"),
        (lambda peer: peer.recv(1), "not done in 200 ms"),
        (hang_up, "unexpectedly closed"),
        (not_smtp, ""),
    ],
)
def test_a_server_that_misbehaves(talk: Callable[[socket.socket], None], message: str) -> None:
    """The time-out covers the whole mail, and any failure is an answer."""
    config = {"TimeoutMilliseconds": 200}
    with (
        raw_server(talk) as port,
        open_storage(provider, allowances=LOCAL, config=config) as opened,
    ):
        answer = send(opened, port)
    assert not answer.Success
    assert message in answer.ErrorMessage


def test_a_server_that_resets_the_connection_at_once_leaves_no_socket_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect, made = socket.create_connection, []

    def reset(*where: Any) -> socket.socket:
        peer = connect(*where)
        select.select([peer], [], [], 60)
        made.append(peer)
        return peer

    def at_once(peer: socket.socket) -> None:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    monkeypatch.setattr(socket, "create_connection", reset)
    with raw_server(at_once) as port, open_storage(provider, allowances=LOCAL) as opened:
        answer = send(opened, port)
    assert not answer.Success
    # Where it was reset before it was connected, nobody has had it.
    assert {peer.fileno() for peer in made} <= {-1}


class TestSendMail(StorageConformance):
    """Against a server that takes everything."""

    provider = provider
    isolations = ("inprocess", "sidecar")
    allowances = LOCAL
    any_row = False
    shared = True  # every GET sends, whoever asks
    callers = 4
    calls = 8
    refused = [
        (
            {"Host": "h", "Port": 0, "From": "a@example.com", "To": ["b@example.com"]},
            {},
        )
    ]

    @pytest.fixture(autouse=True)
    def _server(self) -> Iterator[None]:
        self.box = Box()
        with smtp_server(self.box) as self.port:
            yield

    @pytest.fixture
    def rows(self, _server: None) -> list[Any]:
        sender, to = "a@example.com", ["b@example.com"]
        return [({"Host": "127.0.0.1", "Port": self.port, "From": sender, "To": to, "Body": "x"}, {})]

    def stored(self, key: Any, value: Value) -> Value:
        """Every mail can be sent again, and is."""
        return merge(value, {"Success": True, "ErrorMessage": ""})


def test_a_password_is_not_sent_in_the_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without TLS a password goes to this machine only, unless `never` asks for it."""
    from statehold_sys._mail import _smtp

    monkeypatch.setattr(_smtp, "ip_address", lambda _: ip_address("93.184.216.34"))
    box = Box()
    with smtp_server(box, auth_require_tls=False) as port:
        for tls, sent in (("offered", False), ("never", True)):
            with open_storage(provider, allowances=LOCAL, config={"Tls": tls}) as opened:
                answer = send(opened, port, Username="shop", Password="hunter2")
                assert answer.Success is sent, answer.ErrorMessage
    assert box.logins == [(b"shop", b"hunter2")]

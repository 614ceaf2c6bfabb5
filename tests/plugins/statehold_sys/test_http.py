from __future__ import annotations

import gzip
import itertools
import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
import trustme
from servers import http_server, raw_server, reply

from statehold.sdk import FreedError, StorageError, Value
from statehold.testing import OpenStorage, StorageConformance, open_storage
from statehold_sys.http import provider

LOCAL = {"network": ["127.0.0.1"]}
Handler = BaseHTTPRequestHandler


def fetch(opened: OpenStorage, **key: Any) -> Value:
    """Return the one row of a READ."""
    ((_, value),) = opened.facade.read(opened.key(1, **key))
    return value


@pytest.fixture
def http() -> Iterator[OpenStorage]:
    with open_storage(provider, allowances=LOCAL) as opened:
        yield opened


def test_sends_method_headers_and_body_and_returns_status_headers_and_body(http: OpenStorage) -> None:
    """What the key says reaches the server as it is, and what it answers is the row."""
    seen: list[Any] = []

    def answer(request: Handler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        seen.append((request.command, request.path, request.headers.get_all("X-Tag"), body))
        reply(request, b"\x00\xffyes", status=207, headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])

    with http_server(answer) as port:
        url = f"http://127.0.0.1:{port}/a?b=c"
        value = fetch(http, Url=url, Method="put", Body=b"\x00body", Header=["X-Tag: one", "X-Tag:two"])
    assert seen == [("PUT", "/a?b=c", ["one", "two"], b"\x00body")]
    assert (value.StatusCode, value.Body, value.Error) == (207, b"\x00\xffyes", None)
    assert [line for line in value.Header if line.startswith("Set-Cookie")] == [
        "Set-Cookie: a=1",
        "Set-Cookie: b=2",
    ]


def test_the_method_is_get_and_a_prefix_is_enough(http: OpenStorage) -> None:
    """A key for READ may leave out everything but the Url; the row's key has the rest as NULL."""
    with http_server(lambda request: reply(request, request.command.encode())) as port:
        ((key, value),) = http.facade.read(http.prefix(7, Url=f"http://127.0.0.1:{port}/"))
    assert value.Body == b"GET"
    assert (key.WSID, key.Method, key.Header, key.HandleErrors) == (7, None, (), None)


def test_cookies_do_not_go_from_one_request_to_the_next(http: OpenStorage) -> None:
    """What one workspace was told is not sent along with another's request."""
    cookies: list[Any] = []

    def answer(request: Handler) -> None:
        cookies.append(request.headers.get("Cookie"))
        reply(request, headers=[("Set-Cookie", "session=secret")])

    with http_server(answer) as port:
        for _ in range(2):
            fetch(http, Url=f"http://127.0.0.1:{port}/")
    assert cookies == [None, None]


def test_proxies_of_the_environment_are_ignored(http: OpenStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests go where the Url says."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with http_server(lambda request: reply(request, b"direct")) as port:
        assert fetch(http, Url=f"http://127.0.0.1:{port}/").Body == b"direct"


# -- Where it may connect to ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "0.0.0.0", "2130706433", "0x7f.1", "127.1", "[::1]", "[::ffff:127.0.0.1]"],
)
def test_loopback_is_refused_however_it_is_written(host: str) -> None:
    """Nothing on this machine is reached unless the operator allows it, and the error says how."""
    hits: list[str] = []

    def answer(request: Handler) -> None:
        hits.append(request.path)
        reply(request)

    with http_server(answer) as port, open_storage(provider) as opened:
        with pytest.raises(StorageError, match=r"test\.Http.*(loopback|unspecified)") as caught:
            fetch(opened, Url=f"http://{host}:{port}/")
        assert '"allow"' in caught.value.hint
    assert hits == []


def test_a_redirect_is_checked_again() -> None:
    """A permitted server cannot send the request on to one that is not permitted."""
    hits: list[str] = []

    def inside(request: Handler) -> None:
        hits.append(request.path)
        reply(request, b"secret")

    with http_server(inside) as secret:

        def outside(request: Handler) -> None:
            reply(request, status=302, headers=[("Location", f"http://127.0.0.1:{secret}/")])

        with (
            http_server(outside) as port,
            open_storage(provider, allowances={"network": [f"127.0.0.1:{port}"]}) as opened,
            pytest.raises(StorageError, match="loopback"),
        ):
            fetch(opened, Url=f"http://127.0.0.1:{port}/")
    assert hits == []


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/"])
def test_a_redirect_cannot_leave_http(http: OpenStorage, target: str) -> None:
    """Only http and https are spoken, also after a redirect."""
    with (
        http_server(lambda request: reply(request, status=302, headers=[("Location", target)])) as port,
        pytest.raises(StorageError),
    ):
        fetch(http, Url=f"http://127.0.0.1:{port}/")


def test_redirects_are_followed_ten_times(http: OpenStorage) -> None:
    """Ten redirects arrive, eleven are an error."""

    def answer(request: Handler) -> None:
        left = int(request.path[1:])
        if left == 0:
            reply(request, b"arrived")
        else:
            reply(request, b"moved", status=302, headers=[("Location", f"/{left - 1}")])

    with http_server(answer) as port:
        assert fetch(http, Url=f"http://127.0.0.1:{port}/10").Body == b"arrived"
        with pytest.raises(StorageError, match="more than 10 redirects"):
            fetch(http, Url=f"http://127.0.0.1:{port}/11")


def test_what_may_be_a_credential_does_not_follow_a_redirect_to_another_server(http: OpenStorage) -> None:
    """Another port is another server; what only says how to talk goes along, the body too."""
    seen: list[Any] = []

    def stranger(request: Handler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        seen.append({**{name.lower(): value for name, value in request.headers.items()}, "body": body})
        reply(request)

    with http_server(stranger) as other:

        def answer(request: Handler) -> None:
            request.rfile.read(int(request.headers["Content-Length"]))
            reply(request, status=307, headers=[("Location", f"http://127.0.0.1:{other}/")])

        headers = ["Authorization: Bearer t", "X-Api-Key: k", "Cookie: c=1", "Accept: text/plain"]
        with http_server(answer) as port:
            url = f"http://user:pass@127.0.0.1:{port}/"
            fetch(http, Url=url, Method="POST", Body=b"text", Header=[*headers, "Content-Type: text/x"])
    (arrived,) = seen
    assert arrived.keys() & {"authorization", "x-api-key", "cookie"} == set()
    assert (arrived["accept"], arrived["content-type"], arrived["body"]) == ("text/plain", "text/x", b"text")
    assert arrived["host"] == f"127.0.0.1:{other}"


def test_headers_follow_a_redirect_on_the_same_server_and_do_not_come_back(http: OpenStorage) -> None:
    """Once a redirect has left the server, a second one that leads back finds nothing to send."""
    seen: list[Any] = []

    def answer(request: Handler) -> None:
        seen.append((request.path, request.headers.get("X-Api-Key")))
        target = {"/": "/here", "/here": away, "/back": None}[request.path]
        headers = [("Location", target)] if target else []
        reply(request, status=302 if target else 200, headers=headers)

    with http_server(answer) as port:

        def stranger(request: Handler) -> None:
            reply(request, status=302, headers=[("Location", f"http://127.0.0.1:{port}/back")])

        with http_server(stranger) as other:
            away = f"http://127.0.0.1:{other}/"
            fetch(http, Url=f"http://127.0.0.1:{port}/", Header=["X-Api-Key: k"])
    assert seen == [("/", "k"), ("/here", "k"), ("/back", None)]


def test_the_checked_address_is_the_one_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is resolved once per connection, so a second answer of the DNS gains nothing."""
    asked = itertools.count()
    real = socket.getaddrinfo

    def rebinding(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host != "rebind.test":
            return real(host, *args, **kwargs)
        return real("93.184.216.34" if next(asked) == 0 else "127.0.0.1", *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    connected: list[Any] = []
    monkeypatch.setattr(
        socket, "create_connection", lambda address, *_, **__: connected.append(address) or refuse()
    )

    def refuse() -> None:
        raise ConnectionRefusedError("nobody there")

    with open_storage(provider) as opened, pytest.raises(StorageError, match="nobody there"):
        fetch(opened, Url="http://rebind.test/")
    assert next(asked) == 1
    assert connected == [("93.184.216.34", 80)]


def test_an_allowed_name_is_reached_with_its_own_host_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that the operator allows may be inside; the server still hears its name."""
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *args, **kwargs: real("127.0.0.1" if host == "rates.example" else host, *args, **kwargs),
    )
    with http_server(lambda request: reply(request, request.headers["Host"].encode())) as port:
        with open_storage(provider, allowances={"network": [f"Rates.Example.:{port}"]}) as opened:
            assert fetch(opened, Url=f"http://rates.example:{port}/").Body == f"rates.example:{port}".encode()
        with (
            open_storage(provider, allowances={"network": [f"rates.example:{port + 1}"]}) as opened,
            pytest.raises(StorageError, match="loopback"),
        ):
            fetch(opened, Url=f"http://rates.example:{port}/")


def test_tls_is_checked_against_the_name(authority: trustme.CA, ca_file: str) -> None:
    """A certificate of the name passes, one of another name or of another authority does not."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    with http_server(lambda request: reply(request, b"safe"), tls=tls) as port:
        url = f"https://localhost:{port}/"
        with open_storage(provider, allowances=LOCAL, config={"CaFile": ca_file}) as opened:
            assert fetch(opened, Url=url).Body == b"safe"
            with pytest.raises(StorageError, match=r"(?i)certificate"):
                fetch(opened, Url=f"https://127.0.0.1:{port}/")
        with (
            open_storage(provider, allowances=LOCAL) as opened,
            pytest.raises(StorageError, match=r"(?i)cert"),
        ):
            fetch(opened, Url=url)


# -- How long and how much -----------------------------------------------------------------------------


def drip(piece: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    """Return a talk that goes on for longer than any test waits, a little at a time."""

    def talk(peer: socket.socket) -> None:
        for _ in range(1500):
            piece(peer)
            time.sleep(0.02)

    return talk


def silent(peer: socket.socket) -> None:
    while peer.recv(65536):
        pass


def drip_headers(peer: socket.socket) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\n")
    drip(lambda one: one.sendall(b"X-Header: x\r\n"))(peer)


def drip_body(peer: socket.socket) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    drip(lambda one: one.sendall(b"x"))(peer)


def sip_request(peer: socket.socket) -> None:
    drip(lambda one: one.recv(10))(peer)


@pytest.mark.parametrize("talk", [silent, drip_headers, drip_body, sip_request])
def test_the_timeout_covers_the_whole_call(http: OpenStorage, talk: Callable[[socket.socket], None]) -> None:
    """A server that is silent, or sends or takes a little at a time, is left when the time is over."""
    with raw_server(talk) as port, pytest.raises(StorageError, match="not done in 200 ms"):
        fetch(
            http,
            Url=f"http://127.0.0.1:{port}/",
            Body=bytes(20_000_000),
            HTTPClientTimeoutMilliseconds=200,
        )


def test_a_resolver_that_hangs_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time to resolve a name counts as well."""
    answered = threading.Event()

    def hang(*_: Any, **__: Any) -> Any:
        answered.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with open_storage(provider) as opened, pytest.raises(StorageError, match="not done in 50 ms"):
        fetch(opened, Url="http://slow.example/", HTTPClientTimeoutMilliseconds=50)
    answered.set()
    for thread in threading.enumerate():
        if thread.name.startswith("resolve"):
            thread.join()


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_larger_than_the_limit_is_not_read(announced: bool) -> None:
    """The limit holds while the body arrives, whatever the server announces."""
    sent = itertools.count()

    def talk(peer: socket.socket) -> None:
        peer.recv(65536)
        length = b"Content-Length: 1000000000\r\n" if announced else b""
        peer.sendall(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n")
        for _ in range(1000):
            peer.sendall(bytes(100_000))
            next(sent)

    with (
        raw_server(talk) as port,
        open_storage(provider, allowances=LOCAL, config={"MaxBodyBytes": 200_000}) as opened,
        pytest.raises(StorageError, match="MaxBodyBytes, 200,000"),
    ):
        fetch(opened, Url=f"http://127.0.0.1:{port}/")
    assert next(sent) < 900


def test_a_compressed_body_stays_compressed() -> None:
    """It may be a bomb; what it is, is said by its header."""
    bomb = gzip.compress(bytes(10_000_000))
    headers = [("Content-Encoding", "gzip")]
    with (
        http_server(lambda request: reply(request, bomb, headers=headers)) as port,
        open_storage(provider, allowances=LOCAL, config={"MaxBodyBytes": len(bomb)}) as opened,
    ):
        answer = fetch(opened, Url=f"http://127.0.0.1:{port}/")
    assert answer.Body == bomb
    assert "Content-Encoding: gzip" in answer.Header


def test_a_body_that_comes_byte_by_byte_takes_no_more_memory_than_it_has() -> None:
    """Not an object for each of its pieces."""

    def talk(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        peer.sendall(b"2\r\nab\r\n" * 20_000 + b"0\r\n\r\n")

    with raw_server(talk) as port, open_storage(provider, allowances=LOCAL) as opened:
        fetch(opened, Url=f"http://127.0.0.1:{port}/")
        peaks = []
        while len(peaks) < 3 and not any(peak < 600_000 for peak in peaks):  # other threads take memory, too
            tracemalloc.start()
            try:
                body = fetch(opened, Url=f"http://127.0.0.1:{port}/").Body
                peaks.append(tracemalloc.get_traced_memory()[1])
            finally:
                tracemalloc.stop()
            assert body == b"ab" * 20_000
    assert min(peaks) < 600_000


def test_a_body_of_exactly_the_limit_is_read() -> None:
    """The limit itself is still allowed."""
    with (
        http_server(lambda request: reply(request, bytes(1000))) as port,
        open_storage(provider, allowances=LOCAL, config={"MaxBodyBytes": 1000}) as opened,
    ):
        assert fetch(opened, Url=f"http://127.0.0.1:{port}/").Body == bytes(1000)


# -- Errors --------------------------------------------------------------------------------------------


def test_with_handle_errors_a_failure_is_a_row(http: OpenStorage) -> None:
    """HandleErrors turns what would be raised into a row of status 0."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    with pytest.raises(StorageError, match=r"GET http://127\.0\.0\.1"):
        fetch(http, Url=url)
    value = fetch(http, Url=url, HandleErrors=True)
    assert value.StatusCode == 0
    assert value.Error.encode() == value.Body
    assert "refused" in value.Error


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ({"Url": ""}, "no Url"),
        ({"Url": "file:///etc/passwd"}, "http://"),
        ({"Url": "example.com"}, "http://"),
        ({"Url": "http://h/", "Method": "GET / HTTP/1.1\r\nX: y"}, "HTTP method"),
        ({"Url": "http://h/", "Method": "CONNECT"}, "HTTP method"),
        ({"Url": "http://h/", "Header": ["no colon"]}, "Name: value"),
        ({"Url": "http://h/", "Header": ["A: b\r\nEvil: yes"]}, "line breaks"),
        ({"Url": "http://h/", "Header": ["A\nB: c"]}, "Name: value"),
        ({"Url": "http://h/", "Header": ["Host: other"]}, "cannot be set"),
        ({"Url": "http://h/", "Header": ["transfer-encoding: chunked"]}, "cannot be set"),
        ({"Url": "http://h/", "HTTPClientTimeoutMilliseconds": -1}, "HTTPClientTimeoutMilliseconds"),
        ({"Url": "http://h/", "HTTPClientTimeoutMilliseconds": 2**63 - 1}, "HTTPClientTimeoutMilliseconds"),
    ],
)
def test_a_key_that_no_request_can_be_made_of_is_an_error(
    http: OpenStorage, key: dict[str, Any], message: str
) -> None:
    """A mistake of the caller is raised at once, also with HandleErrors."""
    with pytest.raises(StorageError, match=message):
        http.facade.read(http.key(1, **key, HandleErrors=True))


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http://h:99999/",
        "http://a b/",
        "http://\x00/",
        "http://h\r\nX: y/",
        "http://[::1/",
        "http://xn--/",
        f"http://{'a' * 64}/",
    ],
)
def test_a_url_that_is_none_is_an_error(http: OpenStorage, url: str) -> None:
    """Any Url gives a StorageError at worst."""
    with pytest.raises(StorageError):
        fetch(http, Url=url)


def test_neither_credentials_nor_queries_are_shown_in_errors(http: OpenStorage) -> None:
    """What may be a secret does not get into a message."""
    with pytest.raises(StorageError) as caught:
        fetch(http, Url="http://user:hunter2@10.0.0.1/?token=hunter3", Header=["Authorization: hunter4"])
    assert "hunter" not in str(caught.value)


def test_a_long_url_is_not_shown_whole(http: OpenStorage) -> None:
    """Nor the name of the server in it: logs have better things to hold."""
    for url in (f"http://{'9' * 60_000}/", f"http://127.0.0.1:1/{'x' * 60_000}"):
        with pytest.raises(StorageError) as caught:
            fetch(http, Url=url)
        assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "key",
    [
        {"Url": "admin:hunter2@127.0.0.1/"},
        {"Url": "http://admin:hunter2"},
        {"Url": "http://127.0.0.1/", "Header": ["Bearer hunter2"]},
        {"Url": "http://127.0.0.1/", "Header": ["Bearer hunter2: x"]},
        {"Url": "http://127.0.0.1/", "Header": ["Authorization: Bearer hunter2\x0b"]},
    ],
)
def test_a_malformed_key_is_not_quoted(http: OpenStorage, key: dict[str, Any]) -> None:
    """A credential in the wrong place is not shown by the error that says so."""
    with pytest.raises(StorageError) as caught:
        fetch(http, **key)
    assert "hunter" not in str(caught.value)


def test_the_headers_of_a_key_are_not_shown(http: OpenStorage) -> None:
    """They hold the credentials; debuggers and logs use the key's repr."""
    assert "hunter2" not in repr(http.key(1, Url="http://h/", Header=["Authorization: Bearer hunter2"]))


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"]
)
def test_a_broken_answer_is_an_error(http: OpenStorage, answer: bytes) -> None:
    """No answer, no HTTP, and a body that ends early are errors."""

    def talk(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(answer)

    with raw_server(talk) as port, pytest.raises(StorageError, match="GET http"):
        fetch(http, Url=f"http://127.0.0.1:{port}/")


def test_an_allowance_by_another_name_is_an_error() -> None:
    """A typing mistake of the operator shows when the version is opened."""
    with (
        pytest.raises(StorageError, match="'netwrk', which it does not know"),
        open_storage(provider, allowances={"netwrk": ["127.0.0.1"]}),
    ):
        pass


@pytest.mark.parametrize("network", ["127.0.0.1", [""], ["a b"], ["host:0"], ["host:http"], [":80"], 7, [7]])
def test_a_list_of_allowed_networks_that_cannot_be_read_is_an_error(network: Any) -> None:
    """A mistake of the operator shows when the version is opened."""
    with (
        pytest.raises(StorageError, match="list of allowed networks"),
        open_storage(provider, allowances={"network": network}),
    ):
        pass


def test_a_ca_file_that_is_missing_is_an_error() -> None:
    """The error names the file."""
    with (
        open_storage(provider, allowances=LOCAL, config={"CaFile": "/nowhere/ca.pem"}) as opened,
        pytest.raises(StorageError, match=r"/nowhere/ca\.pem"),
    ):
        fetch(opened, Url="https://127.0.0.1/")


def test_a_freed_storage_makes_no_request() -> None:
    """A READ that was begun before and is asked for its row after is refused."""
    with open_storage(provider) as opened:
        reading = opened.facade.read(opened.key(1, Url="http://example.com/"))
    with pytest.raises(FreedError):
        next(reading)


class TestHttp(StorageConformance):
    """Against a server that answers with the request's path."""

    provider = provider
    isolations = ("inprocess", "sidecar")
    allowances = LOCAL
    any_row = False
    whole_keys = True
    shared = True

    @pytest.fixture(autouse=True)
    def _server(self) -> Iterator[None]:
        def answer(request: Handler) -> None:
            # Without Date and Server, which are never the same twice.
            request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + request.path[:2].encode())

        with http_server(answer) as self.port:
            yield

    @pytest.fixture
    def rows(self, _server: None) -> list[Any]:
        return [
            (
                {"Url": f"http://127.0.0.1:{self.port}/{name}"},
                {"StatusCode": 200, "Body": f"/{name}".encode(), "Header": ["Content-Length: 2"]},
            )
            for name in "abc"
        ]

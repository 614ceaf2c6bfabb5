from __future__ import annotations

import json
import socket

import pytest

SHOP = "/api/v2/apps/acme/shop/workspaces/1"
HEAD = b"POST /api/v2/apps/acme/shop/workspaces/1/commands/shop.Buy HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
def connect():
    """Return a function that opens a plain connection to where a client is connected."""
    opened = []

    def connect(client):
        opened.append(socket.create_connection((client.base_url.host, client.base_url.port), timeout=60))
        return opened[-1]

    yield connect
    for one in opened:
        one.close()


def read(connection) -> tuple[int, dict, bytes]:
    """Read until the server closes, and return status, body and all of it."""
    text = b""
    while piece := connection.recv(65536):
        text += piece
    if not text:
        return 0, {}, b""
    head, _, body = text.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body), head


def test_a_body_that_says_to_be_too_long_is_refused_before_it_is_read(start, connect, runtime):
    connection = connect(start(body=100))
    connection.sendall(HEAD + b"Content-Length: 101\r\n\r\n")
    status, body, head = read(connection)
    assert status == 413
    assert "100 bytes" in body["message"]
    assert b"connection: close" in head.lower()
    assert not runtime.asked


def test_a_body_that_does_not_say_how_long_it_is_is_refused_where_it_is_too_long(start, runtime):
    client = start(body=100)
    answer = client.post(f"{SHOP}/docs/shop.Bill", content=iter([b"x" * 60, b"x" * 60]))
    assert answer.status_code == 413
    assert not runtime.asked


def test_a_body_as_long_as_may_be_is_taken(start):
    client = start(body=100)
    body = json.dumps({"args": {"a": ""}})
    body = json.dumps({"args": {"a": "x" * (100 - len(body))}})
    assert len(body) == 100
    answer = client.post(
        f"{SHOP}/commands/shop.Buy", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 200


def test_a_head_that_is_too_long_is_refused(start, connect):
    connection = connect(start(head=5000))
    connection.sendall(HEAD + b"X: " + b"x" * 6000)
    status, body, _ = read(connection)
    assert (status, "5,000 bytes" in body["message"]) == (431, True)


def test_a_head_that_does_not_come_ends_the_connection(start, connect):
    client = start(head_seconds=0.2)
    connection = connect(client)
    connection.sendall(HEAD)
    status, body, _ = read(connection)
    assert (status, "head" in body["message"]) == (408, True)
    assert read(connect(client))[0] == 0


def test_a_body_that_does_not_come_ends_the_connection(start, connect, runtime):
    connection = connect(start(body_seconds=0.2))
    connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
    status, body, _ = read(connection)
    assert (status, "1 bytes" in body["message"]) == (408, True)
    assert not runtime.asked


def test_a_slow_head_is_refused_on_a_connection_that_was_used_before(start, connect):
    connection = connect(start(head_seconds=0.2))
    connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    connection.sendall(HEAD)
    assert read(connection)[0] == 408


def test_an_answer_that_takes_too_long_is_a_504(start, runtime, gate):
    runtime.on_query = lambda *_: gate.wait() and []
    answer = start(request_seconds=0.2).get(f"{SHOP}/queries/shop.Menu")
    assert answer.status_code == 504
    assert "0.2 s" in answer.json()["message"]


def test_a_server_with_too_much_to_do_asks_to_come_back(start, runtime, gate, connect):
    runtime.on_query = lambda *_: gate.wait() and []
    client = start(waiting=1)
    first = connect(client)
    first.sendall(f"GET {SHOP}/queries/shop.Menu HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    while not runtime.asked:
        client.get("/health")
    answer = client.get(f"{SHOP}/queries/shop.Menu")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    gate.set()
    assert read(first)[0] == 200


def test_more_connections_than_there_may_be_are_asked_to_come_back(start, connect):
    client = start(connections=2)
    assert client.get("/health").status_code == 200
    connect(client).sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    while True:
        late = connect(client)
        late.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        status, _, head = read(late)
        if status == 503:
            break
        assert status == 200
    assert b"retry-after" in head.lower()
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize(
    "text",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: x\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ],
)
def test_what_is_no_http_is_refused_and_harms_nobody(client, connect, text):
    connection = connect(client)
    connection.sendall(text)
    connection.shutdown(socket.SHUT_WR)
    answer = connection.recv(65536)
    assert not answer.startswith((b"HTTP/1.1 2", b"HTTP/1.1 5"))
    assert client.get("/health").status_code == 200


def test_requests_in_one_go_are_answered_in_their_order(client, connect):
    connection = connect(client)
    one = "GET {}/queries/shop.Menu?args=%7B%22n%22:{}%7D HTTP/1.1\r\nHost: x\r\n{}\r\n"
    connection.sendall("".join(one.format(SHOP, n, "") for n in range(20)).encode())
    connection.sendall(one.format(SHOP, 20, "Connection: close\r\n").encode())
    text = b""
    while piece := connection.recv(65536):
        text += piece
    bodies = [part.partition(b"\r\n\r\n")[2] for part in text.split(b"HTTP/1.1 200")[1:]]
    assert [json.loads(body)["results"][0]["args"]["n"] for body in bodies] == list(range(21))
